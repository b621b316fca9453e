#include "controller/difference.h"
#include "test/support/catch.h"
#include "test/support/nodes.h"

#include <array>
#include <ostream>

using namespace routelet;
using namespace routelet::controller;
using namespace routelet::test;

namespace {

constexpr netlink::IfIndex eth0{2};
const RouteIdentity ours;

Way via(const IpAddress& gateway, netlink::IfIndex link = eth0)
{
    return {.gateway = gateway, .link = link};
}

// All changes, in the order in which they are made.
std::vector<RouteChange> changes(const Plan& plan, const OwnRoutes& own)
{
    std::vector<RouteChange> all;
    const Difference found = difference(plan, own);
    for (const auto* list : {&found.to_write, &found.to_remove})
        for (const IpPrefix& destination : *list)
            all.push_back(change_at(destination, plan, own, ours).value());
    return all;
}

} // namespace

namespace routelet::controller {

std::ostream& operator<<(std::ostream& out, const RouteChange& change)
{
    constexpr std::array<const char*, 4> kinds = {"create", "replace", "remove", "take over"};
    return out << kinds.at(static_cast<std::size_t>(change.kind)) << ' ' << change.route;
}

} // namespace routelet::controller

TEST_CASE("the difference between plan and kernel", "[difference]")
{
    const IpPrefix pods = "10.244.2.0/24"_net;
    const Way way = via("192.168.1.12"_ip);
    const netlink::Route in_place = to_kernel_route(pods, way, ours);
    OwnRoutes own{{pods, way}};
    Plan plan{
        .routes = {{pods, "192.168.1.12"_ip, eth0, named("node02")}}, .own_pod_cidrs = {}, .verdicts = {}};

    SECTION("is empty when the kernel already agrees")
    {
        CHECK(difference(plan, own).empty());
        CHECK_FALSE(change_at(pods, plan, own, ours));
    }
    SECTION("is one replacement for a node that comes back under another address")
    {
        plan.routes[0].gateway = "192.168.1.99"_ip;
        const auto moved = to_kernel_route(pods, via("192.168.1.99"_ip), ours);
        CHECK(changes(plan, own) == std::vector<RouteChange>{{RouteChange::Kind::replace, moved, in_place}});
    }
    SECTION("is one replacement when the way leads through another link")
    {
        plan.routes[0].link = netlink::IfIndex{7};
        REQUIRE(changes(plan, own).size() == 1);
        CHECK(changes(plan, own)[0].kind == RouteChange::Kind::replace);
    }
    SECTION("is one replacement where somebody made several ways of it")
    {
        own[pods].is_multipath = true;
        REQUIRE(changes(plan, own).size() == 1);
        CHECK(changes(plan, own)[0].kind == RouteChange::Kind::replace);
    }
    SECTION("removes what no node has any more, after adding what is new")
    {
        plan.routes = {{"10.244.3.0/24"_net, "192.168.1.13"_ip, eth0, named("node03")}};
        const auto added = to_kernel_route("10.244.3.0/24"_net, via("192.168.1.13"_ip), ours);
        CHECK(changes(plan, own) == std::vector<RouteChange>{{RouteChange::Kind::create, added},
                                                             {RouteChange::Kind::remove, in_place}});
    }
    SECTION("is nothing where nothing is planned and nothing is there")
    {
        CHECK_FALSE(change_at("10.244.9.0/24"_net, plan, own, ours));
    }
    SECTION("guards the own podCIDR")
    {
        plan.own_pod_cidrs = {"10.244.1.0/24"_net};
        const auto guarded = to_kernel_route("10.244.1.0/24"_net, guard, ours);
        CHECK(changes(plan, own) == std::vector<RouteChange>{{RouteChange::Kind::create, guarded}});
        own.emplace("10.244.1.0/24"_net, guard);
        CHECK(difference(plan, own).empty());
    }
    SECTION("is one replacement when the own podCIDR becomes another node's, and the other way round")
    {
        const netlink::Route guarded = to_kernel_route(pods, guard, ours);
        CHECK(changes(plan, {{pods, guard}}) ==
              std::vector<RouteChange>{{RouteChange::Kind::replace, in_place, guarded}});
        const Plan swapped{.routes = {}, .own_pod_cidrs = {pods}, .verdicts = {}};
        CHECK(changes(swapped, own) ==
              std::vector<RouteChange>{{RouteChange::Kind::replace, guarded, in_place}});
    }
}
