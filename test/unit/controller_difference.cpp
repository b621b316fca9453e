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
    const netlink::Route in_place = new_route(pods, way, ours);
    OwnRoutes own{{pods, {way, 8468}}};
    Plan plan{
        .routes = {{pods, "192.168.1.12"_ip, eth0, named("node02")}}, .own_pod_cidrs = {}, .verdicts = {}};

    SECTION("is empty when the kernel already agrees")
    {
        CHECK(difference(plan, own).empty());
        CHECK_FALSE(change_at(pods, plan, own, ours));
    }
    SECTION("is empty whichever of our metrics the route has")
    {
        own[pods].metric = 73735;
        CHECK(difference(plan, own).empty());
        CHECK_FALSE(change_at(pods, plan, own, ours));
    }
    SECTION("is one replacement for a node that comes back under another address")
    {
        plan.routes[0].gateway = "192.168.1.99"_ip;
        const auto moved = to_kernel_route(pods, {via("192.168.1.99"_ip), 8468}, ours);
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
        own[pods].way.is_multipath = true;
        REQUIRE(changes(plan, own).size() == 1);
        CHECK(changes(plan, own)[0].kind == RouteChange::Kind::replace);
    }
    SECTION("removes what no node has any more, after adding what is new")
    {
        plan.routes = {{"10.244.3.0/24"_net, "192.168.1.13"_ip, eth0, named("node03")}};
        const auto added = new_route("10.244.3.0/24"_net, via("192.168.1.13"_ip), ours);
        CHECK(changes(plan, own) == std::vector<RouteChange>{{RouteChange::Kind::create, added},
                                                             {RouteChange::Kind::remove, in_place}});
    }
    SECTION("is nothing where nothing is planned and nothing is there")
    {
        CHECK_FALSE(change_at("10.244.9.0/24"_net, plan, own, ours));
    }
    SECTION("guards the own podCIDR")
    {
        plan.guarded = {"10.244.1.0/24"_net};
        const auto guarded = new_route("10.244.1.0/24"_net, guard, ours);
        CHECK(changes(plan, own) == std::vector<RouteChange>{{RouteChange::Kind::create, guarded}});
        own.emplace("10.244.1.0/24"_net, OwnRoute{guard, 8200});
        CHECK(difference(plan, own).empty());
    }
    SECTION("is one replacement when the own podCIDR becomes another node's, and the other way round")
    {
        const OwnRoute guarded{guard, 8200};
        CHECK(changes(plan, {{pods, guarded}}) ==
              std::vector<RouteChange>{{RouteChange::Kind::replace, to_kernel_route(pods, {way, 8200}, ours),
                                        to_kernel_route(pods, guarded, ours)}});
        const Plan swapped{.routes = {}, .own_pod_cidrs = {pods}, .verdicts = {}, .guarded = {pods}};
        CHECK(changes(swapped, own) ==
              std::vector<RouteChange>{
                  {RouteChange::Kind::replace, to_kernel_route(pods, {guard, 8468}, ours), in_place}});
    }
}

TEST_CASE("what a route is known by as ours", "[difference]")
{
    struct Row {
        const char* what;
        int protocol;
        std::uint32_t metric;
        bool is_ours;
    };
    const RouteIdentity other{.protocol = netlink::RouteProtocol{83}, .metric = 100};
    for (const Row& row : std::vector<Row>{{"the first metric", 82, 8200, true},
                                           {"the last", 82, 73735, true},
                                           {"the one before", 82, 8199, false},
                                           {"the one after", 82, 73736, false},
                                           {"another protocol", 4, 8200, false},
                                           {"none of both", 4, 0, false}}) {
        CAPTURE(row.what);
        netlink::Route route;
        route.protocol = netlink::RouteProtocol{static_cast<std::uint8_t>(row.protocol)};
        route.metric = row.metric;
        CHECK(ours.owns(route) == row.is_ours);
        CHECK_FALSE(other.owns(route));
    }
}

TEST_CASE("a new route's metric", "[difference]")
{
    CHECK(ours.metric_of("192.168.1.12"_ip) == 8200 + 256 + 12);
    CHECK(ours.metric_of("192.168.0.0"_ip) == 8200);
    CHECK(ours.metric_of("192.168.255.255"_ip) == 8200 + 65535);
    CHECK(ours.metric_of("fd00::12"_ip) == 8200); // IPv6 needs no spreading
    CHECK(ours.metric_of({}) == 8200);            // a guard
}
