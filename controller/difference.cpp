#include "controller/difference.h"

#include <algorithm>

namespace routelet::controller {

Way Way::of(const netlink::Route& route)
{
    return {
        .gateway = route.gateway, .type = route.type, .is_multipath = route.is_multipath, .link = route.oif};
}

Way Way::of(const PlannedRoute& planned)
{
    return {.gateway = planned.gateway, .link = planned.link};
}

netlink::Route to_kernel_route(const IpPrefix& destination, const OwnRoute& own,
                               const RouteIdentity& identity)
{
    return {.destination = destination,
            .gateway = own.way.gateway,
            .oif = own.way.link,
            .table = RT_TABLE_MAIN,
            .metric = own.metric,
            .protocol = identity.protocol,
            .type = own.way.type,
            .is_multipath = own.way.is_multipath};
}

netlink::Route new_route(const IpPrefix& destination, const Way& way, const RouteIdentity& identity)
{
    return to_kernel_route(destination, {way, identity.metric_of(way.gateway)}, identity);
}

std::optional<Way> planned_way(const Plan& plan, const IpPrefix& destination)
{
    if (const PlannedRoute* planned = plan.find(destination))
        return Way::of(*planned);
    if (plan.guards(destination))
        return guard;
    return {};
}

std::optional<Way> present_way(const OwnRoutes& own, const IpPrefix& destination)
{
    const auto present = own.find(destination);
    return present != own.end() ? std::optional(present->second.way) : std::nullopt;
}

std::optional<RouteChange> change_at(const IpPrefix& destination, const Plan& plan, const OwnRoutes& own,
                                     const RouteIdentity& identity)
{
    const std::optional<Way> wanted = planned_way(plan, destination);
    const auto present = own.find(destination);
    if (present == own.end()) {
        if (!wanted)
            return {};
        return RouteChange{RouteChange::Kind::create, new_route(destination, *wanted, identity)};
    }
    netlink::Route there = to_kernel_route(destination, present->second, identity);
    if (!wanted)
        return RouteChange{RouteChange::Kind::remove, std::move(there)};
    if (*wanted == present->second.way)
        return {};
    netlink::Route wanted_there = to_kernel_route(destination, {*wanted, present->second.metric}, identity);
    return RouteChange{RouteChange::Kind::replace, std::move(wanted_there), std::move(there)};
}

Difference difference(const Plan& plan, const OwnRoutes& own)
{
    Difference found;
    std::size_t wanted_and_present = 0;
    const auto compare = [&](const IpPrefix& destination, const Way& wanted) {
        const auto present = own.find(destination);
        if (present != own.end())
            ++wanted_and_present;
        if (present == own.end() || present->second.way != wanted)
            found.to_write.push_back(destination);
    };
    for (const PlannedRoute& planned : plan.routes)
        compare(planned.destination, Way::of(planned));
    for (const IpPrefix& guarded : plan.guarded)
        compare(guarded, guard);
    if (wanted_and_present == own.size()) // the usual case: none too many
        return found;
    for (const auto& [destination, route] : own)
        if (!planned_way(plan, destination))
            found.to_remove.push_back(destination);
    std::ranges::sort(found.to_remove);
    return found;
}

} // namespace routelet::controller
