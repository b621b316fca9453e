#include "controller/difference.h"
#include "test/support/catch.h"

#include <linux/rtnetlink.h>

#include <array>
#include <ostream>

using namespace routelet;
using namespace routelet::controller;
using namespace routelet::test;

namespace {

constexpr netlink::IfIndex eth0{2};
const RouteIdentity ours;

netlink::Route our_route(const IpPrefix& pods, const IpAddress& gateway)
{
    return to_kernel_route({.destination = pods, .gateway = gateway, .link = eth0, .node = ""}, ours);
}

} // namespace

namespace routelet::controller {

std::ostream& operator<<(std::ostream& out, const RouteChange& change)
{
    constexpr std::array<const char*, 3> kinds = {"create", "replace", "remove"};
    return out << kinds.at(static_cast<std::size_t>(change.kind)) << ' ' << change.route << " for "
               << change.node;
}

} // namespace routelet::controller

TEST_CASE("the difference between plan and kernel", "[difference]")
{
    const auto in_place = our_route("10.244.2.0/24"_net, "192.168.1.12"_ip);
    std::map<IpPrefix, netlink::Route> own{{in_place.destination, in_place}};
    Plan plan{.routes = {{"10.244.2.0/24"_net, "192.168.1.12"_ip, eth0, "node02"}},
              .own_pod_cidrs = {},
              .verdicts = {}};

    SECTION("is empty when the kernel already agrees")
    {
        own.begin()->second.flags = RTNH_F_LINKDOWN; // the kernel's own business
        CHECK(difference(plan, own, ours, "node01").empty());
    }
    SECTION("is one replacement for a node that comes back under another address")
    {
        plan.routes[0].gateway = "192.168.1.99"_ip;
        const auto moved = our_route("10.244.2.0/24"_net, "192.168.1.99"_ip);
        CHECK(difference(plan, own, ours, "node01") ==
              std::vector<RouteChange>{{RouteChange::Kind::replace, moved, in_place, "node02"}});
    }
    SECTION("is one replacement when the way leads through another link")
    {
        plan.routes[0].link = netlink::IfIndex{7};
        REQUIRE(difference(plan, own, ours, "node01").size() == 1);
        CHECK(difference(plan, own, ours, "node01")[0].kind == RouteChange::Kind::replace);
    }
    SECTION("removes what no node has any more, after adding what is new")
    {
        plan.routes = {{"10.244.3.0/24"_net, "192.168.1.13"_ip, eth0, "node03"}};
        const auto added = our_route("10.244.3.0/24"_net, "192.168.1.13"_ip);
        CHECK(difference(plan, own, ours, "node01") ==
              std::vector<RouteChange>{{RouteChange::Kind::create, added, {}, "node03"},
                                       {RouteChange::Kind::remove, in_place, {}, {}}});
    }
    SECTION("guards the own podCIDR")
    {
        plan.own_pod_cidrs = {"10.244.1.0/24"_net};
        const auto guard = guard_route("10.244.1.0/24"_net, ours);
        CHECK(difference(plan, own, ours, "node01") ==
              std::vector<RouteChange>{{RouteChange::Kind::create, guard, {}, "node01"}});
        own.emplace(guard.destination, guard);
        CHECK(difference(plan, own, ours, "node01").empty());
    }
    SECTION("is one replacement when the own podCIDR becomes another node's, and the other way round")
    {
        own = {{"10.244.2.0/24"_net, guard_route("10.244.2.0/24"_net, ours)}};
        CHECK(
            difference(plan, own, ours, "node01") ==
            std::vector<RouteChange>{{RouteChange::Kind::replace, in_place, own.begin()->second, "node02"}});
        const Plan swapped{.routes = {}, .own_pod_cidrs = {"10.244.2.0/24"_net}, .verdicts = {}};
        CHECK(
            difference(swapped, {{in_place.destination, in_place}}, ours, "node01") ==
            std::vector<RouteChange>{{RouteChange::Kind::replace, own.begin()->second, in_place, "node01"}});
    }
}
