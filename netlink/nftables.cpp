#include "netlink/nftables.h"

#include "netlink/nftables_messages.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <optional>

namespace routelet::netlink {
namespace {

namespace errc = boost::system::errc;

// Far from what one attribute and one request can hold.
constexpr std::size_t ranges_per_request = 64;

// What nft(8) stores with a set to know that its keys are in network order: type, length, value (libnftnl's
// udata.h, NFTNL_UDATA_SET_KEYBYTEORDER). Without it, it would print intervals wrongly.
constexpr std::array<std::uint8_t, 6> keys_in_network_order = {0, 4, 2, 0, 0, 0};
constexpr std::array<std::uint8_t, 6> keys_in_host_order = {0, 4, 1, 0, 0, 0};

constexpr std::size_t register_size = 4;         // bytes
constexpr std::size_t longest_comment = 127;     // bytes, without its end; nft(8)'s limit, too
constexpr std::size_t elements_per_request = 64; // of a map; with comments, far from what a request can hold

std::uint16_t message_type(int type)
{
    return static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | type);
}

Request delete_table(NftTableId table)
{
    Request request = nft::table_request(NFT_MSG_DELTABLE, 0, table);
    return std::move(request.about("removing nftables table " + table.to_string()));
}

std::size_t size_of(NftType type)
{
    switch (type) {
    case NftType::ipv4_addr:
        return 4;
    case NftType::ipv6_addr:
    case NftType::ifname:
        return 16;
    case NftType::inet_proto:
    case NftType::inet_service:
        return register_size; // as part of a concatenation
    }
    return 0;
}

// The number of a concatenation is put together from those of its parts (nft(8)'s concat_subtype_add()).
std::uint32_t number_of(const std::vector<NftType>& types)
{
    constexpr unsigned bits_per_type = 6;
    std::uint32_t number = 0;
    for (const NftType type : types)
        number = number << bits_per_type | static_cast<std::uint32_t>(type);
    return number;
}

std::uint32_t size_of(const std::vector<NftType>& types)
{
    std::size_t size = 0;
    for (const NftType type : types)
        size += size_of(type);
    return static_cast<std::uint32_t>(size);
}

// `id` tells the sets of one transaction apart.
template <class Set>
Request add_set(NftTableId table, const Set& set, std::uint32_t id)
{
    Request request = nft::describe_set(table, set);
    request.put_be32(NFTA_SET_ID, id);
    return request;
}

void append_boundaries(std::vector<nft::Boundary>& boundaries, const IpRange& range)
{
    const IpAddress behind = range.last.plus(1);
    boundaries.push_back({range.first, false});
    if (behind > range.last)
        boundaries.push_back({behind, true});
}

void put_value(Request& request, std::uint16_t attribute, std::span<const std::uint8_t> value)
{
    request.nest(attribute, [&] { request.put(NFTA_DATA_VALUE, value); });
}

void put_element(Request& request, const nft::Boundary& boundary)
{
    request.nest(NFTA_LIST_ELEM, [&] {
        if (boundary.is_end)
            request.put_be32(NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
        put_value(request, NFTA_SET_ELEM_KEY, boundary.key.bytes());
    });
}

void append_elements(std::vector<Request>& requests, int type, NftTableId table, const std::string& set,
                     std::span<const IpRange> ranges)
{
    const bool is_new = type == NFT_MSG_NEWSETELEM;
    while (!ranges.empty()) {
        const auto some = ranges.first(std::min(ranges.size(), ranges_per_request));
        ranges = ranges.subspan(some.size());
        Request request = nft::request(table.family, type, is_new ? NLM_F_CREATE : 0);
        request.put(NFTA_SET_ELEM_LIST_TABLE, table.name);
        request.put(NFTA_SET_ELEM_LIST_SET, set);
        request.nest(NFTA_SET_ELEM_LIST_ELEMENTS, [&] {
            for (const nft::Boundary& boundary : nft::boundaries_of(some))
                put_element(request, boundary);
        });
        request.about((is_new ? "adding elements to nftables set " : "removing elements of nftables set ") +
                      set);
        requests.push_back(std::move(request));
    }
}

void put_comment(Request& request, std::string_view comment)
{
    constexpr std::uint8_t udata_comment = 0; // libnftnl's NFTNL_UDATA_SET_ELEM_COMMENT: type, length, value
    comment = comment.substr(0, longest_comment);
    std::vector<std::uint8_t> data = {udata_comment, static_cast<std::uint8_t>(comment.size() + 1)};
    data.insert(data.end(), comment.begin(), comment.end());
    data.push_back(0);
    request.put(NFTA_SET_ELEM_USERDATA, std::span<const std::uint8_t>(data));
}

void put_element(Request& request, const NftElement& element)
{
    request.nest(NFTA_LIST_ELEM, [&] {
        put_value(request, NFTA_SET_ELEM_KEY, element.key);
        if (!element.value.empty())
            put_value(request, NFTA_SET_ELEM_DATA, element.value);
        if (!element.comment.empty())
            put_comment(request, element.comment);
    });
}

void append_elements(std::vector<Request>& requests, int type, NftTableId table, const std::string& map,
                     const std::vector<NftElement>& elements)
{
    const bool is_new = type == NFT_MSG_NEWSETELEM;
    for (std::span<const NftElement> left = elements; !left.empty();) {
        const auto some = left.first(std::min(left.size(), elements_per_request));
        left = left.subspan(some.size());
        Request request = nft::request(table.family, type, is_new ? NLM_F_CREATE | NLM_F_EXCL : 0);
        request.put(NFTA_SET_ELEM_LIST_TABLE, table.name);
        request.put(NFTA_SET_ELEM_LIST_SET, map);
        request.nest(NFTA_SET_ELEM_LIST_ELEMENTS, [&] {
            for (const NftElement& element : some)
                put_element(request, element);
        });
        request.about((is_new ? "adding elements to nftables map " : "removing elements of nftables map ") +
                      map);
        requests.push_back(std::move(request));
    }
}

// Puts what an expression is: its name and its attributes.
struct PutExpression {
    Request& request;

    void operator()(const nft::LoadMeta& load) const
    {
        put("meta", [&] {
            request.put_be32(NFTA_META_DREG, number_of_register(load.into));
            request.put_be32(NFTA_META_KEY, load.key);
        });
    }
    void operator()(const nft::SetMeta& set) const
    {
        put("meta", [&] {
            request.put_be32(NFTA_META_KEY, set.key);
            request.put_be32(NFTA_META_SREG, NFT_REG_1);
        });
    }
    void operator()(const nft::LoadHeader& load) const
    {
        put("payload", [&] {
            request.put_be32(NFTA_PAYLOAD_DREG, number_of_register(load.into));
            request.put_be32(NFTA_PAYLOAD_BASE, load.base);
            request.put_be32(NFTA_PAYLOAD_OFFSET, load.offset);
            request.put_be32(NFTA_PAYLOAD_LEN, load.length);
        });
    }
    void operator()(const nft::LoadDestinationType&) const
    {
        put("fib", [&] {
            request.put_be32(NFTA_FIB_DREG, NFT_REG_1);
            request.put_be32(NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
            request.put_be32(NFTA_FIB_FLAGS, NFTA_FIB_F_DADDR);
        });
    }
    void operator()(const nft::LoadWayBack&) const
    {
        put("fib", [&] {
            request.put_be32(NFTA_FIB_DREG, NFT_REG_1);
            request.put_be32(NFTA_FIB_RESULT, NFT_FIB_RESULT_OIF);
            request.put_be32(NFTA_FIB_FLAGS, NFTA_FIB_F_SADDR | NFTA_FIB_F_IIF);
        });
    }
    void operator()(const nft::Mask& mask) const
    {
        const std::vector<std::uint8_t> none(mask.bits.size(), 0);
        put("bitwise", [&] {
            request.put_be32(NFTA_BITWISE_SREG, NFT_REG_1);
            request.put_be32(NFTA_BITWISE_DREG, NFT_REG_1);
            request.put_be32(NFTA_BITWISE_LEN, static_cast<std::uint32_t>(mask.bits.size()));
            put_value(request, NFTA_BITWISE_MASK, mask.bits);
            put_value(request, NFTA_BITWISE_XOR, mask.flipped.empty() ? none : mask.flipped);
        });
    }
    void operator()(const nft::Equals& equals) const
    {
        put("cmp", [&] {
            request.put_be32(NFTA_CMP_SREG, NFT_REG_1);
            request.put_be32(NFTA_CMP_OP, equals.negated ? NFT_CMP_NEQ : NFT_CMP_EQ);
            put_value(request, NFTA_CMP_DATA, equals.value);
        });
    }
    void operator()(const nft::IsInSet& lookup) const
    {
        put("lookup", [&] {
            request.put(NFTA_LOOKUP_SET, lookup.set);
            request.put_be32(NFTA_LOOKUP_SREG, NFT_REG_1);
            request.put_be32(NFTA_LOOKUP_FLAGS, lookup.negated ? NFT_LOOKUP_F_INV : 0);
        });
    }
    void operator()(const nft::LookUp& lookup) const
    {
        put("lookup", [&] {
            request.put(NFTA_LOOKUP_SET, lookup.map);
            request.put_be32(NFTA_LOOKUP_SREG, NFT_REG_1);
            request.put_be32(NFTA_LOOKUP_DREG, NFT_REG_1);
        });
    }
    void operator()(const nft::Return&) const { put_verdict(NFT_RETURN); }
    void operator()(const nft::Accept&) const { put_verdict(NF_ACCEPT); }
    void operator()(const nft::Drop&) const { put_verdict(NF_DROP); }
    void operator()(const nft::Count&) const
    {
        put("counter", [] {});
    }
    void operator()(const nft::Jump& jump) const { put_verdict(NFT_JUMP, jump.chain); }
    void operator()(const nft::GoTo& jump) const { put_verdict(NFT_GOTO, jump.chain); }
    void operator()(const nft::MasqueradeFullyRandom&) const
    {
        put("masq", [&] { request.put_be32(NFTA_MASQ_FLAGS, NF_NAT_RANGE_PROTO_RANDOM_FULLY); });
    }
    void operator()(const nft::DestinationNat& nat) const
    {
        put("nat", [&] {
            request.put_be32(NFTA_NAT_TYPE, NFT_NAT_DNAT);
            request.put_be32(NFTA_NAT_FAMILY, nat.family == IpFamily::v4 ? NFPROTO_IPV4 : NFPROTO_IPV6);
            request.put_be32(NFTA_NAT_REG_ADDR_MIN, NFT_REG_1);
            request.put_be32(NFTA_NAT_REG_PROTO_MIN, number_of_register(nat.port));
        });
    }

private:
    // As the kernel shows it: 16 bytes that begin at a multiple of 16 have a number of their own.
    static std::uint32_t number_of_register(unsigned number)
    {
        constexpr unsigned small_ones = NFT_REG_SIZE / NFT_REG32_SIZE;
        return number % small_ones == 0 ? NFT_REG_1 + number / small_ones : NFT_REG32_00 + number;
    }
    void put_verdict(int code, std::string_view chain = {}) const
    {
        put("immediate", [&] {
            request.put_be32(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
            request.nest(NFTA_IMMEDIATE_DATA, [&] {
                request.nest(NFTA_DATA_VERDICT, [&] {
                    request.put_be32(NFTA_VERDICT_CODE, static_cast<std::uint32_t>(code));
                    if (!chain.empty())
                        request.put(NFTA_VERDICT_CHAIN, chain);
                });
            });
        });
    }
    template <class Inside>
    void put(std::string_view name, Inside inside) const
    {
        request.nest(NFTA_LIST_ELEM, [&] {
            request.put(NFTA_EXPR_NAME, name);
            request.nest(NFTA_EXPR_DATA, inside);
        });
    }
};

} // namespace

Request nft::request(NftFamily family, int type, unsigned flags)
{
    nfgenmsg header{};
    header.nfgen_family = static_cast<std::uint8_t>(family);
    header.version = NFNETLINK_V0;
    return {message_type(type), static_cast<std::uint16_t>(flags), header};
}

Request nft::table_request(int type, unsigned flags, NftTableId table)
{
    Request request = nft::request(table.family, type, flags);
    request.put(NFTA_TABLE_NAME, table.name);
    return request;
}

Request nft::add_table(NftTableId table)
{
    Request request = nft::table_request(NFT_MSG_NEWTABLE, NLM_F_CREATE, table);
    request.put_be32(NFTA_TABLE_FLAGS, 0); // notably not dormant
    return std::move(request.about("adding nftables table " + table.to_string()));
}

// As the kernel shows it, too.
Request nft::describe_set(NftTableId table, const NftSet& set)
{
    constexpr std::uint32_t ipv4_addr = 7; // nft(8)'s numbers for types: the kernel only stores them
    constexpr std::uint32_t ipv6_addr = 8;
    const bool is_v4 = set.family == IpFamily::v4;
    Request request = nft::request(table.family, NFT_MSG_NEWSET, NLM_F_CREATE);
    request.put(NFTA_SET_TABLE, table.name);
    request.put(NFTA_SET_NAME, set.name);
    request.put_be32(NFTA_SET_FLAGS, NFT_SET_INTERVAL);
    request.put_be32(NFTA_SET_KEY_TYPE, is_v4 ? ipv4_addr : ipv6_addr);
    request.put_be32(NFTA_SET_KEY_LEN, is_v4 ? 4 : 16);
    request.put(NFTA_SET_USERDATA, std::span<const std::uint8_t>(keys_in_network_order));
    return std::move(request.about("adding nftables set " + set.name));
}

Request nft::describe_set(NftTableId table, const NftMap& map)
{
    Request request = nft::request(table.family, NFT_MSG_NEWSET, NLM_F_CREATE);
    request.put(NFTA_SET_TABLE, table.name);
    request.put(NFTA_SET_NAME, map.name);
    if (!map.value.empty()) // the kernel shows none that is 0
        request.put_be32(NFTA_SET_FLAGS, NFT_SET_MAP);
    request.put_be32(NFTA_SET_KEY_TYPE, number_of(map.key));
    request.put_be32(NFTA_SET_KEY_LEN, size_of(map.key));
    if (!map.value.empty()) {
        request.put_be32(NFTA_SET_DATA_TYPE, number_of(map.value));
        request.put_be32(NFTA_SET_DATA_LEN, size_of(map.value));
    }
    if (map.key == std::vector{NftType::ifname})
        request.put(NFTA_SET_USERDATA, std::span<const std::uint8_t>(keys_in_host_order));
    return std::move(request.about("adding nftables set " + map.name));
}

std::vector<nft::Boundary> nft::boundaries_of(std::span<const IpRange> ranges)
{
    std::vector<nft::Boundary> boundaries;
    for (const IpRange& range : ranges)
        append_boundaries(boundaries, range);
    return boundaries;
}

Request nft::add_chain(NftTableId table, const NftChain& chain)
{
    Request request = nft::request(table.family, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
    request.put(NFTA_CHAIN_TABLE, table.name);
    request.put(NFTA_CHAIN_NAME, chain.name);
    request.about("adding nftables chain " + chain.name);
    if (chain.type.empty())
        return request;
    request.nest(NFTA_CHAIN_HOOK, [&] {
        request.put_be32(NFTA_HOOK_HOOKNUM, chain.hook);
        request.put_be32(NFTA_HOOK_PRIORITY, static_cast<std::uint32_t>(chain.priority));
    });
    request.put_be32(NFTA_CHAIN_POLICY, NF_ACCEPT);
    request.put(NFTA_CHAIN_TYPE, chain.type);
    return request;
}

Request nft::add_rule(NftTableId table, const std::string& chain, const Rule& rule)
{
    Request request = nft::request(table.family, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
    request.put(NFTA_RULE_TABLE, table.name);
    request.put(NFTA_RULE_CHAIN, chain);
    request.nest(NFTA_RULE_EXPRESSIONS, [&] {
        for (const nft::Expression& expression : rule)
            std::visit(PutExpression{request}, expression);
    });
    return std::move(request.about("adding a rule to nftables chain " + chain));
}

std::string NftTableId::to_string() const
{
    return (family == NftFamily::inet ? "inet " : "bridge ") + std::string(name);
}

std::vector<std::uint8_t> nft::number(std::uint32_t value)
{
    std::vector<std::uint8_t> bytes(sizeof value);
    std::memcpy(bytes.data(), &value, sizeof value);
    return bytes;
}

std::vector<Request> replace_table(const NftTable& table)
{
    const NftTableId id = table.id();
    std::vector<Request> requests;
    // The first makes the second succeed when there is none.
    requests.push_back(nft::add_table(id));
    requests.push_back(delete_table(id));
    requests.push_back(nft::add_table(id));
    std::uint32_t number = 0;
    for (const NftSet& set : table.sets) {
        requests.push_back(add_set(id, set, ++number));
        append_elements(requests, NFT_MSG_NEWSETELEM, id, set.name, set.ranges);
    }
    for (const NftMap& map : table.maps) {
        requests.push_back(add_set(id, map, ++number));
        append_elements(requests, NFT_MSG_NEWSETELEM, id, map.name, map.elements);
    }
    for (const NftChain& chain : table.chains) {
        requests.push_back(nft::add_chain(id, chain));
        for (const nft::Rule& rule : chain.rules)
            requests.push_back(nft::add_rule(id, chain.name, rule));
    }
    return requests;
}

std::vector<Request> change_set(NftTableId table, const NftSet& from, const NftSet& to)
{
    std::vector<IpRange> removed;
    std::vector<IpRange> added;
    std::ranges::set_difference(from.ranges, to.ranges, std::back_inserter(removed));
    std::ranges::set_difference(to.ranges, from.ranges, std::back_inserter(added));
    std::vector<Request> requests;
    append_elements(requests, NFT_MSG_DELSETELEM, table, to.name, removed);
    append_elements(requests, NFT_MSG_NEWSETELEM, table, to.name, added);
    return requests;
}

std::vector<Request> change_map(NftTableId table, const NftMap& from, const NftMap& to)
{
    std::vector<NftElement> before = from.elements;
    std::vector<NftElement> after = to.elements;
    std::ranges::sort(before);
    std::ranges::sort(after);
    std::vector<NftElement> removed;
    std::vector<NftElement> added;
    std::ranges::set_difference(before, after, std::back_inserter(removed));
    std::ranges::set_difference(after, before, std::back_inserter(added));
    std::vector<Request> requests;
    append_elements(requests, NFT_MSG_DELSETELEM, table, to.name, removed);
    append_elements(requests, NFT_MSG_NEWSETELEM, table, to.name, added);
    return requests;
}

Result<bool> remove_table(Socket& socket, NftTableId table)
{
    const std::array requests = {delete_table(table)};
    const auto removed = socket.execute_atomically(requests);
    if (removed)
        return true;
    if (removed.error().code == errc::no_such_file_or_directory ||
        removed.error().code == errc::operation_not_supported)
        return false;
    return removed.error();
}

} // namespace routelet::netlink
