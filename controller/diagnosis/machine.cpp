#include "controller/diagnosis/machine.h"

#include "base/file.h"
#include "cni/living.h"
#include "controller/cni_config.h"
#include "controller/diagnosis/echo.h"
#include "controller/forwarding.h"

#include <linux/netfilter.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <iterator>
#include <set>
#include <sstream>

namespace routelet::controller {
namespace {

namespace fs = std::filesystem;
using netlink::IfIndex;
using netlink::InterfaceAddress;
using netlink::NamedLink;
using netlink::Route;
using netlink::Socket;

struct KernelView {
    std::vector<NamedLink> links;
    std::vector<InterfaceAddress> addresses;
    std::vector<Route> routes;
};

Result<KernelView> read_kernel(Socket& socket)
{
    Result<std::vector<NamedLink>> links = netlink::list_named_links(socket);
    if (!links)
        return links.error();
    Result<std::vector<InterfaceAddress>> addresses = netlink::list_addresses(socket);
    if (!addresses)
        return addresses.error();
    Result<std::vector<Route>> routes = netlink::list_routes(socket);
    if (!routes)
        return routes.error();
    return KernelView{std::move(*links), std::move(*addresses), std::move(*routes)};
}

std::optional<std::uint64_t> number_in(const fs::path& file)
{
    const Result<std::string> content = read_file(file);
    std::uint64_t number = 0;
    if (!content ||
        std::from_chars(content->data(), content->data() + content->size(), number).ec != std::errc())
        return std::nullopt;
    return number;
}

bool is_default(const Route& route)
{
    return route.destination.length() == 0 && route.gateway.has_value();
}

bool leads_to_node(const Route& route, const RouteIdentity& identity)
{
    return identity.owns(route) && route.gateway.has_value();
}

std::vector<Uplink> uplinks_of(const KernelView& view, const MachineOptions& options)
{
    constexpr std::uint64_t strict = 1;
    const fs::path conf = "/proc/sys/net/ipv4/conf";
    const std::uint64_t of_all = number_in(conf / "all" / "rp_filter").value_or(0);
    std::set<IfIndex> used;
    for (const Route& route : view.routes)
        if (is_default(route) || leads_to_node(route, options.identity))
            used.insert(route.oif);
    std::vector<Uplink> uplinks;
    for (const auto& [link, names] : view.links)
        if (used.contains(link.index))
            uplinks.push_back(
                {.name = link.name,
                 .mtu = link.mtu,
                 .forwards_ipv4 = link.forwards_ipv4,
                 .is_rp_filter_strict =
                     std::max(of_all, number_in(conf / link.name / "rp_filter").value_or(0)) == strict});
    return uplinks;
}

// Of the uplinks and the pods' bridge.
std::optional<bool> is_forwarding_ipv6(const KernelView& view, const MachineFacts& machine,
                                       const MachineOptions& options)
{
    const bool has_routes = std::ranges::any_of(view.routes, [&](const Route& route) {
        return leads_to_node(route, options.identity) && route.destination.family() == IpFamily::v6;
    });
    if (!has_routes)
        return std::nullopt;
    return std::ranges::all_of(machine.uplinks,
                               [](const Uplink& uplink) { return forwards_ipv6(uplink.name); }) &&
           (options.pod_bridge.empty() || forwards_ipv6(options.pod_bridge));
}

// /proc/net/netstat has lines of names, each followed by one of values.
std::uint64_t rp_filter_drops()
{
    const Result<std::string> content = read_file("/proc/thread-self/net/netstat");
    if (!content)
        return 0;
    std::istringstream lines(*content);
    for (std::string names, values; std::getline(lines, names) && std::getline(lines, values);) {
        std::istringstream name_words(names);
        std::istringstream value_words(values);
        for (std::string name, value; name_words >> name && value_words >> value;)
            if (name == "IPReversePathFilter")
                return std::strtoull(value.c_str(), nullptr, 10);
    }
    return 0;
}

bool is_forward_chain(const netlink::ListedChain& chain)
{
    return chain.hook == NF_INET_FORWARD;
}

bool is_of_other_network(const netlink::ListedChain& chain)
{
    return is_chain_of_other_network(chain.table, chain.name);
}

// In one dump: where kube-proxy uses iptables there are thousands.
void note_chains(MachineFacts& machine)
{
    Result<Socket> socket = Socket::open_netfilter();
    auto chains = socket
                      ? netlink::list_chains(*socket,
                                             [](const netlink::ListedChain& chain) {
                                                 return is_forward_chain(chain) || is_of_other_network(chain);
                                             })
                      : socket.error();
    if (chains)
        for (const netlink::ListedChain& chain : *chains)
            if (is_of_other_network(chain))
                machine.foreign_chains.push_back(chain.to_string());
    if (chains)
        std::erase_if(*chains, std::not_fn(is_forward_chain));
    machine.forward_chains = std::move(chains);
}

// A rule for IPv6 does no harm where pods have IPv4 only, and the other way round.
std::vector<IpFamily> families_of_pods(const KernelView& view, const MachineOptions& options)
{
    std::set<IpFamily> families;
    for (const Route& route : view.routes)
        if (leads_to_node(route, options.identity))
            families.insert(route.destination.family());
    if (families.empty())
        return {IpFamily::v4};
    return {families.begin(), families.end()};
}

Result<std::vector<netlink::LegacyTable>> legacy_tables(const std::vector<IpFamily>& families)
{
    std::vector<netlink::LegacyTable> tables;
    for (const IpFamily family : families) {
        auto listed = netlink::list_legacy_tables(family);
        if (!listed)
            return listed.error();
        std::ranges::move(*listed, std::back_inserter(tables));
    }
    return tables;
}

bool has_pod_of(const NamedLink& link, IpFamily family)
{
    return std::ranges::any_of(link.further_names, [&](const std::string& name) {
        const auto address = cni::address_in(name);
        return address && address->family() == family;
    });
}

bool is_pod(const NamedLink& link)
{
    return has_pod_of(link, IpFamily::v4) || has_pod_of(link, IpFamily::v6);
}

bool is_used(const NamedLink* bridge, const KernelView& view)
{
    return bridge != nullptr && std::ranges::all_of(view.links, [&](const NamedLink& link) {
               return !is_pod(link) || link.link.master == bridge->link.index;
           });
}

std::set<IpAddress> next_hops(const KernelView& view, const MachineOptions& options)
{
    std::set<IpAddress> hops;
    for (const Route& route : view.routes)
        if (leads_to_node(route, options.identity))
            hops.insert(*route.gateway);
    return hops;
}

std::vector<NeighborRoom> neighbor_rooms(const KernelView& view, const MachineOptions& options)
{
    std::vector<NeighborRoom> rooms;
    const std::set<IpAddress> hops = next_hops(view, options);
    for (const IpFamily family : {IpFamily::v4, IpFamily::v6}) {
        const fs::path table =
            family == IpFamily::v4 ? "/proc/sys/net/ipv4/neigh/default" : "/proc/sys/net/ipv6/neigh/default";
        const auto most = number_in(table / "gc_thresh3");
        const auto pods =
            std::ranges::count_if(view.links, [&](const NamedLink& l) { return has_pod_of(l, family); });
        const auto nodes = std::ranges::count(hops, family, &IpAddress::family);
        if (most)
            rooms.push_back({family, static_cast<std::size_t>(pods + nodes), *most});
    }
    return rooms;
}

void note_pod_mtus(const KernelView& view, MachineFacts& machine)
{
    for (const NamedLink& pod : view.links)
        if (is_pod(pod))
            machine.largest_pod_mtu = std::max(machine.largest_pod_mtu, pod.link.mtu);
    machine.pods_with_it =
        static_cast<std::size_t>(std::ranges::count_if(view.links, [&](const NamedLink& pod) {
            return is_pod(pod) && pod.link.mtu == machine.largest_pod_mtu;
        }));
}

// --- echoes

const NamedLink* link_named(const KernelView& view, const std::string& name)
{
    const auto found =
        std::ranges::find(view.links, name, [](const NamedLink& link) { return link.link.name; });
    return found == view.links.end() ? nullptr : &*found;
}

// The address that this machine has on the network of another's.
const InterfaceAddress* address_beside(const KernelView& view, const IpAddress& node)
{
    const auto found = std::ranges::find_if(view.addresses, [&](const InterfaceAddress& address) {
        return address.address.family() == node.family() && address.network().contains(node);
    });
    return found == view.addresses.end() ? nullptr : &*found;
}

std::optional<IpAddress> address_of_bridge(const KernelView& view, const std::string& bridge, IpFamily family)
{
    const NamedLink* const link = link_named(view, bridge);
    if (link == nullptr)
        return std::nullopt;
    for (const InterfaceAddress& address : view.addresses)
        if (address.link == link->link.index && address.address.family() == family &&
            !address.address.is_link_local())
            return address.address;
    return std::nullopt;
}

bool comes_back(const Echo& echo)
{
    const Result<bool> answered = is_answered(echo);
    return answered && *answered;
}

NodeProbe probe_of(const KernelView& view, const IpAddress& node, const InterfaceAddress& own,
                   const std::string& bridge)
{
    NodeProbe probe{.node = node, .answers = is_answered({.from = own.address, .to = node})};
    if (!probe.answers || !*probe.answers)
        return probe;
    const auto as_pod = address_of_bridge(view, bridge, node.family());
    probe.asked_as_pod = as_pod.value_or(IpAddress());
    probe.answers_pods = !as_pod || comes_back({.from = *as_pod, .to = node});
    const auto link =
        std::ranges::find(view.links, own.link, [](const NamedLink& l) { return l.link.index; });
    probe.mtu = link == view.links.end() ? 0 : link->link.mtu;
    probe.answers_large = comes_back({.from = own.address, .to = node, .packet = probe.mtu});
    return probe;
}

std::vector<NodeProbe> probe_nodes(const KernelView& view, const MachineOptions& options)
{
    std::vector<NodeProbe> probes;
    for (const IpAddress& node : next_hops(view, options)) {
        if (probes.size() == options.probes)
            break;
        if (const InterfaceAddress* const own = address_beside(view, node))
            probes.push_back(probe_of(view, node, *own, options.pod_bridge));
    }
    return probes;
}

} // namespace

Result<MachineFacts> read_machine(const MachineOptions& options)
{
    Result<Socket> socket = Socket::open();
    if (!socket)
        return socket.error();
    const Result<KernelView> view = read_kernel(*socket);
    if (!view)
        return view.error();
    MachineFacts machine{.pod_bridge = options.pod_bridge};
    const NamedLink* const bridge = link_named(*view, options.pod_bridge);
    machine.bridge_forwards_ipv4 = bridge == nullptr || bridge->link.forwards_ipv4;
    machine.is_bridge_used = is_used(bridge, *view);
    machine.uplinks = uplinks_of(*view, options);
    machine.forwards_ipv6 = is_forwarding_ipv6(*view, machine, options);
    machine.rp_filter_drops = rp_filter_drops();
    note_chains(machine);
    machine.legacy_tables = legacy_tables(families_of_pods(*view, options));
    machine.neighbors = neighbor_rooms(*view, options);
    note_pod_mtus(*view, machine);
    for (const NamedLink& link : view->links)
        if (link.link.name != options.pod_bridge && is_of_other_plugin(link.link))
            machine.foreign_links.push_back(link.link.name);
    if (const auto before = files_before_ours_in(options.cni_conf_dir))
        machine.conflists_before = *before;
    if (!options.host_root.empty()) {
        machine.networkd = read_networkd(options.host_root);
        machine.network_manager = read_network_manager(options.host_root, options.pod_bridge);
    }
    machine.probes = probe_nodes(*view, options);
    return machine;
}

} // namespace routelet::controller
