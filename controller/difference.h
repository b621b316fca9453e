#pragma once
#include "controller/kernel.h"
#include "controller/plan.h"

#include <linux/rtnetlink.h>

#include <boost/unordered/unordered_flat_map.hpp>

#include <cstddef>
#include <functional>
#include <optional>
#include <vector>

namespace routelet::controller {

// What a route says beside its destination and its identity: where packets go. What the kernel adds on its
// own account (flags, scope) does not count.
struct Way {
    std::optional<IpAddress> gateway{};
    std::uint8_t type = RTN_UNICAST;
    bool is_multipath = false; // never ours as we wrote it
    netlink::IfIndex link{};   // none for a guard

    static Way of(const netlink::Route& route);
    static Way of(const PlannedRoute& planned);

    friend bool operator==(const Way&, const Way&) = default;
};

// A route of ours as it is in the kernel.
struct OwnRoute {
    Way way;
    std::uint32_t metric = 0; // one of RouteIdentity's; which one makes no difference

    static OwnRoute of(const netlink::Route& route) { return {Way::of(route), route.metric}; }

    friend bool operator==(const OwnRoute&, const OwnRoute&) = default;
};

// By destination; in no order.
using OwnRoutes = boost::unordered_flat_map<IpPrefix, OwnRoute, std::hash<IpPrefix>>;

// What keeps packets for addresses that no pod has from following the default route, out of the cluster or
// round in a loop: an unreachable route. At an own podCIDR the bridge's own connected route wins over it
// while it is there; at a cluster CIDR every podCIDR's route does, which is more specific.
inline constexpr Way guard{.type = RTN_UNREACHABLE};
inline bool is_guard(const Way& way) noexcept
{
    return way.type == RTN_UNREACHABLE;
}

// The route that this is in the kernel: in the main table, by our protocol.
netlink::Route to_kernel_route(const IpPrefix& destination, const OwnRoute& own,
                               const RouteIdentity& identity);
// The same where there is none yet: with the metric that it gets then.
netlink::Route new_route(const IpPrefix& destination, const Way& way, const RouteIdentity& identity);

// Where packets to exactly this destination are to go by the plan; none when it is no route of ours.
std::optional<Way> planned_way(const Plan& plan, const IpPrefix& destination);
// Where our route there sends them.
std::optional<Way> present_way(const OwnRoutes& own, const IpPrefix& destination);

// What to change at one destination so that it becomes as planned; none when the kernel agrees already. Pure.
// A changed next hop is one replacement, at the metric that the route has, never a removal and an addition:
// half of the packets in between were lost that way.
//
// `own` holds only routes that RouteIdentity::owns(), so foreign ones cannot be removed even by a bug here.
std::optional<RouteChange> change_at(const IpPrefix& destination, const Plan& plan, const OwnRoutes& own,
                                     const RouteIdentity& identity);

// All destinations where plan and kernel differ, each list in the order of destinations. Pure. Writing comes
// before removing, so that a podCIDR that moves from one node to another is never without a route.
struct Difference {
    std::vector<IpPrefix> to_write;
    std::vector<IpPrefix> to_remove;

    bool empty() const noexcept { return to_write.empty() && to_remove.empty(); }
};
Difference difference(const Plan& plan, const OwnRoutes& own);

} // namespace routelet::controller
