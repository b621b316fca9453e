#include "controller/difference.h"

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

netlink::Route guard_route(const IpPrefix& pod_cidr, const RouteIdentity& identity)
{
    return {.destination = pod_cidr,
            .gateway = {},
            .oif = {},
            .table = RT_TABLE_MAIN,
            .metric = identity.metric,
            .protocol = identity.protocol,
            .type = RTN_UNREACHABLE};
}

std::vector<RouteChange> difference(const Plan& plan, const std::map<IpPrefix, netlink::Route>& own,
                                    const RouteIdentity& identity, const std::string& self)
{
    std::vector<RouteChange> changes;
    std::set<IpPrefix> wanted;
    const auto want = [&](const netlink::Route& route, const std::string& node) {
        wanted.insert(route.destination);
        const auto present = own.find(route.destination);
        if (present == own.end())
            changes.push_back({RouteChange::Kind::create, route, {}, node});
        else if (!is_same_way(present->second, route))
            changes.push_back({RouteChange::Kind::replace, route, present->second, node});
    };
    for (const PlannedRoute& planned : plan.routes)
        want(to_kernel_route(planned, identity), planned.node);
    for (const IpPrefix& pod_cidr : plan.own_pod_cidrs)
        want(guard_route(pod_cidr, identity), self);
    for (const auto& [destination, route] : own)
        if (!wanted.contains(destination))
            changes.push_back({RouteChange::Kind::remove, route, {}, {}});
    return changes;
}

} // namespace routelet::controller
