#pragma once
#include "controller/kernel.h"
#include "controller/kernel_mirror.h"
#include "controller/plan.h"

#include <vector>

namespace routelet::controller {

// What the agent does to routes, and `routelet plan` says. Pure.

// Before all else: REPLACE fails (EEXIST) where what it would make is there already, further behind. No
// packet takes these routes, so nothing is withdrawn with them.
std::vector<RouteChange> removals_of_surplus(const KernelMirror& mirror);

// The changes at these destinations, in their order, but for those last where somebody else has a route of
// the same destination and metric: REPLACE could hit his. Ours is made anew there, at the metric of its next
// hop, and then removed at the one that it had, by all its values. If that is the same metric, the addition
// fails until his is gone, as if his had been there first.
std::vector<RouteChange> changes_at(const std::vector<IpPrefix>& destinations, const Plan& plan,
                                    const KernelMirror& mirror, const RouteIdentity& identity);

} // namespace routelet::controller
