#include "cni/check.h"

#include "cni/error.h"
#include "cni/point_to_point.h"
#include "cni/spoof_check.h"
#include "netlink/address.h"
#include "netlink/route.h"

#include <algorithm>

namespace routelet::cni {
namespace {

using netlink::Link;

Error differs(std::string what)
{
    return failure(ErrorCode::attachment_differs,
                   std::move(what) + "; delete the pod, so that it is made anew");
}

// Other plugins of the chain may write it in capitals.
bool is_mac(const std::optional<netlink::MacAddress>& mac, const std::string& text)
{
    const Result<netlink::MacAddress> expected = netlink::MacAddress::parse(text);
    return mac && expected && *mac == *expected;
}

Result<const ResultInterface*> expected_pod_interface(const Expectation& expected)
{
    const auto& interfaces = expected.network.previous->interfaces;
    const auto found = std::ranges::find_if(interfaces, [&expected](const ResultInterface& interface) {
        return interface.name == expected.id.interface && !interface.sandbox.empty();
    });
    if (found == interfaces.end())
        return differs("prevResult lists no interface " + expected.id.interface + " in a sandbox");
    if (found->sandbox != expected.netns)
        return differs("prevResult has " + expected.id.interface + " in sandbox " + found->sandbox +
                       ", CNI_NETNS is " + expected.netns);
    return &*found;
}

bool lists_bridge(const Expectation& expected)
{
    return std::ranges::any_of(expected.network.previous->interfaces, [&](const ResultInterface& interface) {
        return interface.name == expected.network.bridge && interface.sandbox.empty();
    });
}

// The addresses that prevResult gives to the pod's interface, or to none by index.
std::vector<ResultAddress> expected_addresses(const Expectation& expected, const ResultInterface& interface)
{
    const AttachmentResult& previous = *expected.network.previous;
    std::vector<ResultAddress> addresses;
    for (const ResultAddress& address : previous.addresses)
        if (!address.interface || (*address.interface < previous.interfaces.size() &&
                                   &previous.interfaces[*address.interface] == &interface))
            addresses.push_back(address);
    return addresses;
}

Result<Link> check_pod_link(netlink::Socket& pod, const ResultInterface& expected)
{
    const Result<std::optional<Link>> found = netlink::find_link(pod, expected.name);
    if (!found)
        return found.error();
    if (!found->has_value())
        return differs("the pod has no interface " + expected.name + " any more");
    const Link& link = **found;
    if (link.kind != "veth")
        return differs("the pod's interface " + link.name + " is no veth");
    if (!expected.mac.empty() && !is_mac(link.mac, expected.mac))
        return differs("the pod's interface " + link.name + " has MAC address " +
                       (link.mac ? link.mac->to_string() : "none") + " instead of " + expected.mac);
    if (!link.is_up())
        return differs("the pod's interface " + link.name + " is down");
    return link;
}

Result<> check_pod_addresses(netlink::Socket& pod, const Link& link,
                             const std::vector<ResultAddress>& expected)
{
    const Result<std::vector<netlink::InterfaceAddress>> present = netlink::list_addresses(pod, link.index);
    if (!present)
        return present.error();
    for (const ResultAddress& address : expected)
        if (std::ranges::none_of(*present, [&address](const netlink::InterfaceAddress& there) {
                return there.address == address.address && there.length == address.length;
            }))
            return differs("the pod's interface " + link.name + " has lost address " +
                           address.address.to_string() + "/" + std::to_string(address.length));
    return {};
}

Result<> check_pod_routes(netlink::Socket& pod, const std::vector<ResultRoute>& expected)
{
    const Result<std::vector<netlink::Route>> present = netlink::list_routes(pod);
    if (!present)
        return present.error();
    for (const ResultRoute& route : expected)
        if (std::ranges::none_of(*present, [&route](const netlink::Route& there) {
                return there.destination == route.destination &&
                       (there.is_multipath || !route.gateway || there.gateway == route.gateway);
            }))
            return differs("the pod has lost its route to " + route.destination.to_string() +
                           (route.gateway ? " via " + route.gateway->to_string() : ""));
    return {};
}

Result<Link> check_bridge(netlink::Socket& host, const Expectation& expected)
{
    const std::string& name = expected.network.bridge;
    const Result<std::optional<Link>> found = netlink::find_link(host, name);
    if (!found)
        return found.error();
    if (!found->has_value())
        return differs("bridge " + name + " does not exist any more");
    const Link& bridge = **found;
    if (bridge.kind != "bridge")
        return differs("interface " + name + " is no bridge any more");
    if (!bridge.is_up())
        return failure(ErrorCode::attachment_differs,
                       "bridge " + name + " is down; set it up: ip link set " + name + " up");
    for (const ResultInterface& interface : expected.network.previous->interfaces)
        if (interface.name == name && interface.sandbox.empty() && !interface.mac.empty() && bridge.mac &&
            !is_mac(bridge.mac, interface.mac))
            return differs("bridge " + name + " has MAC address " + bridge.mac->to_string() + " instead of " +
                           interface.mac);
    return bridge;
}

Result<> check_gateways(netlink::Socket& host, const Link& bridge, const std::vector<ResultAddress>& expected)
{
    const Result<std::vector<netlink::InterfaceAddress>> present =
        netlink::list_addresses(host, bridge.index);
    if (!present)
        return present.error();
    for (const ResultAddress& address : expected)
        if (address.gateway && std::ranges::find(*present, *address.gateway,
                                                 &netlink::InterfaceAddress::address) == present->end())
            return failure(ErrorCode::attachment_differs,
                           "bridge " + bridge.name + " has lost the gateway's address " +
                               address.gateway->to_string() + "; give it back: ip address add " +
                               address.gateway->to_string() + "/" + std::to_string(address.length) + " dev " +
                               bridge.name);
    return {};
}

Result<> check_port(const Expectation& expected, const Link& bridge, const Link& port)
{
    if (port.master != bridge.index)
        return failure(ErrorCode::attachment_differs,
                       "host interface " + port.name + " is no port of bridge " + bridge.name +
                           "; attach it: ip link set " + port.name + " master " + bridge.name);
    if (port.hairpin != expected.network.hairpin)
        return failure(ErrorCode::attachment_differs, "host interface " + port.name + " has hairpin mode " +
                                                          (port.hairpin.value_or(false) ? "on" : "off") +
                                                          "; change it: bridge link set dev " + port.name +
                                                          " hairpin " +
                                                          (expected.network.hairpin ? "on" : "off"));
    return {};
}

Result<Link> check_host_link(netlink::Socket& host, const Expectation& expected, const Link& in_pod)
{
    const std::string name = host_interface_name(expected.id);
    const Result<std::optional<Link>> found = netlink::find_link(host, name);
    if (!found)
        return found.error();
    if (!found->has_value())
        return differs("the pod's host interface " + name + " does not exist any more");
    const Link& link = **found;
    if (link.kind != "veth" || link.peer != in_pod.index)
        return differs("host interface " + name + " is not the other end of the pod's " + in_pod.name);
    if (!link.is_up())
        return failure(ErrorCode::attachment_differs,
                       "host interface " + name + " is down; set it up: ip link set " + name + " up");
    if (expected.network.spoof_check && !is_checked(link))
        return differs("the pod was made without \"spoofCheck\"");
    return link;
}

// The node's side of an attachment by a bridge.
Result<> check_bridged(Sides& sides, const Expectation& expected, const Link& in_pod,
                       const std::vector<ResultAddress>& addresses)
{
    const Result<Link> bridge = check_bridge(sides.host, expected);
    if (!bridge)
        return bridge.error();
    if (auto checked = check_gateways(sides.host, *bridge, addresses); !checked)
        return checked;
    const Result<Link> port = check_host_link(sides.host, expected, in_pod);
    if (!port)
        return port.error();
    return check_port(expected, *bridge, *port);
}

// The same without one, and the pod's way to its gateways.
Result<> check_routed(Sides& sides, const Expectation& expected, const Link& in_pod,
                      const std::vector<ResultAddress>& addresses)
{
    std::vector<ResultRoute> to_gateways;
    for (const ResultAddress& address : addresses)
        if (address.gateway)
            to_gateways.push_back({IpPrefix::of(*address.gateway, address.gateway->bits()), {}});
    if (auto checked = check_pod_routes(sides.pod, to_gateways); !checked)
        return checked;
    const Result<Link> link = check_host_link(sides.host, expected, in_pod);
    if (!link)
        return link.error();
    if (link->master != netlink::IfIndex{})
        return differs("host interface " + link->name + " is a port of a bridge");
    const Result<std::optional<std::string>> fault = find_fault(sides.host, *link, addresses);
    if (!fault)
        return fault.error();
    if (*fault)
        return failure(ErrorCode::attachment_differs, **fault);
    return {};
}

Result<> check_reservation(const Expectation& expected, const std::vector<ResultAddress>& addresses)
{
    for (const ResultAddress& address : addresses) {
        const bool is_ours =
            std::ranges::any_of(expected.network.range_sets, [&address](const RangeSet& set) {
                return set.range_offering(address.address) != nullptr;
            });
        if (is_ours && std::ranges::find(expected.reserved, address.address) == expected.reserved.end())
            return differs("address " + address.address.to_string() + " is not reserved for container " +
                           expected.id.container + " any more, so another pod may get it");
    }
    return {};
}

} // namespace

Result<> check_attachment(Sides& sides, const Expectation& expected)
{
    const Result<const ResultInterface*> interface = expected_pod_interface(expected);
    if (!interface)
        return interface.error();
    const std::vector<ResultAddress> addresses = expected_addresses(expected, **interface);

    const Result<Link> in_pod = check_pod_link(sides.pod, **interface);
    if (!in_pod)
        return in_pod.error();
    if (auto checked = check_pod_addresses(sides.pod, *in_pod, addresses); !checked)
        return checked;
    if (auto checked = check_pod_routes(sides.pod, expected.network.previous->routes); !checked)
        return checked;

    // By what the pod was given: the network may have changed its mode since.
    const auto check_node = lists_bridge(expected) ? check_bridged : check_routed;
    if (auto checked = check_node(sides, expected, *in_pod, addresses); !checked)
        return checked;
    return check_reservation(expected, addresses);
}

} // namespace routelet::cni
