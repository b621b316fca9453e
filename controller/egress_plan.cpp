#include "controller/egress_plan.h"

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

    std::vector<IpPrefix> exempt = {IpPrefix::parse("224.0.0.0/4").value(),
                                    IpPrefix::parse("ff00::/8").value()};
    const auto add = [&](const std::vector<IpPrefix>& prefixes) {
        exempt.insert(exempt.end(), prefixes.begin(), prefixes.end());
    };
    add(options.cluster_cidrs);
    add(options.exempt);
    add(pods);
    add(plan.gateway_pod_cidrs);
    for (const PlannedRoute& route : plan.routes)
        add({route.destination, host(route.gateway)});
    for (const auto& [destination, route] : in_place)
        if (route.way.gateway)
            add({destination, host(*route.way.gateway)});
    return EgressSets{.pods = merged(pods), .exempt = merged(std::move(exempt))};
}

} // namespace routelet::controller
