#pragma once
#include "controller/plan.h"

#include <chrono>
#include <cstddef>
#include <vector>

namespace routelet::controller {

// Since when each podCIDR has stood where it stands in the plan that this follows: its state, and with it the
// next hop or the reason. Pure.
class PlanTimes {
public:
    // Another plan. Returns the positions in plan.verdicts of those that say another thing than before, be it
    // only in their detail, which changes no time.
    std::vector<std::size_t> follow(const Plan& before, const Plan& plan, std::chrono::sys_seconds now);

    // By the position in the plan.
    std::chrono::sys_seconds of_route(std::size_t position) const { return routes_.at(position); }
    std::chrono::sys_seconds of_verdict(std::size_t position) const { return verdicts_.at(position); }

private:
    void follow_routes(const Plan& before, const Plan& plan, std::chrono::sys_seconds now);

    std::vector<std::chrono::sys_seconds> routes_;
    std::vector<std::chrono::sys_seconds> verdicts_;
};

} // namespace routelet::controller
