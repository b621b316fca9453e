#include "netlink/conntrack.h"

#include "base/file.h"
#include "netlink/attributes.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <sys/socket.h>

#include <charconv>
#include <string>
#include <vector>

namespace routelet::netlink {
namespace {

namespace errc = boost::system::errc;

// The bits of CTA_FILTER_ORIG_FLAGS, which no header tells
// (net/netfilter/nf_conntrack_netlink.c, CTA_FILTER_F_*).
constexpr std::uint32_t by_protocol = 1U << 3U;
constexpr std::uint32_t by_destination_port = 1U << 5U;

constexpr const char* what = "a connection";

Request conntrack_request(int type, int family)
{
    nfgenmsg header{};
    header.nfgen_family = static_cast<std::uint8_t>(family);
    header.version = NFNETLINK_V0;
    return {static_cast<std::uint16_t>(NFNL_SUBSYS_CTNETLINK << 8 | type), 0, header};
}

int number_of(IpFamily family)
{
    return family == IpFamily::v4 ? AF_INET : AF_INET6;
}

void put_protocol(Request& request, const ConnectionQuery& query)
{
    request.nest(CTA_TUPLE_PROTO, [&] {
        request.put_u8(CTA_PROTO_NUM, *query.protocol);
        if (!query.original_destination_port)
            return;
        const std::uint16_t port = *query.original_destination_port;
        const std::array<std::uint8_t, 2> in_network_order = {static_cast<std::uint8_t>(port >> 8U),
                                                              static_cast<std::uint8_t>(port)};
        request.put(CTA_PROTO_DST_PORT, std::span<const std::uint8_t>(in_network_order));
    });
}

Request dump_request(const ConnectionQuery& query)
{
    Request request =
        conntrack_request(IPCTNL_MSG_CT_GET, query.family ? number_of(*query.family) : AF_UNSPEC);
    if (query.protocol) {
        request.nest(CTA_TUPLE_ORIG, [&] { put_protocol(request, query); });
        request.nest(CTA_FILTER, [&] {
            request.put_u32(CTA_FILTER_ORIG_FLAGS,
                            by_protocol | (query.original_destination_port ? by_destination_port : 0));
            request.put_u32(CTA_FILTER_REPLY_FLAGS, 0);
        });
    }
    return std::move(request.about("listing tracked connections"));
}

bool read_port(const Attributes& protocol, std::uint16_t attribute, std::uint16_t& port)
{
    const auto bytes = protocol.find(attribute);
    if (!bytes)
        return true; // ICMP has none
    if (bytes->size() != sizeof port)
        return false;
    port = static_cast<std::uint16_t>((*bytes)[0] << 8U | (*bytes)[1]);
    return true;
}

Result<ConnectionTuple> parse_tuple(const Attributes& attributes)
{
    ConnectionTuple tuple;
    Attributes ip;
    Attributes protocol;
    std::optional<IpAddress> source;
    std::optional<IpAddress> destination;
    const bool is_read =
        attributes.read(CTA_TUPLE_IP, ip) && ip.read(CTA_IP_V4_SRC, AF_INET, source) &&
        ip.read(CTA_IP_V4_DST, AF_INET, destination) && ip.read(CTA_IP_V6_SRC, AF_INET6, source) &&
        ip.read(CTA_IP_V6_DST, AF_INET6, destination) && attributes.read(CTA_TUPLE_PROTO, protocol) &&
        protocol.read(CTA_PROTO_NUM, tuple.protocol) &&
        read_port(protocol, CTA_PROTO_SRC_PORT, tuple.source_port) &&
        read_port(protocol, CTA_PROTO_DST_PORT, tuple.destination_port);
    if (!is_read || !source || !destination || source->family() != destination->family())
        return malformed(std::string(what) + ": a tuple is not one");
    tuple.source = *source;
    tuple.destination = *destination;
    return tuple;
}

// As attributes, one behind the other.
std::vector<std::uint8_t> identity_of(const Attributes& connection)
{
    Request attributes = conntrack_request(IPCTNL_MSG_CT_DELETE, AF_UNSPEC);
    const std::size_t empty = attributes.bytes().size();
    for (const std::uint16_t attribute : {CTA_TUPLE_ORIG, CTA_ZONE, CTA_ID})
        if (const auto value = connection.find(attribute))
            attributes.put(attribute == CTA_TUPLE_ORIG ? CTA_TUPLE_ORIG | NLA_F_NESTED : attribute, *value);
    const auto bytes = attributes.bytes().subspan(empty);
    return {bytes.begin(), bytes.end()};
}

std::optional<Attributes> attributes_of(std::span<const std::uint8_t> payload)
{
    return Attributes::parse(after_header(payload, sizeof(nfgenmsg)));
}

// A kernel that has it as no module, and one that has not loaded it, answers so.
bool is_untracked(const Error& error)
{
    return error.code == errc::invalid_argument || error.code == errc::operation_not_supported ||
           error.code == errc::protocol_not_supported;
}

} // namespace

bool ConnectionQuery::matches(const Connection& connection) const noexcept
{
    const ConnectionTuple& original = connection.original;
    return (!family || original.source.family() == *family) &&
           (!protocol || original.protocol == *protocol) &&
           (!original_destination_port || original.destination_port == *original_destination_port);
}

Result<std::vector<Connection>> list_connections(Socket& socket, const ConnectionQuery& query,
                                                 const std::function<bool(const Connection&)>& is_wanted)
{
    std::vector<Connection> found;
    const auto listed = socket.dump(
        dump_request(query), [&] { found.clear(); },
        [&](const Message& message) {
            Result<Connection> connection = parse_connection(message.payload);
            if (connection && query.matches(*connection) && is_wanted(*connection))
                found.push_back(std::move(*connection));
        });
    if (!listed && is_untracked(listed.error()))
        return std::vector<Connection>{};
    if (!listed)
        return listed.error();
    return found;
}

Result<std::size_t> forget_connections(Socket& socket, const std::vector<Connection>& connections)
{
    std::vector<Request> requests;
    for (const Connection& connection : connections) {
        Request request =
            conntrack_request(IPCTNL_MSG_CT_DELETE, number_of(connection.original.source.family()));
        request.put_attributes(connection.identity);
        requests.push_back(std::move(request.about("forgetting a tracked connection")));
    }
    std::size_t forgotten = 0;
    for (const Result<>& result : socket.execute_all(requests)) {
        if (!result && result.error().code != errc::no_such_file_or_directory) // it ended by itself
            return result.error();
        forgotten += result ? 1 : 0;
    }
    return forgotten;
}

std::size_t count_connections()
{
    std::size_t count = 0;
    if (const Result<std::string> text = read_file("/proc/sys/net/netfilter/nf_conntrack_count"))
        (void)std::from_chars(text->data(), text->data() + text->size(), count); // else it stays 0
    return count;
}

Result<Connection> parse_connection(std::span<const std::uint8_t> payload)
{
    const auto attributes = attributes_of(payload);
    Attributes original;
    Attributes reply;
    if (!attributes || !attributes->read(CTA_TUPLE_ORIG, original) ||
        !attributes->read(CTA_TUPLE_REPLY, reply))
        return malformed(std::string(what) + ": its attributes are not whole");
    const Result<ConnectionTuple> there = parse_tuple(original);
    if (!there)
        return there.error();
    const Result<ConnectionTuple> back = parse_tuple(reply);
    if (!back)
        return back.error();
    return Connection{*there, *back, identity_of(*attributes)};
}

} // namespace routelet::netlink
