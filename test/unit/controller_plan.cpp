#include "base/file.h"
#include "test/unit/planned_cluster.h"

#include <set>

using namespace routelet;
using namespace routelet::controller;
using namespace routelet::test;
using namespace routelet::test::planned;

TEST_CASE("every other node's podCIDR is routed through its address, our own is not", "[plan]")
{
    const Plan plan = plan_routes(cluster({self, node02, node03}), node01, as_node01);

    CHECK(routes_of(plan) == Routes{{"node02", "10.244.2.0/24"_net, "192.168.1.12"_ip},
                                    {"node03", "10.244.3.0/24"_net, "192.168.1.13"_ip}});
    CHECK(verdict_of(plan, "node01").state == NodeState::self);
    CHECK(plan.verdicts.size() == 1); // those that are routed have none
}

TEST_CASE("each family goes through the node's address of that family, and the link that leads there",
          "[plan]")
{
    const TestNode dual = {"node02",
                           {"10.244.2.0/24", "fd00:10:244:2::/64"},
                           {"fd00:192:168:1::12", "192.168.1.12", "192.168.1.99"}};

    const Plan plan = plan_routes(cluster({self, dual}), node01, as_node01);

    CHECK(routes_of(plan) == Routes{{"node02", "10.244.2.0/24"_net, "192.168.1.12"_ip},
                                    {"node02", "fd00:10:244:2::/64"_net, "fd00:192:168:1::12"_ip, eth1}});
}

TEST_CASE("one family that cannot be routed does not hold back the other", "[plan]")
{
    const TestNode half = {"node02", {"10.244.2.0/24", "fd00:10:244:2::/64"}, {"192.168.1.12"}};

    const Plan plan = plan_routes(cluster({self, half}), node01, as_node01);

    CHECK(routes_of(plan) == Routes{{"node02", "10.244.2.0/24"_net, "192.168.1.12"_ip}});
    CHECK(verdict_of(plan, "node02").state == NodeState::pending);
    CHECK(verdict_of(plan, "node02").reason == Reason::no_internal_ip);
}

TEST_CASE("a bad node is refused with its reason, and the others are routed all the same", "[plan]")
{
    struct Row {
        const char* what;
        TestNode bad;
        NodeState state;
        Reason reason;
        const char* detail;
    };
    const auto row = GENERATE(values<Row>({
        {"no podCIDR yet", {"bad", {}, {"192.168.1.14"}}, NodeState::pending, Reason::no_pod_cidr, ""},
        {"no podCIDR yet, and an address that is none",
         {"bad", {}, {"not an ip"}},
         NodeState::pending,
         Reason::no_pod_cidr,
         ""},
        {"no address yet",
         {"bad", {"10.244.4.0/24"}, {}},
         NodeState::pending,
         Reason::no_internal_ip,
         "no InternalIP of family IPv4"},
        {"not a podCIDR",
         {"bad", {"10.244.4.0"}, {"192.168.1.14"}},
         NodeState::refused,
         Reason::bad_pod_cidr,
         "\"10.244.4.0\" is not a network"},
        {"host bits set",
         {"bad", {"10.244.4.7/24"}, {"192.168.1.14"}},
         NodeState::refused,
         Reason::bad_pod_cidr,
         "the network is 10.244.4.0/24"},
        {"not an address",
         {"bad", {"10.244.4.0/24"}, {"not an ip"}},
         NodeState::refused,
         Reason::bad_internal_ip,
         "\"not an ip\""},
        {"H1 half of a victim's range",
         {"bad", {"10.244.2.0/25"}, {"192.168.1.14"}, "2026-01-02T00:00:00Z"},
         NodeState::refused,
         Reason::overlaps_node,
         "the older node node02 has 10.244.2.0/24"},
        {"H2 a node's address",
         {"bad", {"192.168.1.12/32"}, {"192.168.1.14"}},
         NodeState::refused,
         Reason::pod_cidr_length,
         "/32"},
        {"H3 a block of node addresses",
         {"bad", {"192.168.1.8/29"}, {"192.168.1.14"}},
         NodeState::refused,
         Reason::overlaps_local_network,
         "192.168.1.0/24, a network of this machine on eth0"},
        {"H4 half of the Internet",
         {"bad", {"0.0.0.0/1"}, {"192.168.1.14"}},
         NodeState::refused,
         Reason::pod_cidr_not_unicast,
         "0.0.0.0/8"},
        {"H4 a large part of it",
         {"bad", {"8.0.0.0/7"}, {"192.168.1.14"}},
         NodeState::refused,
         Reason::pod_cidr_length,
         "/7"},
        {"H4 half of IPv6",
         {"bad", {"::/1"}, {"192.168.1.14"}},
         NodeState::refused,
         Reason::pod_cidr_not_unicast,
         "::"},
        {"H5 the cloud's metadata",
         {"bad", {"169.254.169.254/32"}, {"192.168.1.14"}},
         NodeState::refused,
         Reason::pod_cidr_not_unicast,
         "169.254.0.0/16"},
        {"H6 the local resolver",
         {"bad", {"127.0.0.0/24"}, {"192.168.1.14"}},
         NodeState::refused,
         Reason::pod_cidr_not_unicast,
         "127.0.0.0/8"},
        {"H7 the API server, by the address that this agent was given",
         {"bad", {"203.0.113.0/28"}, {"192.168.1.14"}},
         NodeState::refused,
         Reason::covers_api_server,
         "it holds 203.0.113.6, the API server's address"},
        {"H8 our own podCIDR",
         {"bad", {"10.244.1.0/24"}, {"192.168.1.14"}, "2020-01-01T00:00:00Z"},
         NodeState::refused,
         Reason::overlaps_own_pod_cidr,
         "this node has 10.244.1.0/24"},
        {"equal to a local network",
         {"bad", {"192.168.1.0/24"}, {"192.168.1.14"}},
         NodeState::refused,
         Reason::overlaps_local_network,
         "on eth0"},
        {"larger than a local network",
         {"bad", {"192.168.0.0/16"}, {"192.168.1.14"}},
         NodeState::refused,
         Reason::overlaps_local_network,
         "on eth0"},
        {"H9 our own address",
         {"bad", {"10.244.4.0/24"}, {"192.168.1.11"}},
         NodeState::refused,
         Reason::next_hop_is_local,
         "192.168.1.11"},
        {"H9 our gateway",
         {"bad", {"10.244.4.0/24"}, {"192.168.1.1"}},
         NodeState::refused,
         Reason::next_hop_is_gateway,
         "192.168.1.1"},
        {"H9 another node's address",
         {"bad", {"10.244.4.0/24"}, {"192.168.1.12"}, "2026-01-02T00:00:00Z"},
         NodeState::refused,
         Reason::next_hop_of_other_node,
         "the older node node02"},
        {"H10 an address on no network of ours",
         {"bad", {"10.244.4.0/24"}, {"172.16.0.9"}},
         NodeState::refused,
         Reason::next_hop_off_link,
         "it has 192.168.1.0/24 on eth0"},
        {"a next hop inside another node's pods",
         {"bad", {"10.244.4.0/24"}, {"10.244.2.9"}, "2026-01-02T00:00:00Z"},
         NodeState::refused,
         Reason::next_hop_in_pod_cidr,
         "10.244.2.0/24 of node node02"},
        {"a next hop on our pod bridge",
         {"bad", {"10.244.4.0/24"}, {"10.244.1.9"}, "2026-01-02T00:00:00Z"},
         NodeState::refused,
         Reason::next_hop_in_pod_cidr,
         "10.244.1.0/24 of node node01"},
        {"a loopback next hop",
         {"bad", {"10.244.4.0/24"}, {"127.0.0.1"}},
         NodeState::refused,
         Reason::next_hop_not_unicast,
         "127.0.0.1"},
        {"its own address inside its own range",
         {"bad", {"172.16.0.0/24"}, {"172.16.0.9"}},
         NodeState::refused,
         Reason::covers_node_address,
         "172.16.0.9, the address of node bad"},
    }));
    CAPTURE(row.what);

    const Plan plan = plan_routes(cluster({self, node02, node03, row.bad}), node01, as_node01);

    const Verdict verdict = verdict_of(plan, "bad");
    CHECK(verdict.state == row.state);
    CHECK(to_string(verdict.reason) == to_string(row.reason));
    CHECK_THAT(verdict.detail, has_text(row.detail));
    CHECK_FALSE(remedy(verdict.reason).empty());
    CHECK(routes_of(plan) == Routes{{"node02", "10.244.2.0/24"_net, "192.168.1.12"_ip},
                                    {"node03", "10.244.3.0/24"_net, "192.168.1.13"_ip}});
}

TEST_CASE("the own podCIDR is taken as it is unless something speaks against it", "[plan]")
{
    struct Row {
        const char* what;
        std::vector<std::string> pod_cidrs;
        std::vector<IpPrefix> accepted;
        Reason reason; // of the first
    };
    const auto row = GENERATE(values<Row>({
        {"one of each family",
         {"10.244.1.0/24", "fd00:10:244:1::/64"},
         {"10.244.1.0/24"_net, "fd00:10:244:1::/64"_net},
         Reason::none},
        {"twice the same", {"10.244.1.0/24", "10.244.1.0/24"}, {"10.244.1.0/24"_net}, Reason::none},
        {"a part of itself", {"10.244.1.0/24", "10.244.1.0/25"}, {"10.244.1.0/24"_net}, Reason::none},
        {"and what holds it", {"10.244.1.0/24", "10.244.0.0/16"}, {"10.244.1.0/24"_net}, Reason::none},
        {"none yet", {}, {}, Reason::no_pod_cidr},
        {"not a network", {"10.244.1.7/24"}, {}, Reason::bad_pod_cidr},
        {"half of the Internet", {"128.0.0.0/1"}, {}, Reason::pod_cidr_not_unicast},
        {"a large part of it", {"8.0.0.0/7"}, {}, Reason::pod_cidr_length},
        {"the LAN", {"192.168.1.0/24"}, {}, Reason::overlaps_local_network},
        {"a part of the LAN", {"192.168.1.128/25"}, {}, Reason::overlaps_local_network},
        {"another CNI's bridge", {"10.88.0.0/24"}, {}, Reason::overlaps_local_network},
        {"one that holds a pod's own route",
         {"10.66.1.0/24", "fd00:10:66:1::/64"},
         {"10.66.1.0/24"_net, "fd00:10:66:1::/64"_net},
         Reason::none},
        {"the default gateway", {"172.16.0.0/24"}, {}, Reason::overlaps_local_network},
        {"another node's address", {"10.10.10.0/24"}, {}, Reason::covers_node_address},
        {"one bad family, one good",
         {"127.0.0.0/24", "fd00:10:244:1::/64"},
         {"fd00:10:244:1::/64"_net},
         Reason::pod_cidr_not_unicast},
    }));
    CAPTURE(row.what);
    LocalFacts local = node01;
    local.networks.push_back({"10.88.0.0/16"_net, eth1, "cni0", false});
    local.networks.push_back({"10.66.1.7/32"_net, eth1, "veth1", false});
    local.networks.push_back({"fd00:10:66:1::7/128"_net, eth1, "veth1", false});
    local.gateways.push_back({"172.16.0.1"_ip, eth0});
    const TestNode own = {"node01", row.pod_cidrs, {"192.168.1.11"}};
    const TestNode elsewhere = {"node05", {}, {"10.10.10.10"}, "2025-01-01T00:00:00Z"};

    const Plan plan = plan_routes(cluster({own, node02, elsewhere}), local, as_node01);

    CHECK(plan.own_pod_cidrs == row.accepted);
    CHECK(to_string(verdict_of(plan, "node01").reason) == to_string(row.reason));
    CHECK(routes_of(plan) == Routes{{"node02", "10.244.2.0/24"_net, "192.168.1.12"_ip}});
}

TEST_CASE("where two nodes claim the same range, the older has it until it leaves", "[plan][F73]")
{
    TestNode young = {"a-young", {"10.244.2.0/24"}, {"192.168.1.14"}, "2026-02-01T00:00:00Z"};

    const Plan both = plan_routes(cluster({self, node02, young}), node01, as_node01);
    CHECK(routes_of(both) == Routes{{"node02", "10.244.2.0/24"_net, "192.168.1.12"_ip}});

    const Plan alone = plan_routes(cluster({self, young}), node01, as_node01);
    CHECK(routes_of(alone) == Routes{{"a-young", "10.244.2.0/24"_net, "192.168.1.14"_ip}});

    SECTION("of the same age, the name decides")
    {
        young.created = node02.created;
        const Plan plan = plan_routes(cluster({self, node02, young}), node01, as_node01);
        CHECK(plan.routes.at(0).node->name == "a-young");
    }
    SECTION("one without an age counts as the youngest")
    {
        young.created = "";
        const Plan plan = plan_routes(cluster({self, node02, young}), node01, as_node01);
        CHECK(plan.routes.at(0).node->name == "node02");
    }
    SECTION("an older node that cannot be reached keeps its range from being taken")
    {
        TestNode unreachable = node02;
        unreachable.internal_ips = {"172.16.0.12"};
        const Plan plan = plan_routes(cluster({self, unreachable, young}), node01, as_node01);
        CHECK(plan.routes.empty());
        CHECK(verdict_of(plan, "a-young").reason == Reason::overlaps_node);
    }
}

TEST_CASE("a newcomer's address cannot have an older node's range refused", "[plan]")
{
    const TestNode liar = {"liar", {"10.244.4.0/24"}, {"10.244.2.9"}, "2026-02-01T00:00:00Z"};

    const Plan plan = plan_routes(cluster({self, node02, liar}), node01, as_node01);

    CHECK(routes_of(plan) == Routes{{"node02", "10.244.2.0/24"_net, "192.168.1.12"_ip}});
}

TEST_CASE("with cluster CIDRs given, podCIDRs must lie in one of them", "[plan]")
{
    PlanOptions options = as_node01;
    options.cluster_cidrs = {"10.244.0.0/16"_net, "192.168.0.0/16"_net};
    options.service_cidrs = {"10.244.192.0/20"_net};

    const TestNode outside = {"outside", {"10.245.0.0/24"}, {"192.168.1.14"}};
    const TestNode services = {"services", {"10.244.200.0/24"}, {"192.168.1.15"}};
    const Plan plan = plan_routes(cluster({self, node02, outside, services}), node01, options);

    CHECK(verdict_of(plan, "outside").reason == Reason::outside_cluster_cidr);
    CHECK(verdict_of(plan, "services").reason == Reason::overlaps_service_cidr);
}

TEST_CASE("pods inside a larger local network are for the operator to allow", "[plan]")
{
    LocalFacts wide = node01;
    wide.networks.push_back({"10.0.0.0/8"_net, eth1, "eth1", false});

    CHECK(verdict_of(plan_routes(cluster({self, node02}), wide, as_node01), "node02").reason ==
          Reason::overlaps_local_network);

    PlanOptions options = as_node01;
    options.cluster_cidrs = {"10.244.0.0/16"_net};
    CHECK(plan_routes(cluster({self, node02}), wide, options).routes.size() == 1);
}

TEST_CASE("the plan does not depend on names or on the order of what is local", "[plan]")
{
    LocalFacts reversed = node01;
    std::ranges::reverse(reversed.networks);
    std::ranges::reverse(reversed.addresses);
    const auto nodes = cluster({self, node02, node03});

    CHECK(routes_of(plan_routes(nodes, reversed, as_node01)) ==
          routes_of(plan_routes(nodes, node01, as_node01)));
    CHECK(routes_of(plan_routes({nodes.rbegin(), nodes.rend()}, node01, as_node01)) ==
          routes_of(plan_routes(nodes, node01, as_node01)));
}

TEST_CASE("a node with many addresses and ranges costs no more than the limit", "[plan]")
{
    TestNode hoarder = {"hoarder", {}, {}, "2026-02-01T00:00:00Z"};
    for (int i = 0; i < 1000; ++i) {
        hoarder.pod_cidrs.push_back("172." + std::to_string(i / 256 + 16) + "." + std::to_string(i % 256) +
                                    ".0/24");
        hoarder.internal_ips.push_back("192.168.1.20");
    }
    const Plan plan = plan_routes(cluster({self, hoarder}), node01, as_node01);
    CHECK(plan.routes.size() == NodeClaim::most_claims);
}

TEST_CASE("every reason has a code of its own and a remedy, in the documentation too", "[plan]")
{
    const std::string documentation = need(read_file(ROUTELET_DOCS "/troubleshooting.md"));
    std::set<std::string_view> codes;
    for (int i = 0; i <= static_cast<int>(Reason::too_many_routes); ++i) {
        const auto reason = static_cast<Reason>(i);
        CAPTURE(to_string(reason));
        CHECK(codes.insert(to_string(reason)).second);
        CHECK(remedy(reason).empty() == (reason == Reason::none));
        if (reason != Reason::none) {
            CHECK_THAT(documentation, has_text("| `" + std::string(to_string(reason)) + "` |"));
            CHECK_THAT(documentation, has_text("| " + std::string(remedy(reason)) + " |"));
        }
    }
}

TEST_CASE("beyond the greatest number of routes, the youngest nodes have none", "[plan][H11]")
{
    PlanOptions options = as_node01;
    options.most_routes = 1;
    TestNode young = node02;
    young.created = "2026-02-01T00:00:00Z";

    const Plan plan = plan_routes(cluster({self, young, node03}), node01, options);

    CHECK(routes_of(plan) == Routes{{"node03", "10.244.3.0/24"_net, "192.168.1.13"_ip}});
    CHECK(verdict_of(plan, "node02").reason == Reason::too_many_routes);
    CHECK(verdict_of(plan, "node02").state == NodeState::refused);
}

TEST_CASE("of ranges inside one another, the oldest claims count, whatever their sizes", "[plan][H1]")
{
    // Each of one node, the oldest first.
    struct Row {
        const char* what;
        std::vector<std::string> pod_cidrs;
        std::vector<std::string> routed;
    };
    const auto row = GENERATE(values<Row>({
        {"apart", {"10.2.0.0/16", "10.1.0.0/16"}, {"10.1.0.0/16", "10.2.0.0/16"}},
        {"a part of what is had", {"10.1.0.0/16", "10.1.7.0/24", "10.1.255.0/24"}, {"10.1.0.0/16"}},
        {"parts are had", {"10.1.7.0/24", "10.1.0.0/16", "10.1.8.0/24"}, {"10.1.7.0/24", "10.1.8.0/24"}},
        {"what was refused takes nothing",
         {"10.1.7.0/24", "10.1.0.0/16", "10.1.7.128/25", "10.1.9.0/24", "10.0.0.0/8"},
         {"10.1.7.0/24", "10.1.9.0/24"}},
        {"both families", {"fd00:1::/48", "10.1.0.0/16", "fd00:1:0:7::/64"}, {"10.1.0.0/16", "fd00:1::/48"}},
    }));
    CAPTURE(row.what);
    std::vector<TestNode> nodes = {self};
    for (std::size_t i = 0; i < row.pod_cidrs.size(); ++i)
        nodes.push_back({"n" + std::to_string(9 - i),
                         {row.pod_cidrs[i]},
                         {"192.168.1.5" + std::to_string(i), "fd00:192:168:1::5" + std::to_string(i)},
                         "2026-01-0" + std::to_string(i + 1) + "T00:00:00Z"});

    const Plan plan = plan_routes(cluster(nodes), node01, as_node01);

    std::vector<std::string> routed;
    for (const PlannedRoute& route : plan.routes)
        routed.push_back(route.destination.to_string());
    CHECK(routed == row.routed);
}

TEST_CASE("the own podCIDRs and the cluster CIDRs are guarded", "[plan]")
{
    PlanOptions options = as_node01;
    options.cluster_cidrs = {"fd00:10:244::/48"_net, "10.244.0.0/16"_net};
    const auto nodes = cluster({self, node02});
    CHECK(plan_routes(nodes, node01, options).guarded ==
          std::vector<IpPrefix>{"10.244.0.0/16"_net, "10.244.1.0/24"_net, "fd00:10:244::/48"_net});
    CHECK(plan_routes({}, node01, options).guarded ==
          std::vector<IpPrefix>{"10.244.0.0/16"_net, "fd00:10:244::/48"_net});

    SECTION("a cluster of one range, which is its only node's, once")
    {
        options.cluster_cidrs = {"10.244.1.0/24"_net};
        CHECK(plan_routes(nodes, node01, options).guarded == std::vector<IpPrefix>{"10.244.1.0/24"_net});
    }
    SECTION("not where another node has the whole range")
    {
        options.cluster_cidrs = {"10.244.2.0/24"_net};
        const Plan plan = plan_routes(nodes, node01, options);
        CHECK(plan.routes.size() == 1);
        CHECK(plan.guarded.empty()); // nor is the own podCIDR inside the cluster
    }
    SECTION("not where packets for it are left to the default route")
    {
        options.off_link = OffLink::gateway;
        CHECK(plan_routes(nodes, node01, options).guarded == std::vector<IpPrefix>{"10.244.1.0/24"_net});
    }
    SECTION("not where the default gateway is inside it, or anything that is no pods' range")
    {
        options.api_servers = {"203.0.113.6"_ip};
        options.cluster_cidrs = {"192.168.0.0/16"_net, "203.0.113.0/24"_net, "0.0.0.0/0"_net,
                                 "224.0.0.0/8"_net};
        CHECK(plan_routes(nodes, node01, options).guarded == std::vector<IpPrefix>{"10.244.1.0/24"_net});
    }
    SECTION("nor is an own podCIDR that holds the API server")
    {
        options.api_servers = {"10.244.1.99"_ip};
        const Plan plan = plan_routes(nodes, node01, options);
        CHECK(plan.own_pod_cidrs.empty());
        CHECK(verdict_of(plan, "node01").reason == Reason::covers_api_server);
        CHECK(plan.guarded == std::vector<IpPrefix>{"fd00:10:244::/48"_net});
    }
}

TEST_CASE("the first and the last address of a network are no next hop, those inside it are", "[plan]")
{
    struct Row {
        const char* network;
        const char* address;
        bool is_routed;
    };
    const auto row = GENERATE(values<Row>({
        {"192.168.1.0/24", "192.168.1.0", false},
        {"192.168.1.0/24", "192.168.1.255", false},
        {"192.168.0.0/16", "192.168.1.0", true},
        {"192.168.0.0/16", "192.168.1.255", true},
        {"192.168.1.12/30", "192.168.1.15", false},
        {"192.168.1.12/31", "192.168.1.13", true}, // a link between two (RFC 3021)
        {"fd00:192:168:1::/64", "fd00:192:168:1::", true},
    }));
    CAPTURE(row.network, row.address);
    const IpPrefix network = IpPrefix::parse(row.network).value();
    const char* const pods = network.family() == IpFamily::v4 ? "10.244.4.0/24" : "fd00:10:244:4::/64";

    const Plan plan = plan_routes(
        cluster({{"other", {pods}, {row.address}}}),
        {.addresses = {}, .networks = {{network, eth0, "eth0", false}}, .gateways = {}}, as_node01);

    CHECK(plan.routes.size() == (row.is_routed ? 1 : 0));
    if (!row.is_routed)
        CHECK(verdict_of(plan, "other").reason == Reason::next_hop_not_unicast);
}
