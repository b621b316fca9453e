#include "test/kernel/route_oracle.h"

#include "netlink/address.h"
#include "netlink/link.h"
#include "test/support/catch.h"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <tuple>

namespace routelet::test {
namespace {

using controller::PlanOptions;

// One podCIDR of one node.
struct Range {
    const k8s::Node* node;
    IpPrefix prefix;
};

// The texts that parse, of the first sixteen.
template <class Value>
std::vector<Value> parsed(const std::vector<std::string>& texts)
{
    std::vector<Value> values;
    for (std::size_t i = 0; i < texts.size() && i < 16; ++i)
        if (const auto value = Value::parse(texts[i]))
            values.push_back(*value);
    return values;
}

template <class Values, class Holds>
bool any(const Values& values, Holds holds)
{
    return std::ranges::any_of(values, holds);
}

bool is_older(const k8s::Node& a, const k8s::Node& b)
{
    return std::tuple(a.created.empty(), a.created, a.name) <
           std::tuple(b.created.empty(), b.created, b.name);
}

const std::vector<IpPrefix>& not_for_hosts()
{
    static const std::vector<IpPrefix> networks = {
        "0.0.0.0/8"_net, "127.0.0.0/8"_net,   "169.254.0.0/16"_net, "224.0.0.0/4"_net, "240.0.0.0/4"_net,
        "::/96"_net,     "::ffff:0:0/96"_net, "fe80::/10"_net,      "ff00::/8"_net};
    return networks;
}

bool is_network(const netlink::Route& route)
{
    return route.type == RTN_UNICAST && !route.gateway && route.oif != netlink::IfIndex{} &&
           route.destination.length() > 0;
}

bool is_gateway(const netlink::Route& route, const IpAddress& address)
{
    return route.destination.length() == 0 && route.gateway == address;
}

class Oracle {
public:
    Oracle(const std::map<std::string, k8s::Node>& nodes, const Machine& machine, const PlanOptions& options,
           const std::string& pod_bridge)
        : nodes_(nodes), machine_(machine), options_(options), pod_bridge_(pod_bridge)
    {
    }

    WantedWays routes()
    {
        WantedWays wanted;
        for (const Range& range : ranges_by_right()) {
            const bool own = is_own(*range.node);
            if (!can_be_pods(range.prefix) || is_taken(range) || meets_machine(range, own) ||
                holds_node(range))
                continue;
            taken_.push_back(range);
            if (own)
                wanted.emplace(range.prefix, WantedWay{});
            else if (const auto way = way_to(*range.node, range.prefix.family()))
                wanted.emplace(range.prefix, *way);
        }
        return wanted;
    }

private:
    bool is_own(const k8s::Node& node) const { return node.name == options_.node_name; }

    // The own ones first, then those of older nodes before those of younger.
    std::vector<Range> ranges_by_right() const
    {
        std::vector<Range> ranges;
        for (const auto& [name, node] : nodes_)
            for (const IpPrefix& prefix : parsed<IpPrefix>(node.pod_cidrs))
                ranges.push_back({&node, prefix});
        std::ranges::stable_sort(ranges, [&](const Range& a, const Range& b) {
            if (is_own(*a.node) != is_own(*b.node))
                return is_own(*a.node);
            return is_older(*a.node, *b.node);
        });
        return ranges;
    }

    bool can_be_pods(const IpPrefix& range) const
    {
        const bool v4 = range.family() == IpFamily::v4;
        const unsigned shortest = v4 ? 8 : 32;
        const unsigned longest = v4 ? 30 : 126;
        return range.length() >= shortest && range.length() <= longest &&
               !any(not_for_hosts(), [&](const auto& network) { return network.overlaps(range); }) &&
               (options_.cluster_cidrs.empty() ||
                any(options_.cluster_cidrs, [&](const auto& cluster) { return cluster.contains(range); })) &&
               !any(options_.service_cidrs, [&](const auto& services) { return services.overlaps(range); });
    }

    bool is_taken(const Range& range) const
    {
        return any(taken_, [&](const Range& other) { return other.prefix.overlaps(range.prefix); });
    }

    // Overlaps a network of the machine, or holds its address or gateway. Only an operator who named the
    // range may have pods inside a larger network; the own range is the bridge's.
    bool meets_machine(const Range& range, bool own) const
    {
        const bool declared = !options_.cluster_cidrs.empty();
        const auto forbids = [&](const netlink::Route& route) {
            if (!is_network(route))
                return route.destination.length() == 0 && route.gateway &&
                       range.prefix.contains(*route.gateway);
            const bool is_larger = route.destination.length() < range.prefix.length();
            return route.destination.overlaps(range.prefix) && !(declared && is_larger) &&
                   !(own && is_bridge(route.oif));
        };
        const auto is_inside = [&](const IpAddress& address) { return range.prefix.contains(address); };
        return any(machine_.foreign, forbids) || (!own && any(machine_.addresses, is_inside));
    }

    bool is_bridge(netlink::IfIndex link) const
    {
        const auto found = machine_.links.find(link);
        return found != machine_.links.end() && found->second == pod_bridge_;
    }

    // The address of the node itself or of an older one. A younger one's does not count, nor does one inside
    // the pods' ranges: it would only serve to have somebody's range refused.
    bool holds_node(const Range& range) const
    {
        return any(nodes_, [&](const auto& entry) {
            const k8s::Node& other = entry.second;
            return (&other == range.node || is_older(other, *range.node)) &&
                   any(node_addresses(other),
                       [&](const IpAddress& address) { return range.prefix.contains(address); });
        });
    }

    std::vector<IpAddress> node_addresses(const k8s::Node& node) const
    {
        auto addresses = parsed<IpAddress>(node.internal_ips);
        std::erase_if(addresses, [&](const IpAddress& address) { return is_for_pods(address); });
        return addresses;
    }

    bool is_for_pods(const IpAddress& address) const
    {
        return any(options_.cluster_cidrs, [&](const auto& cluster) { return cluster.contains(address); });
    }

    // Through the node's first address of the family, if that may be a next hop and is on a network of this
    // machine.
    std::optional<WantedWay> way_to(const k8s::Node& node, IpFamily family) const
    {
        const auto addresses = parsed<IpAddress>(node.internal_ips);
        const auto first = std::ranges::find(addresses, family, &IpAddress::family);
        if (first == addresses.end() || !can_be_next_hop(node, *first))
            return std::nullopt;
        const netlink::Route* best = nullptr;
        for (const auto& route : machine_.foreign)
            if (is_network(route) && !is_bridge(route.oif) && route.destination.contains(*first) &&
                (best == nullptr || is_better(route, *best)))
                best = &route;
        return best == nullptr ? std::nullopt : std::optional<WantedWay>({*first, best->oif});
    }

    static bool is_better(const netlink::Route& a, const netlink::Route& b)
    {
        return std::tuple(b.destination.length(), a.metric, a.oif) <
               std::tuple(a.destination.length(), b.metric, b.oif);
    }

    bool can_be_next_hop(const k8s::Node& node, const IpAddress& address) const
    {
        const auto holds_address = [&](const auto& network) { return network.contains(address); };
        const auto is_of_older = [&](const auto& entry) {
            const auto theirs = parsed<IpAddress>(entry.second.internal_ips);
            return is_older(entry.second, node) && std::ranges::find(theirs, address) != theirs.end();
        };
        return !any(not_for_hosts(), holds_address) && !is_for_pods(address) &&
               std::ranges::find(machine_.addresses, address) == machine_.addresses.end() &&
               !any(machine_.foreign, [&](const auto& route) { return is_gateway(route, address); }) &&
               !any(taken_, [&](const Range& range) { return range.prefix.contains(address); }) &&
               !any(nodes_, is_of_older);
    }

    const std::map<std::string, k8s::Node>& nodes_;
    const Machine& machine_;
    const PlanOptions& options_;
    const std::string& pod_bridge_;
    std::vector<Range> taken_; // in the order in which they were judged
};

} // namespace

Machine Machine::look(netlink::Socket& socket)
{
    constexpr netlink::RouteProtocol protocol{82};
    constexpr std::uint32_t first_metric = 8200;
    constexpr std::uint32_t last_metric = 73735;
    Machine machine;
    for (netlink::Route route : need(netlink::list_routes(socket))) {
        const IpAddress& network = route.destination.network();
        route.flags = 0; // carrier, which comes and goes by itself
        if (route.protocol == protocol && route.metric >= first_metric && route.metric <= last_metric)
            machine.own.push_back(route);
        else if (!network.is_link_local() && !network.is_multicast())
            machine.foreign.push_back(route);
    }
    for (const auto& address : need(netlink::list_addresses(socket)))
        if (!address.address.is_link_local())
            machine.addresses.push_back(address.address);
    for (const auto& link : need(netlink::list_links(socket)))
        machine.links.emplace(link.index, link.name);
    return machine;
}

WantedWays wanted_routes(const std::map<std::string, k8s::Node>& nodes, const Machine& machine,
                         const PlanOptions& options, const std::string& pod_bridge)
{
    WantedWays wanted = Oracle(nodes, machine, options, pod_bridge).routes();
    for (const IpPrefix& cluster : options.cluster_cidrs)
        wanted.try_emplace(cluster); // unreachable, where no node has all of it
    return wanted;
}

} // namespace routelet::test
