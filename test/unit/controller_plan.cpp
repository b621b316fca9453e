#include "base/file.h"
#include "controller/plan.h"
#include "test/support/catch.h"

#include <set>

using namespace routelet;
using namespace routelet::controller;
using namespace routelet::test;

namespace {

constexpr netlink::IfIndex eth0{2};
constexpr netlink::IfIndex eth1{3};
constexpr netlink::IfIndex bridge{4};

struct TestNode {
    std::string name;
    std::vector<std::string> pod_cidrs;
    std::vector<std::string> internal_ips;
    std::string created = "2026-01-01T00:00:00Z";
};

std::map<std::string, NodeClaim> cluster(const std::vector<TestNode>& nodes)
{
    std::map<std::string, NodeClaim> claims;
    for (const auto& node : nodes)
        claims[node.name] = NodeClaim::of({.name = node.name,
                                           .uid = "uid-of-" + node.name,
                                           .created = node.created,
                                           .pod_cidrs = node.pod_cidrs,
                                           .internal_ips = node.internal_ips});
    return claims;
}

// node01 of the three-node lesson, with IPv6 beside it.
const LocalFacts node01 = {
    .addresses = {"127.0.0.1"_ip, "192.168.1.11"_ip, "10.244.1.1"_ip, "fd00:192:168:1::11"_ip},
    .networks = {{"192.168.1.0/24"_net, eth0, "eth0", false},
                 {"10.244.1.0/24"_net, bridge, "v-net-0", true},
                 {"fd00:192:168:1::/64"_net, eth1, "eth1", false}},
    .gateways = {"192.168.1.1"_ip}};

const PlanOptions as_node01 = {.node_name = "node01", .cluster_cidrs = {}, .service_cidrs = {}};

const TestNode self = {"node01", {"10.244.1.0/24"}, {"192.168.1.11"}};
const TestNode node02 = {"node02", {"10.244.2.0/24"}, {"192.168.1.12"}};
const TestNode node03 = {"node03", {"10.244.3.0/24"}, {"192.168.1.13"}};

PlannedRoute via(const std::string& node, const IpPrefix& pods, const IpAddress& gateway,
                 netlink::IfIndex link = eth0)
{
    return {.destination = pods, .gateway = gateway, .link = link, .node = node};
}

Verdict verdict_of(const Plan& plan, const std::string& node)
{
    const auto found = std::ranges::find(plan.verdicts, node, &Verdict::node);
    REQUIRE(found != plan.verdicts.end());
    return *found;
}

} // namespace

namespace routelet::controller {

std::ostream& operator<<(std::ostream& out, const PlannedRoute& route)
{
    return out << route.destination << " via " << route.gateway << " dev " << netlink::to_int(route.link)
               << " for " << route.node;
}

} // namespace routelet::controller

TEST_CASE("every other node's podCIDR is routed through its address, our own is not", "[plan]")
{
    const Plan plan = plan_routes(cluster({self, node02, node03}), node01, as_node01);

    CHECK(plan.routes == std::vector<PlannedRoute>{via("node02", "10.244.2.0/24"_net, "192.168.1.12"_ip),
                                                   via("node03", "10.244.3.0/24"_net, "192.168.1.13"_ip)});
    CHECK(verdict_of(plan, "node01").state == NodeState::self);
    CHECK(verdict_of(plan, "node02").state == NodeState::routed);
}

TEST_CASE("each family goes through the node's address of that family, and the link that leads there",
          "[plan]")
{
    const TestNode dual = {"node02",
                           {"10.244.2.0/24", "fd00:10:244:2::/64"},
                           {"fd00:192:168:1::12", "192.168.1.12", "192.168.1.99"}};

    const Plan plan = plan_routes(cluster({self, dual}), node01, as_node01);

    CHECK(plan.routes ==
          std::vector<PlannedRoute>{via("node02", "10.244.2.0/24"_net, "192.168.1.12"_ip),
                                    via("node02", "fd00:10:244:2::/64"_net, "fd00:192:168:1::12"_ip, eth1)});
}

TEST_CASE("one family that cannot be routed does not hold back the other", "[plan]")
{
    const TestNode half = {"node02", {"10.244.2.0/24", "fd00:10:244:2::/64"}, {"192.168.1.12"}};

    const Plan plan = plan_routes(cluster({self, half}), node01, as_node01);

    CHECK(plan.routes == std::vector<PlannedRoute>{via("node02", "10.244.2.0/24"_net, "192.168.1.12"_ip)});
    REQUIRE(plan.verdicts.size() == 3);
    CHECK(plan.verdicts[2].state == NodeState::pending);
    CHECK(plan.verdicts[2].reason == Reason::no_internal_ip);
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
    CHECK(plan.routes == std::vector<PlannedRoute>{via("node02", "10.244.2.0/24"_net, "192.168.1.12"_ip),
                                                   via("node03", "10.244.3.0/24"_net, "192.168.1.13"_ip)});
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
    local.gateways.push_back("172.16.0.1"_ip);
    const TestNode own = {"node01", row.pod_cidrs, {"192.168.1.11"}};
    const TestNode elsewhere = {"node05", {}, {"10.10.10.10"}, "2025-01-01T00:00:00Z"};

    const Plan plan = plan_routes(cluster({own, node02, elsewhere}), local, as_node01);

    CHECK(plan.own_pod_cidrs == row.accepted);
    CHECK(to_string(verdict_of(plan, "node01").reason) == to_string(row.reason));
    CHECK(plan.routes == std::vector<PlannedRoute>{via("node02", "10.244.2.0/24"_net, "192.168.1.12"_ip)});
}

TEST_CASE("where two nodes claim the same range, the older has it until it leaves", "[plan][F73]")
{
    TestNode young = {"a-young", {"10.244.2.0/24"}, {"192.168.1.14"}, "2026-02-01T00:00:00Z"};

    const Plan both = plan_routes(cluster({self, node02, young}), node01, as_node01);
    CHECK(both.routes == std::vector<PlannedRoute>{via("node02", "10.244.2.0/24"_net, "192.168.1.12"_ip)});

    const Plan alone = plan_routes(cluster({self, young}), node01, as_node01);
    CHECK(alone.routes == std::vector<PlannedRoute>{via("a-young", "10.244.2.0/24"_net, "192.168.1.14"_ip)});

    SECTION("of the same age, the name decides")
    {
        young.created = node02.created;
        const Plan plan = plan_routes(cluster({self, node02, young}), node01, as_node01);
        CHECK(plan.routes.at(0).node == "a-young");
    }
    SECTION("one without an age counts as the youngest")
    {
        young.created = "";
        const Plan plan = plan_routes(cluster({self, node02, young}), node01, as_node01);
        CHECK(plan.routes.at(0).node == "node02");
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

    CHECK(plan.routes == std::vector<PlannedRoute>{via("node02", "10.244.2.0/24"_net, "192.168.1.12"_ip)});
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

    CHECK(plan_routes(nodes, reversed, as_node01).routes == plan_routes(nodes, node01, as_node01).routes);
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
    for (int i = 0; i <= static_cast<int>(Reason::next_hop_off_link); ++i) {
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
