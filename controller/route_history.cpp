#include "controller/route_history.h"

#include <algorithm>
#include <utility>

namespace routelet::controller {
namespace {

std::size_t position_of(const PlannedRoute* planned, const Plan& plan)
{
    return static_cast<std::size_t>(planned - plan.routes.data());
}

} // namespace

void RouteHistory::follow(const Plan& before, const Plan& plan)
{
    std::vector<Standing> standings(plan.routes.size());
    std::size_t now = 0;
    for (std::size_t old = 0; old < before.routes.size(); ++old) {
        const PlannedRoute& route = before.routes[old];
        while (now < plan.routes.size() && plan.routes[now].destination < route.destination)
            ++now;
        const bool is_same =
            now < plan.routes.size() && plan.routes[now].destination == route.destination &&
            (plan.routes[now].node == route.node || plan.routes[now].node->name == route.node->name);
        if (is_same)
            standings[now] = standings_[old];
        else if (standings_[old].was_in_place)
            leaving_.insert_or_assign(route.destination, route.node->name);
    }
    std::erase_if(leaving_, [&](const auto& left) {
        const PlannedRoute* planned = plan.find(left.first);
        if (planned != nullptr && planned->node->name == left.second)
            standings[position_of(planned, plan)].was_in_place = true;
        return planned != nullptr;
    });
    standings_ = std::move(standings);
    in_place_ = static_cast<std::size_t>(std::ranges::count_if(
        standings_, [](const Standing& standing) { return bool{standing.is_in_place}; }));
}

void RouteHistory::compare(const Plan& plan, const OwnRoutes& own, const NodeTable& nodes)
{
    in_place_ = 0;
    for (std::size_t i = 0; i < plan.routes.size(); ++i) {
        const bool is_in_place = own.contains(plan.routes[i].destination);
        standings_[i] = {is_in_place, is_in_place || standings_[i].was_in_place};
        in_place_ += is_in_place ? 1 : 0;
    }
    for (const IpPrefix& guarded : plan.guarded)
        if (own.contains(guarded))
            guards_.insert(guarded);
    // Of a node that is gone, nothing comes back.
    std::erase_if(leaving_, [&](const auto& left) {
        return !own.contains(left.first) && !nodes.contains(left.second);
    });
}

bool RouteHistory::note(const Plan& plan, const IpPrefix& destination, const std::optional<Way>& now)
{
    const bool is_in_place = now.has_value();
    const bool was_guard = guards_.contains(destination);
    if (now && is_guard(*now))
        guards_.insert(destination);
    else if (is_in_place)
        guards_.erase(destination);
    const PlannedRoute* planned = plan.find(destination);
    if (planned == nullptr)
        return was_guard;
    Standing& standing = standings_[position_of(planned, plan)];
    const bool was_in_place = standing.was_in_place;
    in_place_ -= standing.is_in_place ? 1 : 0;
    in_place_ += is_in_place ? 1 : 0;
    standing = {is_in_place, is_in_place || was_in_place};
    return was_in_place;
}

void RouteHistory::forget(const IpPrefix& destination)
{
    leaving_.erase(destination);
    guards_.erase(destination);
}

FamilyCounts RouteHistory::in_place(const Plan& plan) const noexcept
{
    FamilyCounts counts;
    for (std::size_t i = 0; i < plan.routes.size(); ++i)
        if (standings_[i].is_in_place)
            ++(plan.routes[i].destination.family() == IpFamily::v4 ? counts.v4 : counts.v6);
    return counts;
}

std::string_view RouteHistory::node_of(const Plan& plan, const IpPrefix& destination,
                                       std::string_view self) const
{
    if (const PlannedRoute* planned = plan.find(destination))
        return planned->node->name;
    if (const auto left = leaving_.find(destination); left != leaving_.end())
        return left->second;
    return plan.guards(destination) || guards_.contains(destination) ? self : std::string_view();
}

} // namespace routelet::controller
