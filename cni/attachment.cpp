#include "cni/attachment.h"

#include "cni/await_local.h"
#include "cni/error.h"
#include "cni/gateway.h"
#include "cni/link_removal.h"
#include "cni/living.h"
#include "cni/point_to_point.h"
#include "cni/spoof_check.h"
#include "cni/sysctl.h"
#include "netlink/address.h"
#include "netlink/neighbor.h"
#include "netlink/route.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <span>

namespace routelet::cni {
namespace {

using netlink::IfIndex;
using netlink::Link;
using netlink::MacAddress;
using netlink::Request;
using netlink::Socket;

// FNV-1a, 64 bits: names and MAC addresses made of it have to stay what they are over upgrades.
std::uint64_t stable_hash(std::span<const std::uint8_t> bytes) noexcept
{
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (const std::uint8_t byte : bytes)
        hash = (hash ^ byte) * 0x100000001b3U;
    return hash;
}

std::uint64_t stable_hash(std::string_view text) noexcept
{
    return stable_hash({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

MacAddress mac_of(std::uint8_t second, std::uint32_t last_four) noexcept
{
    return {{0x0a, second, static_cast<std::uint8_t>(last_four >> 24U),
             static_cast<std::uint8_t>(last_four >> 16U), static_cast<std::uint8_t>(last_four >> 8U),
             static_cast<std::uint8_t>(last_four)}};
}

MacAddress host_mac(const AttachmentId& id) noexcept
{
    return mac_of(0x59, static_cast<std::uint32_t>(stable_hash(host_interface_alias(id))));
}

bool is_errno(const Error& error, int number) noexcept
{
    return error.code == boost::system::error_code(number, boost::system::system_category()) ||
           error.code == boost::system::error_code(number, boost::system::generic_category());
}

// Sends all; the first failure.
Result<> execute_all(Socket& socket, std::span<const Request> requests)
{
    for (Result<>& result : socket.execute_all(requests))
        if (!result)
            return result;
    return {};
}

std::vector<IpAddress> addresses_of(const std::vector<Gateway>& gateways)
{
    std::vector<IpAddress> addresses;
    for (const Gateway& gateway : gateways)
        addresses.push_back(gateway.address);
    return addresses;
}

Result<Link> find_or_make_bridge(Socket& host, const PodNetwork& network, const MacAddress& mac)
{
    Result<std::optional<Link>> found = netlink::find_link(host, network.bridge);
    if (found && !found->has_value()) {
        auto made = host.execute(netlink::make_bridge({network.bridge, mac, network.mtu}));
        if (!made && !is_errno(made.error(), EEXIST)) // somebody was faster: the same bridge
            return made.error();
        found = netlink::find_link(host, network.bridge);
    }
    if (!found)
        return found.error();
    if (!found->has_value())
        return make_error(boost::system::errc::no_such_device,
                          "the bridge " + network.bridge + " was deleted while it was being set up");
    return **found;
}

Error unusable_name(const Link& link)
{
    return failure(ErrorCode::invalid_config, "\"bridge\": " + link.name + " exists and is a " +
                                                  (link.kind.empty() ? "hardware interface" : link.kind) +
                                                  ", not a bridge; give the network another bridge name");
}

Result<Link> ensure_bridge(Socket& host, const PodNetwork& network)
{
    const std::vector<Gateway> own = gateways(network);
    const Result<Link> bridge = find_or_make_bridge(host, network, mac_for(addresses_of(own)));
    if (!bridge)
        return bridge.error();
    if (bridge->kind != "bridge")
        return unusable_name(*bridge);

    ignore_router_advertisements(*bridge);
    keep_addresses_on_down(*bridge);
    std::vector<Request> requests;
    if (!bridge->is_up())
        requests.push_back(netlink::set_link_up(bridge->index));
    if (!bridge->forwards_ipv4) // each write is announced to everybody
        requests.push_back(netlink::enable_ipv4_forwarding(bridge->index));
    if (auto set_up = execute_all(host, requests); !set_up)
        return set_up.error();
    std::vector<netlink::InterfaceAddress> addresses;
    for (const Gateway& gateway : own)
        addresses.push_back({.link = bridge->index, .address = gateway.address, .length = gateway.length});
    if (auto ensured = ensure_addresses(host, addresses); !ensured)
        return ensured.error();
    if (has_family(own, IpFamily::v6))
        if (auto forwarding = turn_on_ipv6_forwarding(); !forwarding)
            return forwarding.error();
    return *bridge;
}

// Kernels before 5.12 leave the peer out when both ends have the same index.
IfIndex index_of_peer(const Link& link) noexcept
{
    return link.peer == IfIndex{} ? link.index : link.peer;
}

std::uint32_t group_of(const PodNetwork& network) noexcept
{
    if (!network.spoof_check)
        return 0;
    return network.mode == Mode::bridge ? checked_port_group : checked_route_group;
}

// Both ends of a new pair: the pod's as the kernel shows it, of the host's what it was made with.
struct Pair {
    Link host;
    Link pod;
};

// The veth pair, the host's end up and a port of the bridge, if there is one. The pod's end is asked for,
// which knows the other's index: the host's has no carrier yet, and asking for such a one has Linux take it
// out of service first, and wait (rtnl_getlink, linkwatch_sync_dev).
Result<Pair> make_pair(Sides& sides, const AttachmentId& id, const PodNetwork& network,
                       const std::optional<Link>& bridge, const MacAddress& pod_mac)
{
    const std::string host_name = host_interface_name(id);
    const auto made = sides.host.execute(netlink::make_veth({.host_name = host_name,
                                                             .host_mac = host_mac(id),
                                                             .pod_name = id.interface,
                                                             .pod_mac = pod_mac,
                                                             .pod_netns_fd = sides.pod_netns.fd(),
                                                             .bridge = bridge ? bridge->index : IfIndex{},
                                                             .mtu = network.mtu,
                                                             .group = group_of(network)}));
    if (!made && bridge && is_errno(made.error(), EXFULL))
        return failure(ErrorCode::bridge_full,
                       "bridge " + bridge->name +
                           " has no port left (a Linux bridge has 1023); run fewer pods "
                           "on this node, or have it route to each (\"mode\": \"ptp\")");
    if (!made)
        return made.error();

    Result<std::optional<Link>> in_pod = netlink::find_link(sides.pod, id.interface);
    if (!in_pod)
        return in_pod.error();
    if (!in_pod->has_value())
        return make_error(boost::system::errc::no_such_device,
                          "interface " + id.interface + " was deleted while it was being set up");
    Link& pod = **in_pod;
    Link host{.index = index_of_peer(pod), .name = host_name, .mac = host_mac(id), .mtu = pod.mtu};
    return Pair{std::move(host), std::move(pod)};
}

// /proc/sys shows the namespace that the reader is in, so this is the one step that goes there.
Result<> enable_ipv6_in_pod(const Sides& sides, const std::string& interface)
{
    if (auto entered = sides.pod_netns.enter(); !entered)
        return entered;
    const Result<> enabled = enable_ipv6(interface);
    if (auto returned = sides.host_netns.enter(); !returned)
        return returned;
    return enabled;
}

// Addresses, then up, then routes, in one go. Returns the routes that were made: a default route of the pod's
// other interfaces stays, and ours is left out.
Result<std::vector<ResultRoute>> configure_pod(Socket& pod, const Pair& pair, const PodNetwork& network,
                                               const std::vector<PodAddress>& addresses)
{
    const bool is_routed = network.mode == Mode::ptp;
    const IfIndex link = pair.pod.index;
    const std::vector<ResultRoute>& routes = network.routes;
    std::vector<Request> requests;
    for (const PodAddress& address : addresses)
        requests.push_back(netlink::add_address({.link = link,
                                                 .address = address.address,
                                                 .length = address.length,
                                                 .flags = is_routed ? IFA_F_NOPREFIXROUTE : 0U}));
    requests.push_back(netlink::set_link_up(link));
    if (is_routed)
        std::ranges::move(ways_to_gateways(link, *pair.host.mac, addresses), std::back_inserter(requests));
    for (const ResultRoute& route : routes)
        requests.push_back(netlink::create_route({.destination = route.destination,
                                                  .gateway = route.gateway,
                                                  .oif = link,
                                                  .protocol = netlink::RouteProtocol{RTPROT_STATIC}}));
    const std::vector<Result<>> results = pod.execute_all(requests);

    const std::size_t before_routes = requests.size() - routes.size();
    for (std::size_t i = 0; i < before_routes; ++i)
        if (!results[i])
            return results[i].error();
    std::vector<ResultRoute> made;
    for (std::size_t i = 0; i < routes.size(); ++i) {
        const Result<>& result = results[before_routes + i];
        const bool exists = !result && is_errno(result.error(), EEXIST);
        if (exists && routes[i].destination.length() != 0)
            return failure(ErrorCode::system_failure,
                           "the container has a route to " + routes[i].destination.to_string() + " already");
        if (!result && !exists)
            return result.error();
        if (!exists)
            made.push_back(routes[i]);
    }
    return made;
}

Error without_spoof_check(const Error& error)
{
    return failure(ErrorCode::system_failure, "spoofCheck, which needs Linux 5.18 or newer: " + error.text() +
                                                  "; to do without it: routelet run without --spoof-check");
}

// From here on the pod can send from its own addresses, and from no others.
Result<> begin_check(Socket& host, const Attached& attached, const std::vector<IpAddress>& sources)
{
    SpoofCheck check;
    if (!attached.bridge)
        return check.admit_routed(host);
    const Result<std::optional<Link>> port = netlink::find_link(host, attached.host.index);
    if (!port)
        return port.error();
    if (!port->has_value() || !(*port)->is_locked)
        return without_spoof_check(make_error(boost::system::errc::operation_not_supported,
                                              "the kernel did not lock bridge port " + attached.host.name));
    return check.admit(host, attached.host.name, sources);
}

// Last, and its last message gives the link its alias, which says that everything before was done.
Result<> complete_host(Sides& sides, const AttachmentId& id, const PodNetwork& network,
                       const Attached& attached, const std::vector<PodAddress>& addresses)
{
    const IfIndex link = attached.host.index;
    const std::string alias = host_interface_alias(id);
    const Request last =
        attached.bridge ? netlink::set_port_up({.port = link, .alias = alias, .hairpin = network.hairpin})
                        : netlink::set_alias(link, alias);
    std::vector<IpAddress> sources = addresses_of(addresses);
    if (network.spoof_check)
        sources.push_back(link_local_of(attached.pod_mac));

    std::vector<Request> requests;
    if (!attached.bridge)
        requests = ways_to_pod(link, addresses);
    const std::size_t ways = requests.size();
    for (const IpAddress& source : sources)
        requests.push_back(netlink::add_alternative_name(link, living_name(source)));
    if (network.spoof_check && attached.bridge) {
        requests.push_back(netlink::pin_mac({link, attached.pod_mac}));
        requests.push_back(netlink::lock_port(link));
    }
    // Without the rest a pod works as well: neighbours are asked for when the table has no room (it has 1,024
    // for all of the machine, unless somebody made it larger). So it does without further names, which are a
    // guard beside the reservation, and unknown to old kernels; unless they are what it is checked by.
    const std::size_t needed = network.spoof_check ? requests.size() : ways;
    for (const PodAddress& pod : addresses)
        requests.push_back(netlink::set_neighbor(attached.bridge ? attached.bridge->index : link, pod.address,
                                                 attached.pod_mac));
    if (!network.spoof_check)
        requests.push_back(last);
    const std::vector<Result<>> results = sides.host.execute_all(requests);
    for (std::size_t i = 0; i < needed; ++i)
        if (!results[i])
            return i < ways ? results[i].error() : without_spoof_check(results[i].error());
    if (!network.spoof_check)
        return results.back();
    if (auto begun = begin_check(sides.host, attached, sources); !begun)
        return begun;
    return sides.host.execute(last);
}

// The host's end was up first, so the pod's had carrier when it was set up, and could send at once. The
// host's has it since then, but Linux drops what goes through it until a worker thread has taken note, which
// may be milliseconds: a first packet that is ARP is sent again after a second, and others are lost. Since
// 6.8 whoever asks for the link has that done (rtnl_getlink, linkwatch_sync_dev). The answer does not matter.
void use_carrier(Socket& host, IfIndex link)
{
    (void)netlink::find_link(host, link);
}

// One that carries our alias, or none yet: its ADD was killed.
bool is_ours(const Link& link, const AttachmentId& id)
{
    return link.kind == "veth" && (link.alias.empty() || link.alias == host_interface_alias(id));
}

// Whether the other end of a pod's veth is on the host, and says that it is another attachment's: a runtime
// may call with the namespace of one and the name of another.
Result<bool> is_of_another(Socket& host, const Link& in_pod, const AttachmentId& id)
{
    const Result<std::optional<Link>> other_end = netlink::find_link(host, index_of_peer(in_pod));
    if (!other_end)
        return other_end.error();
    return other_end->has_value() && !is_ours(**other_end, id) &&
           (*other_end)->name != host_interface_name(id);
}

} // namespace

Result<Sides> Sides::open(const std::string& netns)
{
    Result<Socket> host = Socket::open();
    if (!host)
        return host.error();
    Result<netlink::NetNamespace> host_netns = netlink::NetNamespace::of(*host);
    if (!host_netns)
        host_netns = netlink::NetNamespace::current();
    if (!host_netns)
        return host_netns.error();
    Result<netlink::NetNamespace> pod_netns = netlink::NetNamespace::open(netns);
    if (!pod_netns)
        return failure(ErrorCode::invalid_netns, "CNI_NETNS: " + pod_netns.error().text());
    if (pod_netns->is_same_as(*host_netns))
        return failure(
            ErrorCode::invalid_netns,
            "CNI_NETNS " + netns +
                " is the network namespace that the plugin itself runs in; a pod needs one of its own "
                "(a pod with hostNetwork needs no plugin)");

    if (auto entered = pod_netns->enter(); !entered)
        return entered.error();
    Result<Socket> pod = Socket::open();
    if (auto returned = host_netns->enter(); !returned)
        return returned.error();
    if (!pod)
        return pod.error();
    return Sides{std::move(*host_netns), std::move(*pod_netns), std::move(*host), std::move(*pod)};
}

std::string host_interface_name(const AttachmentId& id)
{
    // 44 bits, all that fits: among 1000 pods of a node two clash on one node in 35 million. With eight
    // digits it would be one in 8600.
    constexpr std::string_view digits = "0123456789abcdef";
    std::uint64_t hash = stable_hash(host_interface_alias(id));
    std::string name = "veth";
    for (int i = 0; i < 11; ++i, hash >>= 4U)
        name += digits[hash & 0xfU];
    return name;
}

std::string host_interface_alias(const AttachmentId& id)
{
    return id.container + "/" + id.interface;
}

MacAddress mac_for(const std::vector<IpAddress>& addresses)
{
    const auto v4 = std::ranges::find(addresses, IpFamily::v4, &IpAddress::family);
    if (v4 == addresses.end())
        return mac_of(0x58, static_cast<std::uint32_t>(stable_hash(addresses.front().bytes())));
    const auto bytes = v4->bytes();
    return {{0x0a, 0x58, bytes[0], bytes[1], bytes[2], bytes[3]}};
}

Result<std::optional<Link>> ensure_network(Socket& host, const PodNetwork& network)
{
    if (network.mode == Mode::ptp) {
        if (auto ensured = ensure_gateways(host, network); !ensured)
            return ensured.error();
        return std::optional<Link>{};
    }
    const Result<Link> bridge = ensure_bridge(host, network);
    if (!bridge)
        return bridge.error();
    return std::optional(*bridge);
}

Result<> clear_unfinished(Sides& sides, const AttachmentId& id)
{
    const Result<std::optional<Link>> old = netlink::find_link(sides.host, host_interface_name(id));
    if (!old)
        return old.error();
    if (old->has_value()) {
        if (!is_ours(**old, id))
            return failure(ErrorCode::already_attached, "interface " + (*old)->name +
                                                            " on the host belongs to another attachment, \"" +
                                                            (*old)->alias + "\"");
        if ((*old)->is_up() && !(*old)->alias.empty())
            return failure(ErrorCode::already_attached, "container " + id.container + " has interface " +
                                                            id.interface + " already; DEL it first");
        if (auto deleted = detach(sides.host, id); !deleted)
            return deleted.error();
    }
    const Result<std::optional<Link>> in_pod = netlink::find_link(sides.pod, id.interface);
    if (!in_pod)
        return in_pod.error();
    if (in_pod->has_value())
        return failure(ErrorCode::already_attached,
                       "the container's network namespace has an interface " + id.interface + " already");
    return {};
}

Result<Attached> attach(Sides& sides, const AttachmentId& id, const PodNetwork& network,
                        const std::optional<Link>& bridge, const std::vector<PodAddress>& addresses)
{
    const std::vector<IpAddress> own = addresses_of(addresses);
    const MacAddress pod_mac = network.wanted_mac.value_or(mac_for(own));

    const Result<Pair> pair = make_pair(sides, id, network, bridge, pod_mac);
    if (!pair)
        return pair.error();
    ignore_router_advertisements(pair->host.name);
    const bool has_ipv6 = std::ranges::find(own, IpFamily::v6, &IpAddress::family) != own.end();
    if (has_ipv6 && pair->pod.disables_ipv6 != false) // runtimes and sysctls of pods disable it
        if (auto enabled = enable_ipv6_in_pod(sides, id.interface); !enabled)
            return enabled.error();
    Result<std::vector<ResultRoute>> routes = configure_pod(sides.pod, *pair, network, addresses);
    if (!routes)
        return routes.error();

    const Attached attached{bridge, pair->host, pod_mac, std::move(*routes)};
    if (auto completed = complete_host(sides, id, network, attached, addresses); !completed)
        return completed.error();
    use_carrier(sides.host, pair->host.index);
    if (bridge && !bridge->has_carrier()) // as its first port has given it
        use_carrier(sides.host, bridge->index);
    await_local(sides.pod, own);
    return attached;
}

Result<> detach(Socket& host, const AttachmentId& id)
{
    const Result<std::optional<Link>> link = netlink::find_link(host, host_interface_name(id));
    if (!link)
        return link.error();
    if (!link->has_value() || (*link)->kind != "veth")
        return {};
    if (!is_ours(**link, id))
        return failure(ErrorCode::system_failure,
                       "interface " + (*link)->name + " of " + host_interface_alias(id) +
                           " has the alias \"" + (*link)->alias +
                           "\", so it stays and so do its addresses; if that was changed by "
                           "hand, delete it: ip link del " +
                           (*link)->name);
    return remove_link(host, (*link)->index);
}

Result<> delete_pod_interface(const std::string& netns, const AttachmentId& id)
{
    Result<Sides> sides = Sides::open(netns);
    if (!sides)
        return {};
    const Result<std::optional<Link>> link = netlink::find_link(sides->pod, id.interface);
    if (!link)
        return link.error();
    if (!link->has_value() || (*link)->kind != "veth")
        return {};
    const Result<bool> foreign = is_of_another(sides->host, **link, id);
    if (!foreign)
        return foreign.error();
    if (*foreign)
        return {};
    auto deleted = sides->pod.execute(netlink::delete_link((*link)->index));
    if (!deleted && !is_errno(deleted.error(), ENODEV))
        return deleted;
    return {};
}

} // namespace routelet::cni
