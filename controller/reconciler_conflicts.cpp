// The reconciler's dealings with routes of somebody else's to the same destinations.
#include "controller/reconciler.h"

#include <set>
#include <utility>

namespace routelet::controller {
namespace {

std::string_view describe_conflict(std::uint32_t foreign, std::uint32_t ours)
{
    if (foreign == ours)
        return "it has our metric, so ours cannot be added, and takes the packets";
    return foreign < ours ? "the foreign route has the lower metric and takes the packets"
                          : "our route has the lower metric and takes the packets";
}

} // namespace

std::string Reconciler::describe_owner(const netlink::Route& route)
{
    return "proto " + netlink::to_string(route.protocol) + " metric " + std::to_string(route.metric);
}

void Reconciler::look_for_conflicts()
{
    std::set<IpPrefix> seen;
    mirror_.for_each_foreign([&](const netlink::Route& foreign) {
        if (plan_.find(foreign.destination) != nullptr)
            seen.insert(foreign.destination);
    });
    for (const auto& [destination, foreign] : conflicts_)
        seen.insert(destination);
    for (const IpPrefix& destination : seen)
        look_for_conflict(destination);
}

void Reconciler::look_for_conflict(const IpPrefix& destination)
{
    const PlannedRoute* planned = plan_.find(destination);
    const netlink::Route* foreign = mirror_.foreign_route(destination);
    while (options_.adopt && planned != nullptr && foreign != nullptr && adopt(*planned, *foreign))
        foreign = mirror_.foreign_route(destination);
    const auto known = conflicts_.find(destination);
    if (planned == nullptr || foreign == nullptr) {
        if (known == conflicts_.end())
            return;
        conflicts_.erase(known);
        if (burst_.has_room(LogLevel::info, "route-conflict-over"))
            log_.write(LogLine(LogLevel::info, "route-conflict-over").with("dst", destination));
        return;
    }
    if (known != conflicts_.end() && known->second == *foreign)
        return;
    conflicts_.insert_or_assign(destination, *foreign);
    if (burst_.has_room(LogLevel::warn, "route-conflict"))
        log_.write(
            LogLine(LogLevel::warn, "route-conflict")
                .with("node", planned->node->name)
                .with("dst", destination)
                .with("via", planned->gateway)
                .with("foreign", *foreign)
                .with("owner", describe_owner(*foreign))
                .with("detail", describe_conflict(foreign->metric, metric_of(*planned)))
                .with("remedy",
                      options_.adopt
                          ? "remove that route, or stop whoever makes it"
                          : "remove that route, or stop whoever makes it; --adopt does the former where "
                            "the routes are alike"));
}

// Of the route that is there, else of the one that is to be.
std::uint32_t Reconciler::metric_of(const PlannedRoute& planned) const
{
    const auto ours = mirror_.own_routes().find(planned.destination);
    return ours != mirror_.own_routes().end() ? ours->second.metric
                                              : options_.identity.metric_of(planned.gateway);
}

// Takes over an identical route of somebody else's: ours is there before that one goes, so no packet is
// lost. False when it stays.
bool Reconciler::adopt(const PlannedRoute& planned, const netlink::Route& foreign)
{
    const IpPrefix& destination = planned.destination;
    const auto ours = mirror_.own_routes().find(destination);
    const bool is_alike = ours != mirror_.own_routes().end() && ours->second.way == Way::of(planned) &&
                          Way::of(foreign) == ours->second.way;
    const auto now = Cause::Clock::now();
    if (!is_alike || adoptions_.holds(destination, now))
        return false;
    (void)adoptions_.note_loss(destination, now); // whoever makes it again and again keeps it for a while
    const RouteChange change{RouteChange::Kind::take_over, foreign};
    const auto taken = kernel_.apply({change}).front();
    const LogLevel level = taken ? LogLevel::info : LogLevel::warn;
    const std::string_view event = taken ? "route-adopted" : "route-failed";
    if (burst_.has_room(level, event)) {
        LogLine line = about(level, event, destination);
        line.add("via", planned.gateway);
        line.add("owner", describe_owner(foreign));
        if (!taken)
            line.add("error", taken.error().text());
        log_.write(line);
    }
    if (taken)
        mirror_.applied(change);
    return taken.has_value();
}

} // namespace routelet::controller
