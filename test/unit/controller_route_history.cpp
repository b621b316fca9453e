#include "controller/route_history.h"
#include "test/support/catch.h"
#include "test/support/nodes.h"

using namespace routelet;
using namespace routelet::controller;
using namespace routelet::test;

namespace {

constexpr netlink::IfIndex eth0{2};
const IpPrefix pods = "10.244.2.0/24"_net;
const IpPrefix own_pods = "10.244.1.0/24"_net;
const OwnRoute way{.way = {.gateway = "192.168.1.12"_ip, .link = eth0}, .metric = 8468};

Plan plan_for(const std::string& node)
{
    return {.routes = {{pods, "192.168.1.12"_ip, eth0, named(node)}}, .own_pod_cidrs = {}, .verdicts = {}};
}

// A history that follows one plan after another, on a cluster of node02 alone.
struct Followed {
    Followed() { nodes.upsert({.name = "node02"}); }

    void follow(Plan next)
    {
        history.follow(plan, next);
        plan = std::move(next);
    }
    void compare(const OwnRoutes& own) { history.compare(plan, own, nodes); }
    bool note(const OwnRoutes& own) { return history.note(plan, pods, present_way(own, pods)); }
    std::string node_of(const IpPrefix& destination) const
    {
        return std::string(history.node_of(plan, destination, "node01"));
    }

    NodeTable nodes;
    Plan plan;
    RouteHistory history;
};

} // namespace

TEST_CASE("a route was in place once it has been, for the node that it is planned for", "[history]")
{
    Followed f;
    f.follow(plan_for("node02"));
    f.compare({});
    CHECK(f.history.in_place() == 0);
    CHECK_FALSE(f.note({{pods, way}}));
    CHECK(f.history.in_place() == 1);

    CHECK(f.note({})); // somebody removed it
    CHECK(f.history.in_place() == 0);
    CHECK(f.note({{pods, way}}));
    CHECK(f.note({}));

    SECTION("also after another plan, and a comparison of everything")
    {
        f.follow(plan_for("node02"));
        f.compare({});
        CHECK(f.note({{pods, way}}));
    }
    SECTION("also when it was not planned for a while, as when its link was down")
    {
        f.follow({});
        f.compare({});
        f.follow(plan_for("node02"));
        CHECK(f.note({{pods, way}}));
    }
    SECTION("but not for another node that has the destination now")
    {
        f.follow(plan_for("node03"));
        CHECK_FALSE(f.note({{pods, way}}));
    }
}

TEST_CASE("whose a route was is known until it is removed, or nothing can come back", "[history]")
{
    Followed f;
    f.follow(plan_for("node02"));
    f.compare({{pods, way}});
    CHECK(f.node_of(pods) == "node02");
    f.follow({});
    f.compare({{pods, way}});
    CHECK(f.node_of(pods) == "node02");

    SECTION("it is removed")
    {
        f.history.forget(pods);
        CHECK(f.node_of(pods).empty());
    }
    SECTION("its node is gone, and the route with it")
    {
        f.nodes.erase("node02");
        f.compare({{pods, way}});
        CHECK(f.node_of(pods) == "node02");
        f.compare({});
        CHECK(f.node_of(pods).empty());
    }
}

TEST_CASE("what is planned no more is not counted as in place, whatever the kernel has", "[history]")
{
    Followed f;
    f.follow(plan_for("node02"));
    f.compare({{pods, way}});
    REQUIRE(f.history.in_place() == 1);

    f.follow({});
    CHECK(f.history.in_place() == 0);
    (void)f.note({{pods, way}});
    CHECK(f.history.in_place() == 0);
    f.follow(plan_for("node03"));
    CHECK(f.history.in_place() == 0); // until it is looked at
    (void)f.note({{pods, way}});
    CHECK(f.history.in_place() == 1);
}

TEST_CASE("guards are this node's", "[history]")
{
    Followed f;
    f.follow({.routes = {}, .own_pod_cidrs = {own_pods}, .verdicts = {}, .guarded = {own_pods}});
    CHECK(f.node_of(own_pods) == "node01");
    const OwnRoutes there = {{own_pods, {guard, 8200}}};
    CHECK_FALSE(f.history.note(f.plan, own_pods, {}));
    f.compare(there);
    CHECK(f.history.note(f.plan, own_pods, guard));
    CHECK(f.history.in_place() == 0); // no route to a node

    f.follow({});
    CHECK(f.node_of(own_pods) == "node01");
    f.history.forget(own_pods);
    CHECK(f.node_of(own_pods).empty());
}
