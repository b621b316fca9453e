#include "controller/own_range.h"

#include "base/join.h"

#include <algorithm>

namespace routelet::controller {

std::vector<Finding> find_old_ranges(const Plan& plan, const LocalFacts& local, const std::string& node_name)
{
    std::vector<Finding> findings;
    if (plan.own_pod_cidrs.empty())
        return findings;
    for (const OnLinkNetwork& network : local.networks) {
        const auto overlaps = [&](const IpPrefix& own) { return own.overlaps(network.network); };
        if (!network.is_pod_bridge || std::ranges::any_of(plan.own_pod_cidrs, overlaps))
            continue;
        const std::string old_range = network.network.to_string();
        findings.push_back(
            {"pod-cidr-changed",
             network.link_name + " has " + old_range + ", and this node's podCIDR is " +
                 joined(plan.own_pod_cidrs, ", ", &IpPrefix::to_string) +
                 " now: pods with addresses of the old range live on, but other nodes do not reach them",
             "list this node's pods (kubectl get pods -A -o wide --field-selector spec.nodeName=" +
                 node_name +
                 "), delete those with old addresses so that they come back with new ones, then remove the "
                 "old "
                 "address from the bridge (ip address show dev " +
                 network.link_name + "; ip address del)"});
    }
    return findings;
}

} // namespace routelet::controller
