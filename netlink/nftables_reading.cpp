#include "netlink/attributes.h"
#include "netlink/nftables.h"
#include "netlink/nftables_messages.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <iterator>
#include <optional>

// What the kernel has of a table, and how that differs from what replace_table() writes.
namespace routelet::netlink {
namespace {

namespace errc = boost::system::errc;

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
Result<std::vector<DumpedObject>> list_objects(Socket& socket, const Request& request, NftTableId table)
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
            if (attributes && attributes->read(table_attribute, name) && name == table.name)
                objects.emplace_back(message.payload);
        });
    if (!dumped)
        return dumped.error();
    return objects;
}

std::optional<nft::Boundary> parse_element(std::span<const std::uint8_t> element)
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
    return nft::Boundary{*address, (ntohl(flags) & NFT_SET_ELEM_INTERVAL_END) != 0};
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
Result<std::vector<Element>> read_elements(Socket& socket, NftTableId table, const std::string& set,
                                           std::optional<Element> (*parse)(std::span<const std::uint8_t>),
                                           const Element& impossible)
{
    Request request = nft::request(table.family, NFT_MSG_GETSETELEM, 0);
    request.put(NFTA_SET_ELEM_LIST_TABLE, table.name);
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

Result<std::vector<nft::Boundary>> read_boundaries(Socket& socket, NftTableId table, const std::string& set)
{
    return read_elements(socket, table, set, parse_element, nft::Boundary{{}, true});
}

Result<std::string> difference_of_elements(Socket& socket, NftTableId table, const NftSet& wanted)
{
    const auto found = read_boundaries(socket, table, wanted.name);
    if (!found)
        return found.error();
    return compare_elements(wanted.name, *found, nft::boundaries_of(wanted.ranges)); // they ascend
}

Result<std::string> difference_of_elements(Socket& socket, NftTableId table, const NftMap& wanted)
{
    const auto found = list_elements(socket, table, wanted.name);
    if (!found)
        return found.error();
    std::vector<NftElement> elements = wanted.elements;
    for (NftElement& element : elements)
        element.comment.clear();
    std::ranges::sort(elements);
    return compare_elements(wanted.name, *found, elements);
}

template <class Set>
Result<std::string> difference_of_set(Socket& socket, NftTableId table,
                                      const std::vector<DumpedObject>& found, const Set& set)
{
    const Request as_written = nft::describe_set(table, set);
    if (std::ranges::none_of(found, [&](const auto& f) { return f.is_as_written_by(as_written); }))
        return "set " + set.name + " is missing or different";
    return difference_of_elements(socket, table, set);
}

Result<std::string> difference_of_sets(Socket& socket, const NftTable& wanted)
{
    Request request = nft::request(wanted.family, NFT_MSG_GETSET, 0);
    request.put(NFTA_SET_TABLE, wanted.name);
    request.about("listing nftables sets");
    const auto found = list_objects(socket, request, wanted.id());
    if (!found)
        return found.error();
    if (found->size() > wanted.sets.size() + wanted.maps.size())
        return std::string("it has a foreign set");
    for (const NftSet& set : wanted.sets) {
        auto difference = difference_of_set(socket, wanted.id(), *found, set);
        if (!difference || !difference->empty())
            return difference;
    }
    for (const NftMap& map : wanted.maps) {
        auto difference = difference_of_set(socket, wanted.id(), *found, map);
        if (!difference || !difference->empty())
            return difference;
    }
    return std::string{};
}

Result<std::string> difference_of_rules(Socket& socket, NftTableId table, const NftChain& wanted)
{
    Request request = nft::request(table.family, NFT_MSG_GETRULE, 0);
    request.put(NFTA_RULE_TABLE, table.name);
    request.put(NFTA_RULE_CHAIN, wanted.name);
    request.about("listing rules of nftables chain " + wanted.name);
    const auto found = list_objects(socket, request, table);
    if (!found)
        return found.error();
    const std::string of_chain = " of chain " + wanted.name;
    for (std::size_t i = 0; i < std::min(found->size(), wanted.rules.size()); ++i)
        if (!(*found)[i].is_as_written_by(nft::add_rule(table, wanted.name, wanted.rules[i])))
            return "rule " + std::to_string(i + 1) + of_chain + " is different";
    if (found->size() < wanted.rules.size())
        return "rule " + std::to_string(found->size() + 1) + of_chain + " is missing";
    if (found->size() > wanted.rules.size())
        return "rule " + std::to_string(wanted.rules.size() + 1) + of_chain + " is foreign";
    return std::string{};
}

Result<std::string> difference_of_chains(Socket& socket, const NftTable& wanted)
{
    const auto found = list_objects(
        socket, nft::request(wanted.family, NFT_MSG_GETCHAIN, 0).about("listing nftables chains"),
        wanted.id());
    if (!found)
        return found.error();
    if (found->size() > wanted.chains.size())
        return std::string("it has a foreign chain");
    for (const NftChain& chain : wanted.chains) {
        const Request as_written = nft::add_chain(wanted.id(), chain);
        if (std::ranges::none_of(*found, [&](const auto& f) { return f.is_as_written_by(as_written); }))
            return "chain " + chain.name + " is missing or different";
        auto difference = difference_of_rules(socket, wanted.id(), chain);
        if (!difference || !difference->empty())
            return difference;
    }
    return std::string{};
}

bool is_absent(const Error& error)
{
    return error.code == errc::no_such_file_or_directory;
}

Result<> look_up_table(Socket& socket, NftTableId table, const std::function<void(const Message&)>& take)
{
    Request request = nft::table_request(NFT_MSG_GETTABLE, 0, table);
    request.about("looking up nftables table " + table.to_string());
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

Result<std::uint32_t> rules_generation(Socket& socket)
{
    Request request = nft::request(NftFamily::inet, NFT_MSG_GETGEN, 0);
    request.about("asking for the number of nftables' rules");
    std::uint32_t number = 0; // in network order
    const auto found = socket.get(request, [&](const Message& message) {
        if (const auto attributes = attributes_behind_header(message.payload))
            (void)attributes->read(NFTA_GEN_ID, number); // none: 0, which never is one
    });
    if (!found)
        return found.error();
    return ntohl(number);
}

Result<std::vector<NftElement>> list_elements(Socket& socket, NftTableId table, const std::string& map)
{
    return read_elements(socket, table, map, parse_map_element, NftElement{});
}

Result<bool> has_address(Socket& socket, NftTableId table, const std::string& set, const IpAddress& address)
{
    const auto boundaries = read_boundaries(socket, table, set);
    if (!boundaries)
        return boundaries.error();
    const auto behind = std::ranges::upper_bound(*boundaries, nft::Boundary{address, true});
    return behind != boundaries->begin() && !std::prev(behind)->is_end;
}

Result<bool> has_table(Socket& socket, NftTableId table)
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
    const auto found = look_up_table(socket, wanted.id(), [&](const Message& message) {
        is_as_written = DumpedObject(message.payload).is_as_written_by(nft::add_table(wanted.id()));
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

} // namespace routelet::netlink
