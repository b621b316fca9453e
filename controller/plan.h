#pragma once
#include "base/ip.h"
#include "controller/nearby_search.h"
#include "controller/node_table.h"
#include "netlink/message.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace routelet::controller {

// A network that this machine reaches without a gateway.
struct OnLinkNetwork {
    IpPrefix network;
    netlink::IfIndex link{};
    std::string link_name;
    bool is_pod_bridge = false;
    std::uint32_t mtu = 0; // bytes, of the link; 0: not known, or the pod bridge

    friend bool operator==(const OnLinkNetwork&, const OnLinkNetwork&) = default;
};

// The next hop of a default route.
struct DefaultGateway {
    IpAddress address;
    netlink::IfIndex link{};

    friend bool operator==(const DefaultGateway&, const DefaultGateway&) = default;
};

// This machine, as far as planning needs it.
struct LocalFacts {
    std::vector<IpAddress> addresses;     // of all links
    std::vector<OnLinkNetwork> networks;  // through links that are up
    std::vector<DefaultGateway> gateways; // of each family the one with the lowest metric first

    // Of a link with one of those networks; empty for others.
    std::string_view link_name(netlink::IfIndex link) const noexcept;

    friend bool operator==(const LocalFacts&, const LocalFacts&) = default;
};

// What becomes of a node whose address is on no network of this machine.
enum class OffLink {
    skip,    // its podCIDRs are refused
    gateway, // they are left to the default route, whose gateway knows them
};

struct PlanOptions {
    std::string node_name;               // this node's own; empty on a router, which is no node
    std::vector<IpPrefix> cluster_cidrs; // where podCIDRs must lie; empty: anywhere that is not refused
    std::vector<IpPrefix> service_cidrs; // where they must not
    std::vector<IpAddress>
        api_servers{}; // of which none may lie in a podCIDR; those known by name are not here
    OffLink off_link = OffLink::skip;
    // So many routes at most; of the nodes beyond, the youngest have none.
    std::size_t most_routes = 200'000;
};

// Where a node stands. Every podCIDR of every node is in exactly one state.
enum class NodeState {
    routed,  // a route is wanted, and in the kernel unless the log says otherwise
    self,    // this node: its pods are local
    gateway, // no route of ours: it is on no network of this machine, and the default route leads there
    pending, // something is still missing that usually comes by itself
    refused, // a route would be wrong or dangerous
};

// Why a podCIDR is pending or refused; the text is the code in log and documentation.
enum class Reason {
    none,
    no_pod_cidr,
    no_internal_ip,
    bad_pod_cidr,
    bad_internal_ip,
    pod_cidr_not_unicast,
    pod_cidr_length,
    outside_cluster_cidr,
    overlaps_service_cidr,
    covers_api_server,
    overlaps_local_network,
    overlaps_own_pod_cidr,
    overlaps_node,
    covers_node_address,
    next_hop_not_unicast,
    next_hop_is_local,
    next_hop_is_gateway,
    next_hop_in_pod_cidr,
    next_hop_of_other_node,
    next_hop_off_link,
    no_default_gateway,
    too_many_routes,
};

std::string_view to_string(NodeState state) noexcept; // "routed"
std::string_view to_string(Reason reason) noexcept;   // "overlaps-node"
// What to do about it, one sentence for the operator; empty for none.
std::string_view remedy(Reason reason) noexcept;

inline std::ostream& operator<<(std::ostream& out, NodeState state)
{
    return out << to_string(state);
}
inline std::ostream& operator<<(std::ostream& out, Reason reason)
{
    return out << to_string(reason);
}

// "Packets for these pods go to this node, through this link."
struct PlannedRoute {
    IpPrefix destination;
    IpAddress gateway;
    netlink::IfIndex link{};
    NodeRef node;
};

// Where a podCIDR that has no route stands, and why.
struct Verdict {
    std::string node;
    std::string destination; // the podCIDR as the Node has it; empty when it has none
    NodeState state = NodeState::pending;
    Reason reason = Reason::none;
    std::string detail; // the values that led here

    friend bool operator==(const Verdict&, const Verdict&) = default;
};

// Of each family so many.
struct FamilyCounts {
    std::size_t v4 = 0;
    std::size_t v6 = 0;

    std::size_t of(IpFamily family) const noexcept { return family == IpFamily::v4 ? v4 : v6; }
    std::size_t total() const noexcept { return v4 + v6; }

    friend bool operator==(const FamilyCounts&, const FamilyCounts&) = default;
};

// Invariant: no two destinations overlap; own podCIDRs and those left to the gateway count as well. Each
// podCIDR of each node is in exactly one of routes and verdicts; a node without podCIDR has a verdict.
struct Plan {
    std::vector<PlannedRoute> routes;    // by destination; their state is `routed`
    std::vector<IpPrefix> own_pod_cidrs; // this node's own that nothing speaks against, in the Node's order
    std::vector<IpPrefix> gateway_pod_cidrs{}; // of other nodes, left to the default route; ascending
    std::vector<Verdict> verdicts;             // by node, in the order in which the Node has its podCIDRs
    // Where packets that no route above is for are answered "unreachable": the own podCIDRs and the cluster
    // CIDRs; ascending. None is a route's destination.
    std::vector<IpPrefix> guarded{};

    // The route to exactly this destination, or nullptr. Fast when destinations are asked for in their order.
    // Not for two threads at once.
    const PlannedRoute* find(const IpPrefix& destination) const;
    bool guards(const IpPrefix& destination) const;

    mutable NearbySearch search{};
};

// Which routes this machine should have. Pure; the order of inputs does not matter.
//
// Each podCIDR is judged alone: one bad node never changes the verdict of the others, except where two claim
// the same. Then the older node wins (creationTimestamp, then name), because a newcomer that claims what
// somebody has is the more likely liar; and on its own machine a node's own podCIDR always wins, unless
// something else speaks against it.
//
// Takes time in the order of n log n, whatever the nodes claim. `nodes`: no name twice.
Plan plan_routes(const std::vector<NodeRef>& nodes, const LocalFacts& local, const PlanOptions& options);

// How many podCIDRs are in each state, also where that is none.
std::map<NodeState, std::size_t> count_states(const Plan& plan);

// Plan::guarded, from the rest of the plan. A cluster CIDR is not guarded where packets for it may be meant
// to follow the default route (OffLink::gateway; a default gateway or an API server inside it), or where it
// is no range that pods can have.
std::vector<IpPrefix> guarded_by(const Plan& plan, const LocalFacts& local, const PlanOptions& options);

} // namespace routelet::controller
