#include "controller/plan_times.h"

#include <utility>

namespace routelet::controller {
namespace {

bool is_same_way(const PlannedRoute& a, const PlannedRoute& b)
{
    return a.destination == b.destination && a.gateway == b.gateway &&
           (a.node == b.node || a.node->name == b.node->name);
}

bool is_same_state(const Verdict& a, const Verdict& b)
{
    return a.state == b.state && a.reason == b.reason;
}

} // namespace

std::vector<std::size_t> PlanTimes::follow(const Plan& before, const Plan& plan, std::chrono::sys_seconds now)
{
    follow_routes(before, plan, now);
    const std::vector<std::chrono::sys_seconds> old_times =
        std::exchange(verdicts_, std::vector<std::chrono::sys_seconds>(plan.verdicts.size(), now));
    std::vector<std::size_t> different;
    std::size_t of_node = 0; // the node's first in the plan before
    for (std::size_t i = 0; i < plan.verdicts.size(); ++i) {
        const Verdict& verdict = plan.verdicts[i];
        while (of_node < before.verdicts.size() && before.verdicts[of_node].node < verdict.node)
            ++of_node;
        std::size_t old = of_node;
        const auto is_of_node = [&] {
            return old < before.verdicts.size() && before.verdicts[old].node == verdict.node;
        };
        while (is_of_node() && before.verdicts[old].destination != verdict.destination)
            ++old;
        if (is_of_node() && is_same_state(before.verdicts[old], verdict))
            verdicts_[i] = old_times[old];
        if (!is_of_node() || before.verdicts[old] != verdict)
            different.push_back(i);
    }
    return different;
}

void PlanTimes::follow_routes(const Plan& before, const Plan& plan, std::chrono::sys_seconds now)
{
    const std::vector<std::chrono::sys_seconds> old_times =
        std::exchange(routes_, std::vector<std::chrono::sys_seconds>(plan.routes.size(), now));
    std::size_t old = 0;
    for (std::size_t i = 0; i < plan.routes.size(); ++i) {
        const PlannedRoute& route = plan.routes[i];
        while (old < before.routes.size() && before.routes[old].destination < route.destination)
            ++old;
        if (old < before.routes.size() && is_same_way(before.routes[old], route))
            routes_[i] = old_times[old];
    }
}

} // namespace routelet::controller
