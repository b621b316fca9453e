// A datagram of the kernel's, as the sockets read it: messages, and what their parsers make of each.
#include "netlink/address.h"
#include "netlink/attributes.h"
#include "netlink/conntrack.h"
#include "netlink/datagram.h"
#include "netlink/link.h"
#include "netlink/route.h"
#include "test/fuzz/target.h"

#include <linux/rtnetlink.h>

#include <vector>

namespace {

using namespace routelet;
using namespace routelet::netlink;
using fuzz::require;
using Bytes = std::span<const std::uint8_t>;

bool is_inside(Bytes part, Bytes whole)
{
    return part.empty() ||
           (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

// The same in memory of its own, which ends where the bytes end, so that a sanitizer sees every look beyond.
template <class Object>
Result<Object> parse_alone(Result<Object> (*parse)(Bytes), Bytes payload)
{
    const std::vector<std::uint8_t> alone(payload.begin(), payload.end());
    return parse(alone);
}

template <class Object>
std::optional<Object> check_parser(Result<Object> (*parse)(Bytes), Bytes payload)
{
    const Result<Object> object = parse(payload);
    const Result<Object> alone = parse_alone(parse, payload);
    require(object.has_value() == alone.has_value() && (!object || *object == *alone),
            "what a message says depends on nothing behind it");
    if (object)
        return *object;
    require(!object.error().text().empty(), "a failure says why");
    return std::nullopt;
}

void check_attributes(Bytes bytes)
{
    const auto attributes = Attributes::parse(bytes);
    if (!attributes)
        return;
    std::size_t length = 0;
    attributes->for_each([&](std::uint16_t type, Bytes content) {
        require(is_inside(content, bytes), "an attribute lies in its message");
        require(attributes->has(type), "what is gone through can be found");
        length += content.size() + sizeof(nlattr);
    });
    require(length <= bytes.size(), "attributes do not overlap");
    require(attributes->include(Attributes()), "every message includes nothing");
}

void check_message(Bytes payload)
{
    if (const auto link = check_parser(parse_link, payload))
        require(link->name.find('\0') == std::string::npos && link->alias.find('\0') == std::string::npos,
                "names end where they end");
    if (const auto route = check_parser(parse_route, payload)) {
        require(!route->gateway || route->gateway->family() == route->destination.family() ||
                    route->destination.family() == IpFamily::v4,
                "a gateway is of the route's family, or IPv6 for IPv4 (RTA_VIA)");
        require(IpPrefix::of(route->destination.network(), route->destination.length()) == route->destination,
                "a destination has no host bits");
    }
    if (const auto address = check_parser(parse_address, payload))
        require(address->length <= address->address.bits() && address->network().contains(address->address),
                "an address lies in its network");
    if (const auto connection = check_parser(parse_connection, payload))
        require(connection->original.source.family() == connection->original.destination.family() &&
                    connection->reply.source.family() == connection->reply.destination.family(),
                "both ends of a connection are of one family");
    for (const std::size_t header : {sizeof(rtmsg), sizeof(ifinfomsg), sizeof(ifaddrmsg)})
        check_attributes(after_header(payload, header));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const Bytes datagram(data, size);
    std::size_t length = 0;
    for_each_message(datagram, [&](const nlmsghdr& header, Bytes payload) {
        require(is_inside(payload, datagram), "a message lies in its datagram");
        require(header.nlmsg_len == payload.size() + sizeof(nlmsghdr), "a message is as long as it says");
        length += header.nlmsg_len;
        check_message(payload);
    });
    require(length <= size, "messages do not overlap");
    return 0;
}
