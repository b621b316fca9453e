#include "netlink/nftables.h"

#include "netlink/attributes.h"

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

// An element of a set of intervals is a boundary: an interval is the element that it begins with and the one
// behind its last, which is marked. An interval that reaches the top of the address space has no end.
struct Boundary {
    IpAddress key;
    bool is_end = false;

    friend auto operator<=>(const Boundary&, const Boundary&) = default;
};

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

Request nft_request(int type, unsigned flags)
{
    nfgenmsg header{};
    header.nfgen_family = NFPROTO_INET;
    header.version = NFNETLINK_V0;
    return {message_type(type), static_cast<std::uint16_t>(flags), header};
}

Request table_request(int type, unsigned flags, std::string_view table)
{
    Request request = nft_request(type, flags);
    request.put(NFTA_TABLE_NAME, table);
    return request;
}

Request add_table(std::string_view table)
{
    Request request = table_request(NFT_MSG_NEWTABLE, NLM_F_CREATE, table);
    request.put_be32(NFTA_TABLE_FLAGS, 0); // notably not dormant
    return std::move(request.about("adding nftables table inet " + std::string(table)));
}

Request delete_table(std::string_view table)
{
    Request request = table_request(NFT_MSG_DELTABLE, 0, table);
    return std::move(request.about("removing nftables table inet " + std::string(table)));
}

// As the kernel shows it, too.
Request describe_set(std::string_view table, const NftSet& set)
{
    constexpr std::uint32_t ipv4_addr = 7; // nft(8)'s numbers for types: the kernel only stores them
    constexpr std::uint32_t ipv6_addr = 8;
    const bool is_v4 = set.family == IpFamily::v4;
    Request request = nft_request(NFT_MSG_NEWSET, NLM_F_CREATE);
    request.put(NFTA_SET_TABLE, table);
    request.put(NFTA_SET_NAME, set.name);
    request.put_be32(NFTA_SET_FLAGS, NFT_SET_INTERVAL);
    request.put_be32(NFTA_SET_KEY_TYPE, is_v4 ? ipv4_addr : ipv6_addr);
    request.put_be32(NFTA_SET_KEY_LEN, is_v4 ? 4 : 16);
    request.put(NFTA_SET_USERDATA, std::span<const std::uint8_t>(keys_in_network_order));
    return std::move(request.about("adding nftables set " + set.name));
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

Request describe_set(std::string_view table, const NftMap& map)
{
    Request request = nft_request(NFT_MSG_NEWSET, NLM_F_CREATE);
    request.put(NFTA_SET_TABLE, table);
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

// `id` tells the sets of one transaction apart.
template <class Set>
Request add_set(std::string_view table, const Set& set, std::uint32_t id)
{
    Request request = describe_set(table, set);
    request.put_be32(NFTA_SET_ID, id);
    return request;
}

void append_boundaries(std::vector<Boundary>& boundaries, const IpRange& range)
{
    const IpAddress behind = range.last.plus(1);
    boundaries.push_back({range.first, false});
    if (behind > range.last)
        boundaries.push_back({behind, true});
}

std::vector<Boundary> boundaries_of(std::span<const IpRange> ranges)
{
    std::vector<Boundary> boundaries;
    for (const IpRange& range : ranges)
        append_boundaries(boundaries, range);
    return boundaries;
}

void put_value(Request& request, std::uint16_t attribute, std::span<const std::uint8_t> value)
{
    request.nest(attribute, [&] { request.put(NFTA_DATA_VALUE, value); });
}

void put_element(Request& request, const Boundary& boundary)
{
    request.nest(NFTA_LIST_ELEM, [&] {
        if (boundary.is_end)
            request.put_be32(NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
        put_value(request, NFTA_SET_ELEM_KEY, boundary.key.bytes());
    });
}

void append_elements(std::vector<Request>& requests, int type, std::string_view table, const std::string& set,
                     std::span<const IpRange> ranges)
{
    const bool is_new = type == NFT_MSG_NEWSETELEM;
    while (!ranges.empty()) {
        const auto some = ranges.first(std::min(ranges.size(), ranges_per_request));
        ranges = ranges.subspan(some.size());
        Request request = nft_request(type, is_new ? NLM_F_CREATE : 0);
        request.put(NFTA_SET_ELEM_LIST_TABLE, table);
        request.put(NFTA_SET_ELEM_LIST_SET, set);
        request.nest(NFTA_SET_ELEM_LIST_ELEMENTS, [&] {
            for (const Boundary& boundary : boundaries_of(some))
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

void append_elements(std::vector<Request>& requests, int type, std::string_view table, const std::string& map,
                     const std::vector<NftElement>& elements)
{
    const bool is_new = type == NFT_MSG_NEWSETELEM;
    for (std::span<const NftElement> left = elements; !left.empty();) {
        const auto some = left.first(std::min(left.size(), elements_per_request));
        left = left.subspan(some.size());
        Request request = nft_request(type, is_new ? NLM_F_CREATE | NLM_F_EXCL : 0);
        request.put(NFTA_SET_ELEM_LIST_TABLE, table);
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

Request add_chain(std::string_view table, const NftChain& chain)
{
    Request request = nft_request(NFT_MSG_NEWCHAIN, NLM_F_CREATE);
    request.put(NFTA_CHAIN_TABLE, table);
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
    void operator()(const nft::Drop&) const { put_verdict(NF_DROP); }
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

Request add_rule(std::string_view table, const std::string& chain, const nft::Rule& rule)
{
    Request request = nft_request(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
    request.put(NFTA_RULE_TABLE, table);
    request.put(NFTA_RULE_CHAIN, chain);
    request.nest(NFTA_RULE_EXPRESSIONS, [&] {
        for (const nft::Expression& expression : rule)
            std::visit(PutExpression{request}, expression);
    });
    return std::move(request.about("adding a rule to nftables chain " + chain));
}

std::optional<Attributes> attributes_behind_header(std::span<const std::uint8_t> payload)
{
    return Attributes::parse(after_header(payload, sizeof(nfgenmsg)));
}

// One object of a dump, its bytes kept.
class DumpedObject {
public:
    explicit DumpedObject(std::span<const std::uint8_t> payload) : payload_(payload.begin(), payload.end()) {}

    Attributes attributes() const { return attributes_behind_header(payload_).value_or(Attributes{}); }
    bool is_as_written_by(const Request& request) const
    {
        return attributes().include(*attributes_behind_header(request.bytes().subspan(sizeof(nlmsghdr))));
    }

private:
    std::vector<std::uint8_t> payload_;
};

// The objects of a dump that belong to the table. The attribute that names it is the first of each kind of
// object, and older kernels leave the choice to us.
Result<std::vector<DumpedObject>> list_objects(Socket& socket, const Request& request, std::string_view table)
{
    constexpr std::uint16_t table_attribute = 1;
    static_assert(table_attribute == NFTA_CHAIN_TABLE && table_attribute == NFTA_RULE_TABLE &&
                  table_attribute == NFTA_SET_TABLE);
    std::vector<DumpedObject> objects;
    const auto dumped = socket.dump(
        request, [&] { objects.clear(); },
        [&](const Message& message) {
            std::string name;
            const auto attributes = attributes_behind_header(message.payload);
            if (attributes && attributes->read(table_attribute, name) && name == table)
                objects.emplace_back(message.payload);
        });
    if (!dumped)
        return dumped.error();
    return objects;
}

std::optional<Boundary> parse_element(std::span<const std::uint8_t> element)
{
    const auto attributes = Attributes::parse(element);
    Attributes key;
    if (!attributes || !attributes->read(NFTA_SET_ELEM_KEY, key))
        return std::nullopt;
    const auto value = key.find(NFTA_DATA_VALUE);
    const auto address = value ? IpAddress::from_bytes(*value) : make_error(errc::bad_message, "");
    std::uint32_t flags = 0; // in network order
    if (!address || !attributes->read(NFTA_SET_ELEM_FLAGS, flags))
        return std::nullopt;
    return Boundary{*address, (ntohl(flags) & NFT_SET_ELEM_INTERVAL_END) != 0};
}

// Its comment does not count.
std::optional<NftElement> parse_map_element(std::span<const std::uint8_t> element)
{
    const auto attributes = Attributes::parse(element);
    NftElement found;
    const auto read = [&](std::uint16_t attribute, std::vector<std::uint8_t>& into) {
        Attributes data;
        const auto value = attributes->has(attribute) && attributes->read(attribute, data)
                               ? data.find(NFTA_DATA_VALUE)
                               : std::nullopt;
        if (value)
            into.assign(value->begin(), value->end());
        return value.has_value();
    };
    if (!attributes || !read(NFTA_SET_ELEM_KEY, found.key))
        return std::nullopt;
    (void)read(NFTA_SET_ELEM_DATA, found.value); // a set has none
    return found;
}

// Sorted. What `parse` does not take, no element of ours could be: it becomes one that is never wanted.
template <class Element>
Result<std::vector<Element>> list_elements(Socket& socket, std::string_view table, const std::string& set,
                                           std::optional<Element> (*parse)(std::span<const std::uint8_t>),
                                           const Element& impossible)
{
    Request request = nft_request(NFT_MSG_GETSETELEM, 0);
    request.put(NFTA_SET_ELEM_LIST_TABLE, table);
    request.put(NFTA_SET_ELEM_LIST_SET, set);
    request.about("listing nftables set " + set);

    std::vector<Element> found;
    const auto dumped = socket.dump(
        request, [&] { found.clear(); },
        [&](const Message& message) {
            Attributes elements;
            if (const auto attributes = attributes_behind_header(message.payload))
                (void)attributes->read(NFTA_SET_ELEM_LIST_ELEMENTS, elements); // else: none
            elements.for_each([&](std::uint16_t, std::span<const std::uint8_t> element) {
                found.push_back(parse(element).value_or(impossible));
            });
        });
    if (!dumped)
        return dumped.error();
    std::ranges::sort(found);
    return found;
}

template <class Object>
std::size_t count_missing(const std::vector<Object>& from, const std::vector<Object>& in)
{
    std::vector<Object> missing;
    std::ranges::set_difference(in, from, std::back_inserter(missing));
    return missing.size();
}

template <class Element>
std::string compare_elements(const std::string& set, const std::vector<Element>& found,
                             const std::vector<Element>& wanted)
{
    if (found == wanted)
        return {};
    return "set " + set + ": " + std::to_string(count_missing(found, wanted)) + " elements are missing, " +
           std::to_string(count_missing(wanted, found)) + " are foreign";
}

Result<std::string> difference_of_elements(Socket& socket, std::string_view table, const NftSet& wanted)
{
    const auto found = list_elements(socket, table, wanted.name, parse_element, Boundary{{}, true});
    if (!found)
        return found.error();
    return compare_elements(wanted.name, *found, boundaries_of(wanted.ranges)); // they ascend
}

Result<std::string> difference_of_elements(Socket& socket, std::string_view table, const NftMap& wanted)
{
    const auto found = list_elements(socket, table, wanted.name, parse_map_element, NftElement{});
    if (!found)
        return found.error();
    std::vector<NftElement> elements = wanted.elements;
    for (NftElement& element : elements)
        element.comment.clear();
    std::ranges::sort(elements);
    return compare_elements(wanted.name, *found, elements);
}

template <class Set>
Result<std::string> difference_of_set(Socket& socket, std::string_view table,
                                      const std::vector<DumpedObject>& found, const Set& set)
{
    const Request as_written = describe_set(table, set);
    if (std::ranges::none_of(found, [&](const auto& f) { return f.is_as_written_by(as_written); }))
        return "set " + set.name + " is missing or different";
    return difference_of_elements(socket, table, set);
}

Result<std::string> difference_of_sets(Socket& socket, const NftTable& wanted)
{
    Request request = nft_request(NFT_MSG_GETSET, 0);
    request.put(NFTA_SET_TABLE, wanted.name);
    request.about("listing nftables sets");
    const auto found = list_objects(socket, request, wanted.name);
    if (!found)
        return found.error();
    if (found->size() > wanted.sets.size() + wanted.maps.size())
        return std::string("it has a foreign set");
    for (const NftSet& set : wanted.sets) {
        auto difference = difference_of_set(socket, wanted.name, *found, set);
        if (!difference || !difference->empty())
            return difference;
    }
    for (const NftMap& map : wanted.maps) {
        auto difference = difference_of_set(socket, wanted.name, *found, map);
        if (!difference || !difference->empty())
            return difference;
    }
    return std::string{};
}

Result<std::string> difference_of_rules(Socket& socket, std::string_view table, const NftChain& wanted)
{
    Request request = nft_request(NFT_MSG_GETRULE, 0);
    request.put(NFTA_RULE_TABLE, table);
    request.put(NFTA_RULE_CHAIN, wanted.name);
    request.about("listing rules of nftables chain " + wanted.name);
    const auto found = list_objects(socket, request, table);
    if (!found)
        return found.error();
    const std::string of_chain = " of chain " + wanted.name;
    for (std::size_t i = 0; i < std::min(found->size(), wanted.rules.size()); ++i)
        if (!(*found)[i].is_as_written_by(add_rule(table, wanted.name, wanted.rules[i])))
            return "rule " + std::to_string(i + 1) + of_chain + " is different";
    if (found->size() < wanted.rules.size())
        return "rule " + std::to_string(found->size() + 1) + of_chain + " is missing";
    if (found->size() > wanted.rules.size())
        return "rule " + std::to_string(wanted.rules.size() + 1) + of_chain + " is foreign";
    return std::string{};
}

Result<std::string> difference_of_chains(Socket& socket, const NftTable& wanted)
{
    const auto found =
        list_objects(socket, nft_request(NFT_MSG_GETCHAIN, 0).about("listing nftables chains"), wanted.name);
    if (!found)
        return found.error();
    if (found->size() > wanted.chains.size())
        return std::string("it has a foreign chain");
    for (const NftChain& chain : wanted.chains) {
        const Request as_written = add_chain(wanted.name, chain);
        if (std::ranges::none_of(*found, [&](const auto& f) { return f.is_as_written_by(as_written); }))
            return "chain " + chain.name + " is missing or different";
        auto difference = difference_of_rules(socket, wanted.name, chain);
        if (!difference || !difference->empty())
            return difference;
    }
    return std::string{};
}

bool is_absent(const Error& error)
{
    return error.code == errc::no_such_file_or_directory;
}

Result<> look_up_table(Socket& socket, std::string_view table,
                       const std::function<void(const Message&)>& take)
{
    Request request = table_request(NFT_MSG_GETTABLE, 0, table);
    request.about("looking up nftables table inet " + std::string(table));
    const auto found = socket.get(request, take);
    if (!found && found.error().code == errc::invalid_argument) // so nfnetlink says it of a subsystem
        return make_error(errc::operation_not_supported, request.what());
    return found;
}

Result<std::string> difference_of_contents(Socket& socket, const NftTable& wanted)
{
    auto difference = difference_of_chains(socket, wanted);
    if (!difference || !difference->empty())
        return difference;
    return difference_of_sets(socket, wanted);
}

} // namespace

std::vector<std::uint8_t> nft::number(std::uint32_t value)
{
    std::vector<std::uint8_t> bytes(sizeof value);
    std::memcpy(bytes.data(), &value, sizeof value);
    return bytes;
}

std::vector<Request> replace_table(const NftTable& table)
{
    std::vector<Request> requests;
    // The first makes the second succeed when there is none.
    requests.push_back(add_table(table.name));
    requests.push_back(delete_table(table.name));
    requests.push_back(add_table(table.name));
    std::uint32_t id = 0;
    for (const NftSet& set : table.sets) {
        requests.push_back(add_set(table.name, set, ++id));
        append_elements(requests, NFT_MSG_NEWSETELEM, table.name, set.name, set.ranges);
    }
    for (const NftMap& map : table.maps) {
        requests.push_back(add_set(table.name, map, ++id));
        append_elements(requests, NFT_MSG_NEWSETELEM, table.name, map.name, map.elements);
    }
    for (const NftChain& chain : table.chains) {
        requests.push_back(add_chain(table.name, chain));
        for (const nft::Rule& rule : chain.rules)
            requests.push_back(add_rule(table.name, chain.name, rule));
    }
    return requests;
}

std::vector<Request> change_set(std::string_view table, const NftSet& from, const NftSet& to)
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

std::vector<Request> change_map(std::string_view table, const NftMap& from, const NftMap& to)
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

Result<bool> has_table(Socket& socket, std::string_view table)
{
    const auto found = look_up_table(socket, table, [](const Message&) {});
    if (!found && is_absent(found.error()))
        return false;
    return found ? Result<bool>(true) : found.error();
}

Result<std::string> difference_of_table(Socket& socket, const NftTable& wanted)
{
    constexpr const char* gone = "the table is missing";
    bool is_as_written = false;
    const auto found = look_up_table(socket, wanted.name, [&](const Message& message) {
        is_as_written = DumpedObject(message.payload).is_as_written_by(add_table(wanted.name));
    });
    if (!found && is_absent(found.error()))
        return std::string(gone);
    if (!found)
        return found.error();
    if (!is_as_written)
        return std::string("the table is dormant or has foreign flags");

    auto difference = difference_of_contents(socket, wanted);
    if (!difference && is_absent(difference.error())) // it went while it was read
        return std::string(gone);
    return difference;
}

Result<bool> remove_table(Socket& socket, std::string_view table)
{
    const std::array requests = {delete_table(table)};
    const auto removed = socket.execute_atomically(requests);
    if (removed)
        return true;
    if (is_absent(removed.error()) || removed.error().code == errc::operation_not_supported)
        return false;
    return removed.error();
}

} // namespace routelet::netlink
