#include "netlink/route.h"

#include "netlink/attributes.h"
#include "netlink/collect.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <utility>

namespace routelet::netlink {
namespace {

// linux/rtnetlink.h and iproute2's rt_protos.
constexpr std::array<std::pair<std::uint8_t, std::string_view>, 24> protocol_names = {{
    {RTPROT_UNSPEC, "unspec"},
    {RTPROT_REDIRECT, "redirect"},
    {RTPROT_KERNEL, "kernel"},
    {RTPROT_BOOT, "boot"},
    {RTPROT_STATIC, "static"},
    {RTPROT_GATED, "gated"},
    {RTPROT_RA, "ra"},
    {RTPROT_MRT, "mrt"},
    {RTPROT_ZEBRA, "zebra"},
    {RTPROT_BIRD, "bird"},
    {RTPROT_DNROUTED, "dnrouted"},
    {RTPROT_XORP, "xorp"},
    {RTPROT_NTK, "ntk"},
    {RTPROT_DHCP, "dhcp"},
    {RTPROT_MROUTED, "mrouted"},
    {RTPROT_KEEPALIVED, "keepalived"},
    {RTPROT_BABEL, "babel"},
    {RTPROT_OPENR, "openr"},
    {RTPROT_BGP, "bgp"},
    {RTPROT_ISIS, "isis"},
    {RTPROT_OSPF, "ospf"},
    {RTPROT_RIP, "rip"},
    {RTPROT_EIGRP, "eigrp"},
    {84, "ovn"},
}};

constexpr std::array<std::string_view, 12> type_names = {"unspec",   "unicast",   "local",     "broadcast",
                                                         "anycast",  "multicast", "blackhole", "unreachable",
                                                         "prohibit", "throw",     "nat",       "xresolve"};

// Unreachable, blackhole, prohibit: the packet ends here, whatever interface the kernel files it under.
bool ends_here(std::uint8_t type) noexcept
{
    return type == RTN_BLACKHOLE || type == RTN_UNREACHABLE || type == RTN_PROHIBIT || type == RTN_THROW;
}

// RTA_VIA: the gateway of an IPv4 route that is an IPv6 address (struct rtvia).
bool read_via(const Attributes& attributes, std::optional<IpAddress>& gateway)
{
    const auto via = attributes.find(RTA_VIA);
    if (!via)
        return true;
    const auto family = read_header<__kernel_sa_family_t>(*via);
    if (!family)
        return false;
    const auto address = IpAddress::from_bytes(via->subspan(sizeof *family));
    if (!address || address->af() != *family)
        return false;
    gateway = *address;
    return true;
}

bool read_next_hop(const Attributes& attributes, int af, Route& route)
{
    return attributes.read(RTA_OIF, route.oif) && attributes.read(RTA_GATEWAY, af, route.gateway) &&
           read_via(attributes, route.gateway);
}

// The first of RTA_MULTIPATH's next hops (struct rtnexthop), each with attributes of its own.
bool read_first_of_many(std::span<const std::uint8_t> hops, int af, Route& route)
{
    const auto hop = read_header<rtnexthop>(hops);
    if (!hop || hop->rtnh_len < sizeof *hop || hop->rtnh_len > hops.size())
        return false;
    const auto attributes = Attributes::parse(after_header(hops.first(hop->rtnh_len), sizeof *hop));
    if (!attributes)
        return false;
    route.oif = IfIndex{hop->rtnh_ifindex};
    route.flags |= hop->rtnh_flags;
    return read_next_hop(*attributes, af, route);
}

std::optional<IpPrefix> destination_of(const rtmsg& header, const Attributes& attributes)
{
    const bool v4 = header.rtm_family == AF_INET;
    std::optional<IpAddress> address;
    if (!attributes.read(RTA_DST, header.rtm_family, address) || header.rtm_dst_len > (v4 ? 32 : 128))
        return std::nullopt;
    if (!address && header.rtm_dst_len != 0)
        return std::nullopt;
    const std::array<std::uint8_t, 16> zeros{};
    return IpPrefix::of(address.value_or(*IpAddress::from_bytes(std::span(zeros).first(v4 ? 4 : 16))),
                        header.rtm_dst_len);
}

Request route_request(std::uint16_t type, std::uint16_t flags, const Route& route, std::uint8_t scope)
{
    const rtmsg header{.rtm_family = static_cast<std::uint8_t>(route.destination.network().af()),
                       .rtm_dst_len = static_cast<std::uint8_t>(route.destination.length()),
                       .rtm_src_len = 0,
                       .rtm_tos = 0,
                       .rtm_table =
                           static_cast<std::uint8_t>(route.table < 256 ? route.table : RT_TABLE_UNSPEC),
                       .rtm_protocol = to_int(route.protocol),
                       .rtm_scope = scope,
                       .rtm_type = route.type,
                       .rtm_flags = 0};
    Request request(type, flags, header);
    request.put(RTA_DST, route.destination.network());
    request.put_u32(RTA_TABLE, route.table);
    if (route.metric != 0)
        request.put_u32(RTA_PRIORITY, route.metric);
    return request;
}

void put_gateway(Request& request, const Route& route, const IpAddress& gateway)
{
    if (gateway.family() == route.destination.family()) {
        request.put(RTA_GATEWAY, gateway);
        return;
    }
    const auto family = static_cast<__kernel_sa_family_t>(gateway.af());
    const auto* const family_bytes = reinterpret_cast<const std::uint8_t*>(&family);
    std::vector<std::uint8_t> via(family_bytes, family_bytes + sizeof family);
    via.insert(via.end(), gateway.bytes().begin(), gateway.bytes().end());
    request.put(RTA_VIA, via);
}

void put_next_hop(Request& request, const Route& route)
{
    if (route.gateway)
        put_gateway(request, route, *route.gateway);
    if (route.oif != IfIndex{})
        request.put(RTA_OIF, route.oif);
}

// IPv6 deletes by gateway and interface, and takes a missing one for any: neither scope nor type say that
// there is none. An on-link route's gateway is "::" to it, and what ends here is filed under lo. Of several
// next hops the interface tells them from what ends here; without a gateway all of them go.
void put_what_ipv6_tells_apart(Request& request, const Route& route)
{
    if (ends_here(route.type) && route.oif == IfIndex{})
        request.put(RTA_OIF, loopback);
    else if (route.is_multipath)
        request.put(RTA_OIF, route.oif);
    else if (!route.gateway)
        request.put(RTA_GATEWAY, IpAddress::from_bytes(std::array<std::uint8_t, 16>{}).value());
}

Request new_route(std::uint16_t flags, const Route& route)
{
    // Without a gateway the destination is on the link itself; IPv4 would look for a gateway otherwise.
    const bool connected = route.type == RTN_UNICAST && !route.gateway;
    const std::uint8_t scope = connected ? std::uint8_t{RT_SCOPE_LINK} : route.scope;
    Request request = route_request(RTM_NEWROUTE, flags, route, scope);
    put_next_hop(request, route);
    return request;
}

// As parse_route, but with the answers of the kernel's own look-ups too.
Result<Route> parse_any_route(std::span<const std::uint8_t> payload)
{
    const auto header = read_header<rtmsg>(payload);
    if (!header || (header->rtm_family != AF_INET && header->rtm_family != AF_INET6))
        return malformed("a route message of neither family");
    const auto attributes = Attributes::parse(after_header(payload, sizeof *header));
    if (!attributes)
        return malformed("a route message with a broken attribute");
    const auto destination = destination_of(*header, *attributes);
    if (!destination)
        return malformed("a route message with a broken destination");

    Route route;
    route.destination = *destination;
    route.table = header->rtm_table;
    route.protocol = RouteProtocol{header->rtm_protocol};
    route.type = header->rtm_type;
    route.scope = header->rtm_scope;
    route.flags = header->rtm_flags;
    const auto hops = attributes->find(RTA_MULTIPATH);
    const bool well_formed = attributes->read(RTA_TABLE, route.table) &&
                             attributes->read(RTA_PRIORITY, route.metric) &&
                             read_next_hop(*attributes, header->rtm_family, route) &&
                             (!hops || read_first_of_many(*hops, header->rtm_family, route));
    if (!well_formed)
        return malformed("a route message with an attribute of a wrong size");
    route.is_multipath = hops || attributes->has(RTA_NH_ID);
    if (ends_here(route.type))
        route.oif = IfIndex{}; // IPv6 says lo
    return route;
}

Request routes_of(std::uint32_t table, int af)
{
    rtmsg header{};
    header.rtm_family = static_cast<std::uint8_t>(af);
    Request request(RTM_GETROUTE, 0, header);
    request.put_u32(RTA_TABLE, table);
    return std::move(request.about("listing routes of table " + std::to_string(table)));
}

} // namespace

std::string to_string(RouteProtocol protocol)
{
    const auto* const known = std::ranges::find(protocol_names, to_int(protocol),
                                                &std::pair<std::uint8_t, std::string_view>::first);
    return known == protocol_names.end() ? std::to_string(to_int(protocol)) : std::string(known->second);
}

std::ostream& operator<<(std::ostream& out, const Route& route)
{
    if (route.type != RTN_UNICAST && route.type < type_names.size())
        out << type_names[route.type] << ' ';
    if (route.destination.length() == 0)
        out << "default";
    else
        out << route.destination;
    if (route.is_multipath)
        out << " nexthop";
    if (route.gateway)
        out << " via " << (route.gateway->family() == route.destination.family() ? "" : "inet6 ")
            << *route.gateway;
    if (route.table != RT_TABLE_MAIN)
        out << " table " << route.table;
    out << " proto " << to_string(route.protocol);
    if (route.metric != 0)
        out << " metric " << route.metric;
    return out;
}

Result<Route> parse_route(std::span<const std::uint8_t> payload)
{
    const auto header = read_header<rtmsg>(payload);
    if (header && (header->rtm_flags & RTM_F_CLONED) != 0)
        return make_error(boost::system::errc::not_supported, "a cached route");
    return parse_any_route(payload);
}

Result<std::vector<Route>> list_routes(Socket& socket, std::uint32_t table)
{
    std::vector<Route> routes;
    for (const int af : {AF_INET, AF_INET6}) {
        auto found = collect(socket, routes_of(table, af), parse_route);
        if (!found && found.error().code == boost::system::errc::no_such_file_or_directory)
            continue; // a table that never had a route does not exist
        if (!found)
            return found.error();
        // A kernel that lacks a family answers with the other's, one before 4.20 with every table's.
        std::ranges::copy_if(*found, std::back_inserter(routes), [&](const Route& route) {
            return route.table == table && route.destination.network().af() == af;
        });
    }
    return routes;
}

Request create_route(const Route& route)
{
    Request request = new_route(NLM_F_CREATE | NLM_F_EXCL, route);
    return std::move(request.about("adding route ", route.destination));
}

Request replace_route(const Route& route)
{
    Request request = new_route(NLM_F_CREATE | NLM_F_REPLACE, route);
    return std::move(request.about("replacing route ", route.destination));
}

Request delete_route(const Route& route)
{
    // RT_SCOPE_NOWHERE: whatever scope it has.
    const bool on_link = route.type == RTN_UNICAST && !route.gateway && !route.is_multipath;
    const std::uint8_t scope = on_link ? RT_SCOPE_LINK : RT_SCOPE_NOWHERE;
    Request request = route_request(RTM_DELROUTE, 0, route, scope);
    if (!route.is_multipath)
        put_next_hop(request, route);
    if (route.destination.family() == IpFamily::v6)
        put_what_ipv6_tells_apart(request, route);
    return std::move(request.about("removing route ", route.destination));
}

Result<Route> route_to(Socket& socket, const IpAddress& address)
{
    rtmsg header{};
    header.rtm_family = static_cast<std::uint8_t>(address.af());
    header.rtm_dst_len = static_cast<std::uint8_t>(address.bits());
    header.rtm_flags = RTM_F_FIB_MATCH;
    Request request(RTM_GETROUTE, 0, header);
    request.put(RTA_DST, address);
    request.about("looking up the route to " + address.to_string());

    Result<Route> found =
        make_error(boost::system::errc::no_message, request.what() + ": no route in the answer");
    const auto answered =
        socket.get(request, [&](const Message& message) { found = parse_any_route(message.payload); });
    if (!answered)
        return answered.error();
    return found;
}

} // namespace routelet::netlink
