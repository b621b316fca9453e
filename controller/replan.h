#pragma once
#include "base/ip.h"
#include "controller/node_table.h"
#include "controller/plan.h"

#include <optional>
#include <vector>

namespace routelet::controller {

// A plan, and the destinations where it may differ from the one before.
struct Replanned {
    Plan plan;
    std::vector<IpPrefix> destinations; // ascending, none twice
};

// What plan_routes() would say now, when only few nodes have changed since it said `before` of the same
// machine with the same options. `changed`: what those nodes claimed, and what they claim. Pure.
//
// A node's verdict hangs on nodes that claim the same, or something inside what it claims, or around it, and
// on what hangs on those. They are found by a look at each node and judged anew, all others stay as they are.
// None when that is more than a few, or when routes are counted (PlanOptions::most_routes): then the whole
// has to be planned.
std::optional<Replanned> replan(const Plan& before, const std::vector<NodeRef>& nodes,
                                const std::vector<NodeRef>& changed, const LocalFacts& local,
                                const PlanOptions& options);

} // namespace routelet::controller
