#pragma once
#include "controller/kernel.h"
#include "controller/plan.h"

#include <linux/rtnetlink.h>

#include <map>
#include <string>
#include <vector>

namespace routelet::controller {

// The route that a planned one is in the kernel.
netlink::Route to_kernel_route(const PlannedRoute& planned, const RouteIdentity& identity);

// What keeps packets for free addresses of an own podCIDR from following the default route, out of the
// cluster or round in a loop: an unreachable route, which the bridge's own connected route wins over while it
// is there.
netlink::Route guard_route(const IpPrefix& pod_cidr, const RouteIdentity& identity);
inline bool is_guard(const netlink::Route& route)
{
    return route.type == RTN_UNREACHABLE;
}

// What to change so that our routes become the planned ones and the guards; empty when the kernel already
// agrees. Pure. A changed next hop is one replacement, never a removal and an addition: half of the packets
// in between were lost that way. Additions and replacements come before removals, so that a podCIDR that
// moves from one node to another is never without a route.
//
// `self` is this node's name, for the guards. `own` holds only routes that RouteIdentity::owns(), so foreign
// ones cannot be removed even by a bug here.
std::vector<RouteChange> difference(const Plan& plan, const std::map<IpPrefix, netlink::Route>& own,
                                    const RouteIdentity& identity, const std::string& self);

} // namespace routelet::controller
