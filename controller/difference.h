#pragma once
#include "controller/kernel.h"
#include "controller/plan.h"

#include <map>
#include <vector>

namespace routelet::controller {

// The route that a planned one is in the kernel.
netlink::Route to_kernel_route(const PlannedRoute& planned, const RouteIdentity& identity);

// What to change so that our routes become the planned ones; empty when the kernel already agrees. Pure.
// A changed next hop is one replacement, never a removal and an addition: half of the packets in between were
// lost that way. Additions and replacements come before removals, so that a podCIDR that moves from one node
// to another is never without a route.
//
// `own` holds only routes that RouteIdentity::owns(), so foreign ones cannot be removed even by a bug here.
std::vector<RouteChange> difference(const Plan& plan, const std::map<IpPrefix, netlink::Route>& own,
                                    const RouteIdentity& identity);

} // namespace routelet::controller
