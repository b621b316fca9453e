#pragma once
#include "controller/finding.h"
#include "controller/plan.h"

#include <string>
#include <vector>

namespace routelet::controller {

// "pod-cidr-changed" for each network that the pod bridge still has while this node's podCIDR is another now:
// pods with its addresses live on, and no other node routes to them any more. Pure.
std::vector<Finding> find_old_ranges(const Plan& plan, const LocalFacts& local, const std::string& node_name);

} // namespace routelet::controller
