#include "netlink/attributes.h"
#include "netlink/nftables.h"
#include "test/support/catch.h"
#include "test/support/netlink_bytes.h"

#include <linux/netfilter/nf_tables.h>

using namespace routelet;
using namespace routelet::netlink;
using namespace routelet::test;

namespace {

const NftTable small_table = {.name = "t",
                              .sets = {{.name = "s",
                                        .family = IpFamily::v4,
                                        .ranges = merged({"10.244.1.0/24"_net, "240.0.0.0/4"_net})}},
                              .chains = {{.name = "c",
                                          .type = "nat",
                                          .hook = 4,
                                          .priority = 100,
                                          .rules = {{nft::LoadMeta{NFT_META_MARK}, nft::Return{}}}}}};

// The number of a message within nf_tables.
int kind(const Request& request)
{
    CHECK(request.type() >> 8 == 10); // NFNL_SUBSYS_NFTABLES
    return request.type() & 0xff;
}

std::vector<int> kinds(const std::vector<Request>& requests)
{
    std::vector<int> found;
    for (const Request& request : requests)
        found.push_back(kind(request));
    return found;
}

Bytes text(std::uint16_t type, const std::string& value)
{
    return attribute(type, Bytes(value.c_str(), value.c_str() + value.size() + 1));
}
Bytes number(std::uint16_t type, std::uint8_t value)
{
    return attribute(type, Bytes{0, 0, 0, value});
}
Bytes nest(std::uint16_t type, std::initializer_list<Bytes> parts)
{
    return attribute(static_cast<std::uint16_t>(type | NLA_F_NESTED), joined(parts));
}
const Bytes inet = {1, 0, 0, 0}; // nfgenmsg: NFPROTO_INET, version 0

Bytes element(const Bytes& key, bool is_end)
{
    const Bytes value = nest(NFTA_SET_ELEM_KEY, {attribute(NFTA_DATA_VALUE, key)});
    return is_end ? nest(NFTA_LIST_ELEM, {number(NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END), value})
                  : nest(NFTA_LIST_ELEM, {value});
}

Attributes parsed(const Bytes& bytes)
{
    return Attributes::parse(bytes).value();
}

} // namespace

TEST_CASE("a table is replaced in one batch: deleted though it may not be there, then all of it", "[netlink]")
{
    CHECK(kinds(replace_table(small_table)) ==
          std::vector<int>{NFT_MSG_NEWTABLE, NFT_MSG_DELTABLE, NFT_MSG_NEWTABLE, NFT_MSG_NEWSET,
                           NFT_MSG_NEWSETELEM, NFT_MSG_NEWCHAIN, NFT_MSG_NEWRULE});
}

// The bytes are those that nft(8) sends for the same, as `nft --debug=mnl` shows them.
TEST_CASE("sets, elements, chains and rules have the shapes of linux/netfilter/nf_tables.h", "[netlink]")
{
    const auto requests = replace_table(small_table);

    CHECK(payload_of(requests[3]) ==
          joined({inet, text(NFTA_SET_TABLE, "t"), text(NFTA_SET_NAME, "s"),
                  number(NFTA_SET_FLAGS, NFT_SET_INTERVAL), number(NFTA_SET_KEY_TYPE, 7),
                  number(NFTA_SET_KEY_LEN, 4), attribute(NFTA_SET_USERDATA, Bytes{0, 4, 2, 0, 0, 0}),
                  number(NFTA_SET_ID, 1)}));
    CHECK(payload_of(requests[4]) ==
          joined({inet, text(NFTA_SET_ELEM_LIST_TABLE, "t"), text(NFTA_SET_ELEM_LIST_SET, "s"),
                  nest(NFTA_SET_ELEM_LIST_ELEMENTS,
                       {element({10, 244, 1, 0}, false), element({10, 244, 2, 0}, true),
                        element({240, 0, 0, 0}, false)})})); // the top of the space has no end
    CHECK(payload_of(requests[5]) ==
          joined({inet, text(NFTA_CHAIN_TABLE, "t"), text(NFTA_CHAIN_NAME, "c"),
                  nest(NFTA_CHAIN_HOOK, {number(NFTA_HOOK_HOOKNUM, 4), number(NFTA_HOOK_PRIORITY, 100)}),
                  number(NFTA_CHAIN_POLICY, 1), text(NFTA_CHAIN_TYPE, "nat")}));
    const Bytes meta = nest(NFTA_LIST_ELEM, {text(NFTA_EXPR_NAME, "meta"),
                                             nest(NFTA_EXPR_DATA, {number(NFTA_META_DREG, NFT_REG_1),
                                                                   number(NFTA_META_KEY, NFT_META_MARK)})});
    const Bytes verdict =
        nest(NFTA_DATA_VERDICT, {attribute(NFTA_VERDICT_CODE, Bytes{0xff, 0xff, 0xff, 0xfb})});
    const Bytes immediate =
        nest(NFTA_LIST_ELEM, {text(NFTA_EXPR_NAME, "immediate"),
                              nest(NFTA_EXPR_DATA, {number(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT),
                                                    nest(NFTA_IMMEDIATE_DATA, {verdict})})});
    CHECK(payload_of(requests[6]) == joined({inet, text(NFTA_RULE_TABLE, "t"), text(NFTA_RULE_CHAIN, "c"),
                                             nest(NFTA_RULE_EXPRESSIONS, {meta, immediate})}));
}

TEST_CASE("thousands of elements are spread over requests that each fit, intervals whole", "[netlink]")
{
    NftTable large = small_table;
    std::vector<IpPrefix> scattered;
    for (unsigned i = 0; i < 5000; ++i)
        scattered.push_back(IpPrefix::of("fd00::"_ip.plus(i * 2), 128));
    large.sets[0] = {.name = "s", .family = IpFamily::v6, .ranges = merged(scattered)};

    const auto requests = replace_table(large);

    CHECK(requests.size() > 50);
    std::size_t bytes = 0;
    for (const Request& request : requests) {
        CHECK_FALSE(request.overflowed());
        bytes += request.bytes().size();
    }
    CHECK(bytes > 5000 * 2 * 16);
}

TEST_CASE("a set that changes is told only what differs, removals first", "[netlink]")
{
    const NftSet before = small_table.sets[0];
    NftSet after = before;
    after.ranges = merged({"10.244.1.0/24"_net, "10.244.2.0/24"_net, "240.0.0.0/4"_net});

    CHECK(change_set("t", before, before).empty());
    const auto requests = change_set("t", before, after);
    CHECK(kinds(requests) == std::vector<int>{NFT_MSG_DELSETELEM, NFT_MSG_NEWSETELEM});
    const Bytes head = joined({inet, text(NFTA_SET_ELEM_LIST_TABLE, "t"), text(NFTA_SET_ELEM_LIST_SET, "s")});
    CHECK(payload_of(requests[0]) ==
          joined({head, nest(NFTA_SET_ELEM_LIST_ELEMENTS,
                             {element({10, 244, 1, 0}, false), element({10, 244, 2, 0}, true)})}));
    CHECK(payload_of(requests[1]) ==
          joined({head, nest(NFTA_SET_ELEM_LIST_ELEMENTS,
                             {element({10, 244, 1, 0}, false), element({10, 244, 3, 0}, true)})}));
    CHECK(requests[0].what() == "removing elements of nftables set s");
}

TEST_CASE("attributes include those that are wanted when each is there with the same content", "[netlink]")
{
    const Bytes found =
        joined({number(1, 7), attribute(2, joined({number(1, 1), number(1, 2), number(9, 9)}))});

    CHECK(parsed(found).include(parsed({})));
    CHECK(parsed(found).include(parsed(number(1, 7))));
    CHECK_FALSE(parsed(found).include(parsed(number(1, 8))));
    CHECK_FALSE(parsed(found).include(parsed(number(3, 7))));
    SECTION("inside a nest there may be more")
    {
        CHECK(parsed(found).include(parsed(nest(2, {number(9, 9)}))));
        CHECK(parsed(found).include(parsed(nest(2, {number(1, 1), number(1, 2)}))));
        CHECK_FALSE(parsed(found).include(parsed(nest(2, {number(9, 8)}))));
    }
    SECTION("but a list has just as many, in the same order")
    {
        CHECK_FALSE(parsed(found).include(parsed(nest(2, {number(1, 1)}))));
        CHECK_FALSE(parsed(found).include(parsed(nest(2, {number(1, 2), number(1, 1)}))));
        CHECK_FALSE(parsed(found).include(parsed(nest(2, {number(1, 1), number(1, 2), number(1, 3)}))));
    }
    SECTION("what is no nest though one is wanted is different")
    {
        CHECK_FALSE(parsed(attribute(2, Bytes{1, 2, 3})).include(parsed(nest(2, {number(1, 1)}))));
    }
}
