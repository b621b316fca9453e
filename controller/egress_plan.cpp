#include "controller/egress_plan.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace routelet::controller {
namespace {

IpPrefix host(const IpAddress& address)
{
    return IpPrefix::of(address, address.bits());
}

} // namespace

std::optional<EgressSets> plan_egress(const Plan& plan, const OwnRoutes& in_place,
                                      const EgressOptions& options)
{
    const std::vector<IpPrefix>& pods = plan.own_pod_cidrs;
    if (pods.empty())
        return std::nullopt;

    std::vector<IpPrefix> others = {IpPrefix::parse("224.0.0.0/4").value(),
                                    IpPrefix::parse("ff00::/8").value()};
    const auto add = [&](const std::vector<IpPrefix>& prefixes) {
        others.insert(others.end(), prefixes.begin(), prefixes.end());
    };
    add(options.cluster_cidrs);
    add(options.exempt);
    add(pods);
    add(plan.gateway_pod_cidrs);

    // The plan has the pods of all nodes in order: only the rest has to be sorted, and of what is in place
    // only what is planned otherwise counts.
    std::vector<IpPrefix> planned;
    planned.reserve(plan.routes.size());
    auto as_planned = std::ranges::count_if(
        plan.guarded, [&](const IpPrefix& guarded) { return in_place.contains(guarded); });
    for (const PlannedRoute& route : plan.routes) {
        planned.push_back(route.destination);
        others.push_back(host(route.gateway));
        const auto present = in_place.find(route.destination);
        as_planned += present != in_place.end() && present->second.way.gateway == route.gateway ? 1 : 0;
    }
    if (std::cmp_less(as_planned, in_place.size()))
        for (const auto& [destination, route] : in_place)
            if (route.way.gateway)
                add({destination, host(*route.way.gateway)});
    std::ranges::sort(others);
    std::vector<IpPrefix> exempt;
    exempt.reserve(planned.size() + others.size());
    std::ranges::merge(planned, others, std::back_inserter(exempt));
    return EgressSets{.pods = merged(pods), .exempt = merged(std::move(exempt))};
}

} // namespace routelet::controller
