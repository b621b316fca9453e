#include "cni/point_to_point.h"

#include "cni/gateway.h"
#include "cni/sysctl.h"
#include "netlink/address.h"
#include "netlink/neighbor.h"
#include "netlink/route.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include <algorithm>

namespace routelet::cni {
namespace {

using netlink::IfIndex;
using netlink::loopback;
using netlink::Request;

IpPrefix alone(const IpAddress& address)
{
    return IpPrefix::of(address, address.bits());
}

Request add_route(const IpPrefix& destination, IfIndex link, const std::optional<IpAddress>& gateway)
{
    return netlink::create_route({.destination = destination,
                                  .gateway = gateway,
                                  .oif = link,
                                  .protocol = netlink::RouteProtocol{RTPROT_STATIC}});
}

bool has_route(const std::vector<netlink::Route>& routes, const IpAddress& pod, IfIndex link)
{
    return std::ranges::any_of(routes, [&](const netlink::Route& route) {
        return route.destination == alone(pod) && route.oif == link;
    });
}

} // namespace

Result<> ensure_gateways(netlink::Socket& host, const PodNetwork& network)
{
    const std::vector<Gateway> own = gateways(network);
    std::vector<netlink::InterfaceAddress> addresses;
    for (const Gateway& gateway : own)
        addresses.push_back({.link = loopback,
                             .address = gateway.address,
                             .length = gateway.address.bits(),
                             .flags = IFA_F_NOPREFIXROUTE,
                             .protocol = gateway_protocol});
    if (auto ensured = ensure_addresses(host, addresses); !ensured)
        return ensured;
    return has_family(own, IpFamily::v6) ? turn_on_ipv6_forwarding() : Result<>();
}

std::vector<Request> ways_to_gateways(IfIndex in_pod, const netlink::MacAddress& host_mac,
                                      const std::vector<PodAddress>& addresses)
{
    std::vector<Request> requests;
    std::vector<IpAddress> reached;
    for (const PodAddress& pod : addresses) {
        if (std::ranges::find(reached, pod.gateway) != reached.end())
            continue;
        reached.push_back(pod.gateway);
        requests.push_back(add_route(alone(pod.gateway), in_pod, {}));
        requests.push_back(add_route(IpPrefix::of(pod.address, pod.length), in_pod, pod.gateway));
        requests.push_back(netlink::pin_neighbor(in_pod, pod.gateway, host_mac));
    }
    return requests;
}

std::vector<Request> ways_to_pod(IfIndex host_end, const std::vector<PodAddress>& addresses)
{
    std::vector<Request> requests = {netlink::enable_ipv4_forwarding(host_end)};
    for (const PodAddress& pod : addresses)
        requests.push_back(add_route(alone(pod.address), host_end, {}));
    return requests;
}

Result<std::optional<std::string>> find_fault(netlink::Socket& host, const netlink::Link& host_end,
                                              const std::vector<ResultAddress>& addresses)
{
    using Fault = std::optional<std::string>;
    if (!host_end.forwards_ipv4 && std::ranges::any_of(addresses, [](const ResultAddress& address) {
            return address.address.family() == IpFamily::v4;
        }))
        return Fault("host interface " + host_end.name +
                     " forwards no IPv4; switch it on: sysctl -w net.ipv4.conf." + host_end.name +
                     ".forwarding=1");
    const Result<std::vector<netlink::Route>> routes = netlink::list_routes(host);
    if (!routes)
        return routes.error();
    const Result<std::vector<netlink::InterfaceAddress>> local = netlink::list_addresses(host, loopback);
    if (!local)
        return local.error();
    for (const ResultAddress& address : addresses) {
        const std::string pod = alone(address.address).to_string();
        if (!has_route(*routes, address.address, host_end.index))
            return Fault("the node has lost its route to the pod; give it back: ip route add " + pod +
                         " dev " + host_end.name);
        if (address.gateway &&
            std::ranges::find(*local, *address.gateway, &netlink::InterfaceAddress::address) == local->end())
            return Fault("lo has lost the gateway's address; give it back: ip address add " +
                         alone(*address.gateway).to_string() + " dev lo");
    }
    return Fault{};
}

} // namespace routelet::cni
