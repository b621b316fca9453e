#include "controller/route_changes.h"

#include "controller/difference.h"

#include <utility>

namespace routelet::controller {
namespace {

void renew(const RouteChange& replacement, const RouteIdentity& identity, std::vector<RouteChange>& changes)
{
    const netlink::Route& before = *replacement.previous;
    RouteChange addition{RouteChange::Kind::create,
                         new_route(before.destination, Way::of(replacement.route), identity)};
    RouteChange removal{RouteChange::Kind::remove, before};
    if (addition.route.metric == before.metric)
        std::swap(addition, removal);
    changes.push_back(std::move(addition));
    changes.push_back(std::move(removal));
}

} // namespace

std::vector<RouteChange> removals_of_surplus(const KernelMirror& mirror)
{
    std::vector<RouteChange> changes;
    for (const netlink::Route& route : mirror.surplus_routes())
        changes.push_back({RouteChange::Kind::remove, route});
    return changes;
}

std::vector<RouteChange> changes_at(const std::vector<IpPrefix>& destinations, const Plan& plan,
                                    const KernelMirror& mirror, const RouteIdentity& identity)
{
    std::vector<RouteChange> changes;
    std::vector<RouteChange> spared;
    changes.reserve(destinations.size());
    for (const IpPrefix& destination : destinations) {
        auto change = change_at(destination, plan, mirror.own_routes(), identity);
        if (!change)
            continue;
        if (change->kind == RouteChange::Kind::replace && mirror.is_shared(destination))
            renew(*change, identity, spared);
        else
            changes.push_back(std::move(*change));
    }
    changes.insert(changes.end(), spared.begin(), spared.end());
    return changes;
}

} // namespace routelet::controller
