// What a router plans, and nodes that are on no network of this machine.
#include "test/unit/planned_cluster.h"

#include <algorithm>

using namespace routelet;
using namespace routelet::controller;
using namespace routelet::test;
using namespace routelet::test::planned;

TEST_CASE("with --off-link=gateway, nodes of other networks are left to the default route",
          "[plan][off-link]")
{
    PlanOptions options = as_node01;
    options.off_link = OffLink::gateway;
    const TestNode far = {
        "far", {"10.244.4.0/24", "fd00:10:244:4::/64"}, {"192.168.2.14", "fd00:192:168:2::14"}};
    LocalFacts local = node01;
    local.gateways.push_back({"fd00:192:168:1::1"_ip, eth1});
    const auto near_routes = Routes{{"node02", "10.244.2.0/24"_net, "192.168.1.12"_ip}};

    const Plan plan = plan_routes(cluster({self, node02, far}), local, options);

    CHECK(routes_of(plan) == near_routes);
    CHECK(plan.gateway_pod_cidrs == std::vector<IpPrefix>{"10.244.4.0/24"_net, "fd00:10:244:4::/64"_net});
    const Verdict verdict = verdict_of(plan, "far");
    CHECK(verdict.state == NodeState::gateway);
    CHECK(to_string(verdict.state) == "gateway");
    CHECK(verdict.reason == Reason::none);
    CHECK(verdict.detail ==
          "192.168.2.14 is on no network of this machine; the default route through 192.168.1.1 leads there");

    SECTION("each family needs a default route of its own")
    {
        local.gateways.pop_back();
        const Plan half = plan_routes(cluster({self, node02, far}), local, options);
        CHECK(half.gateway_pod_cidrs == std::vector<IpPrefix>{"10.244.4.0/24"_net});
        const auto other = std::ranges::find(half.verdicts, "fd00:10:244:4::/64", &Verdict::destination);
        REQUIRE(other != half.verdicts.end());
        CHECK(other->state == NodeState::pending);
        CHECK(other->reason == Reason::no_default_gateway);
        CHECK_THAT(other->detail, has_text("no default route of family IPv6"));
    }
    SECTION("without the option they are refused")
    {
        const Plan skipped = plan_routes(cluster({self, node02, far}), local, as_node01);
        CHECK(routes_of(skipped) == near_routes);
        CHECK(skipped.gateway_pod_cidrs.empty());
        CHECK(verdict_of(skipped, "far").reason == Reason::next_hop_off_link);
    }
    SECTION("what is left to the gateway has its range as any other: a younger node cannot take it")
    {
        const TestNode thief = {"thief", {"10.244.4.0/25"}, {"192.168.1.15"}, "2026-02-01T00:00:00Z"};
        const Plan both = plan_routes(cluster({self, node02, far, thief}), local, options);
        CHECK(routes_of(both) == near_routes);
        CHECK(verdict_of(both, "thief").reason == Reason::overlaps_node);
    }
}

TEST_CASE("nothing is left to the default route that is refused for another reason", "[plan][off-link]")
{
    PlanOptions options = as_node01;
    options.off_link = OffLink::gateway;
    struct Row {
        TestNode bad;
        Reason reason;
    };
    const auto row = GENERATE(values<Row>({
        {{"bad", {"10.244.4.0/24"}, {"192.168.1.1"}}, Reason::next_hop_is_gateway},
        {{"bad", {"10.244.4.0/24"}, {"192.168.1.11"}}, Reason::next_hop_is_local},
        {{"bad", {"10.244.4.0/24"}, {"224.0.0.9"}}, Reason::next_hop_not_unicast},
        {{"bad", {"10.244.4.0/24"}, {"192.168.1.0"}}, Reason::next_hop_not_unicast},
        {{"bad", {"10.244.4.0/24"}, {"192.168.1.255"}}, Reason::next_hop_not_unicast},
        {{"bad", {"192.168.1.0/24"}, {"192.168.2.14"}}, Reason::overlaps_local_network},
        {{"bad", {"10.244.1.0/24"}, {"192.168.2.14"}}, Reason::overlaps_own_pod_cidr},
        {{"bad", {"0.0.0.0/1"}, {"192.168.2.14"}}, Reason::pod_cidr_not_unicast},
        {{"bad", {"10.244.4.0/24"}, {}}, Reason::no_internal_ip},
    }));
    CAPTURE(row.bad.pod_cidrs, row.bad.internal_ips);

    const Plan plan = plan_routes(cluster({self, node02, row.bad}), node01, options);

    CHECK(to_string(verdict_of(plan, "bad").reason) == to_string(row.reason));
    CHECK(plan.gateway_pod_cidrs.empty());
}

TEST_CASE("a router routes every node's podCIDR, and nobody is itself", "[plan][router]")
{
    const PlanOptions as_router = {.node_name = "", .cluster_cidrs = {}, .service_cidrs = {}};
    const LocalFacts router = {
        .addresses = {"127.0.0.1"_ip, "192.168.1.1"_ip, "192.168.2.1"_ip, "203.0.113.2"_ip},
        .networks = {{"192.168.1.0/24"_net, eth0, "eth0", false},
                     {"192.168.2.0/24"_net, eth1, "eth1", false},
                     {"203.0.113.0/30"_net, bridge, "uplink", false}},
        .gateways = {{"203.0.113.1"_ip, bridge}}};
    const TestNode far = {"far", {"10.244.4.0/24"}, {"192.168.2.14"}};

    const Plan plan = plan_routes(cluster({self, node02, far}), router, as_router);

    CHECK(routes_of(plan) == Routes{{"node01", "10.244.1.0/24"_net, "192.168.1.11"_ip},
                                    {"node02", "10.244.2.0/24"_net, "192.168.1.12"_ip},
                                    {"far", "10.244.4.0/24"_net, "192.168.2.14"_ip, eth1}});
    CHECK(plan.own_pod_cidrs.empty());
    CHECK(std::ranges::none_of(plan.verdicts, [](const Verdict& v) { return v.state == NodeState::self; }));

    SECTION("a Node with an address of the router's, or of its gateway's, is refused")
    {
        const TestNode ours = {"ours", {"10.244.5.0/24"}, {"192.168.2.1"}};
        const TestNode uplink = {"uplink", {"10.244.6.0/24"}, {"203.0.113.1"}};
        const Plan with = plan_routes(cluster({self, ours, uplink}), router, as_router);
        CHECK(verdict_of(with, "ours").reason == Reason::next_hop_is_local);
        CHECK(verdict_of(with, "uplink").reason == Reason::next_hop_is_gateway);
    }
}
