#include "test/kernel/network_by_hand.h"

#include "test/support/catch.h"

#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>

namespace routelet::test {
namespace {

using netlink::IfIndex;
using netlink::InterfaceAddress;
using netlink::MacAddress;
using netlink::Request;
using netlink::Route;

ifinfomsg link_header(IfIndex index, unsigned flags = 0, unsigned change = 0)
{
    return {.ifi_family = AF_UNSPEC,
            .__ifi_pad = 0,
            .ifi_type = 0,
            .ifi_index = netlink::to_int(index),
            .ifi_flags = flags,
            .ifi_change = change};
}

InterfaceAddress parse_address(IfIndex link, const std::string& text)
{
    const auto slash = text.find('/');
    return {.link = link,
            .address = IpAddress::parse(text.substr(0, slash)).value(),
            .length = static_cast<unsigned>(std::stoul(text.substr(slash + 1)))};
}

// Not netlink::create_route and its sisters: other programs write what those would not.
Request route_request(std::uint16_t type, std::uint16_t flags, const Route& route)
{
    const bool on_link = route.type == RTN_UNICAST && !route.gateway;
    rtmsg header{};
    header.rtm_family = static_cast<std::uint8_t>(route.destination.network().af());
    header.rtm_dst_len = static_cast<std::uint8_t>(route.destination.length());
    header.rtm_table = RT_TABLE_MAIN;
    header.rtm_protocol = to_int(route.protocol);
    header.rtm_scope = on_link ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
    if (type == RTM_DELROUTE)
        header.rtm_scope = RT_SCOPE_NOWHERE;
    header.rtm_type = route.type;
    Request request(type, flags, header);
    request.put(RTA_DST, route.destination.network());
    request.put_u32(RTA_PRIORITY, route.metric);
    return request;
}

} // namespace

NetworkByHand::NetworkByHand()
    : socket_(need(netlink::Socket::open())), here_(need(netlink::NetNamespace::current()))
{
}

bool NetworkByHand::tried(const Request& request)
{
    return socket_.execute(request).has_value();
}

void NetworkByHand::add_link(const std::string& name)
{
    ++links_made_;
    const MacAddress near{{0x0a, 0x58, 0, 0, 0, links_made_}};
    const MacAddress far{{0x0a, 0x58, 0, 0, 1, links_made_}};
    tried(netlink::make_veth({.host_name = name,
                              .host_mac = near,
                              .pod_name = name + "-far",
                              .pod_mac = far,
                              .pod_netns_fd = here_.fd()}));
    set_up(name + "-far", true);
    set_up(name, true);
}

void NetworkByHand::add_bridge(const std::string& name)
{
    ++links_made_;
    tried(netlink::make_bridge({.name = name, .mac = {{0x0a, 0x58, 0, 0, 2, links_made_}}}));
}

void NetworkByHand::delete_link(const std::string& name)
{
    tried(netlink::delete_link(name));
}

void NetworkByHand::set_up(const std::string& name, bool up)
{
    const unsigned flag = IFF_UP;
    tried(Request(RTM_SETLINK, 0, link_header(index_of(name), up ? flag : 0, flag)));
}

void NetworkByHand::rename(const std::string& name, const std::string& new_name)
{
    Request request(RTM_SETLINK, 0, link_header(index_of(name)));
    request.put(IFLA_IFNAME, new_name);
    tried(request);
}

IfIndex NetworkByHand::index_of(const std::string& name)
{
    const auto link = need(netlink::find_link(socket_, name));
    return link ? link->index : IfIndex{};
}

void NetworkByHand::add_address(const std::string& link, const std::string& address)
{
    tried(netlink::add_address(parse_address(index_of(link), address)));
}

void NetworkByHand::delete_address(const std::string& link, const std::string& address)
{
    tried(netlink::delete_address(parse_address(index_of(link), address)));
}

bool NetworkByHand::has_address(const std::string& link, const std::string& address)
{
    const InterfaceAddress wanted = parse_address(index_of(link), address);
    return std::ranges::any_of(need(netlink::list_addresses(socket_)), [&](const auto& present) {
        return present.link == wanted.link && present.address == wanted.address;
    });
}

void NetworkByHand::set_route(Manner manner, const Route& route)
{
    std::uint16_t flags = NLM_F_CREATE;
    flags |= manner == Manner::add ? NLM_F_EXCL : 0;
    flags |= manner == Manner::replace ? NLM_F_REPLACE : 0;
    flags |= manner == Manner::append ? NLM_F_APPEND : 0;
    Request request = route_request(RTM_NEWROUTE, flags, route);
    if (route.gateway)
        request.put(RTA_GATEWAY, *route.gateway);
    if (route.oif != IfIndex{})
        request.put(RTA_OIF, route.oif);
    tried(request);
}

void NetworkByHand::set_multipath(const Route& route, const std::vector<IpAddress>& gateways)
{
    Request request = route_request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, route);
    request.nest(RTA_MULTIPATH, [&] {
        for (const IpAddress& gateway : gateways) {
            const std::size_t length = sizeof(rtnexthop) + RTA_LENGTH(gateway.bytes().size());
            request.put_header(rtnexthop{.rtnh_len = static_cast<unsigned short>(length),
                                         .rtnh_flags = 0,
                                         .rtnh_hops = 0,
                                         .rtnh_ifindex = netlink::to_int(route.oif)});
            request.put(RTA_GATEWAY, gateway);
        }
    });
    tried(request);
}

void NetworkByHand::delete_route(const Route& route)
{
    Request request = route_request(RTM_DELROUTE, 0, route);
    if (route.gateway && !route.is_multipath)
        request.put(RTA_GATEWAY, *route.gateway);
    tried(request);
}

std::vector<Route> NetworkByHand::routes()
{
    return need(netlink::list_routes(socket_));
}

} // namespace routelet::test
