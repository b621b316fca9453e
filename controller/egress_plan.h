#pragma once
#include "base/ip_range.h"
#include "controller/difference.h"
#include "controller/plan.h"

#include <map>
#include <optional>
#include <vector>

namespace routelet::controller {

struct EgressOptions {
    bool masquerade = true;
    std::vector<IpPrefix> cluster_cidrs; // as PlanOptions has them
    std::vector<IpPrefix> exempt;        // networks that the operator wants reached with the pods' addresses
};

// Whose packets get the node's address, and on the way to where not. Both families, IPv4 first.
struct EgressSets {
    std::vector<IpRange> pods;   // sources: this node's own pods
    std::vector<IpRange> exempt; // destinations that see the pods' addresses

    friend bool operator==(const EgressSets&, const EgressSets&) = default;
};

// What the node's plan means for packets that leave the cluster. Empty while this node's own podCIDR is not
// known. Pure.
//
// Exempt are those that have a way back to a pod, and those that must not be disturbed: the cluster CIDRs,
// the own podCIDRs, the podCIDRs and next hops of nodes that this machine routes to, or still routes to while
// a withdrawal waits (`in_place`: our routes in the kernel), the podCIDRs that are left to the gateway,
// multicast, and what the operator named. A Node is believed as far as plan_routes() believes it, no further:
// one that is refused is exempt from nothing, so whatever it claims, the most that it can have exempt is a
// podCIDR that would have been routed to it anyway, and one address on a network of this machine. An address
// of a node that is no next hop is not exempt: of a second network card, that node has no route to our pods
// through it; of a node that is left to the gateway, it may be any address of the world.
std::optional<EgressSets> plan_egress(const Plan& plan, const OwnRoutes& in_place,
                                      const EgressOptions& options);

} // namespace routelet::controller
