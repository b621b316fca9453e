#include "controller/difference.h"

#include <linux/rtnetlink.h>

#include <set>

namespace routelet::controller {
namespace {

// Whether packets take the same way: what the kernel adds on its own account (flags, scope) does not count.
bool is_same_way(const netlink::Route& a, const netlink::Route& b)
{
    return a.gateway == b.gateway && a.oif == b.oif && a.type == b.type && a.is_multipath == b.is_multipath;
}

} // namespace

netlink::Route to_kernel_route(const PlannedRoute& planned, const RouteIdentity& identity)
{
    return {.destination = planned.destination,
            .gateway = planned.gateway,
            .oif = planned.link,
            .table = RT_TABLE_MAIN,
            .metric = identity.metric,
            .protocol = identity.protocol,
            .type = RTN_UNICAST};
}

std::vector<RouteChange> difference(const Plan& plan, const std::map<IpPrefix, netlink::Route>& own,
                                    const RouteIdentity& identity)
{
    std::vector<RouteChange> changes;
    std::set<IpPrefix> wanted;
    for (const PlannedRoute& planned : plan.routes) {
        wanted.insert(planned.destination);
        const netlink::Route route = to_kernel_route(planned, identity);
        const auto present = own.find(planned.destination);
        if (present == own.end())
            changes.push_back({RouteChange::Kind::create, route, {}, planned.node});
        else if (!is_same_way(present->second, route))
            changes.push_back({RouteChange::Kind::replace, route, present->second, planned.node});
    }
    for (const auto& [destination, route] : own)
        if (!wanted.contains(destination))
            changes.push_back({RouteChange::Kind::remove, route, {}, {}});
    return changes;
}

} // namespace routelet::controller
