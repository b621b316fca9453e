#pragma once
// Clusters as the planner sees them, for its tests.
#include "controller/plan.h"
#include "test/support/catch.h"

#include <ostream>
#include <string>
#include <vector>

namespace routelet::test::planned {

using namespace routelet::controller;

inline constexpr netlink::IfIndex eth0{2};
inline constexpr netlink::IfIndex eth1{3};
inline constexpr netlink::IfIndex bridge{4};

struct TestNode {
    std::string name;
    std::vector<std::string> pod_cidrs;
    std::vector<std::string> internal_ips;
    std::string created = "2026-01-01T00:00:00Z";
};

inline std::vector<NodeRef> cluster(const std::vector<TestNode>& nodes)
{
    std::vector<NodeRef> claims;
    for (const auto& node : nodes)
        claims.push_back(NodeClaim::of({.name = node.name,
                                        .uid = "uid-of-" + node.name,
                                        .created = node.created,
                                        .pod_cidrs = node.pod_cidrs,
                                        .internal_ips = node.internal_ips}));
    return claims;
}

// node01 of the three-node lesson, with IPv6 beside it.
inline const LocalFacts node01 = {
    .addresses = {"127.0.0.1"_ip, "192.168.1.11"_ip, "10.244.1.1"_ip, "fd00:192:168:1::11"_ip},
    .networks = {{"192.168.1.0/24"_net, eth0, "eth0", false},
                 {"10.244.1.0/24"_net, bridge, "v-net-0", true},
                 {"fd00:192:168:1::/64"_net, eth1, "eth1", false}},
    .gateways = {{"192.168.1.1"_ip, eth0}}};

inline const PlanOptions as_node01 = {
    .node_name = "node01", .cluster_cidrs = {}, .service_cidrs = {}, .api_servers = {"203.0.113.6"_ip}};

inline const TestNode self = {"node01", {"10.244.1.0/24"}, {"192.168.1.11"}};
inline const TestNode node02 = {"node02", {"10.244.2.0/24"}, {"192.168.1.12"}};
inline const TestNode node03 = {"node03", {"10.244.3.0/24"}, {"192.168.1.13"}};

// A route as a test says it.
struct Via {
    std::string node;
    IpPrefix pods;
    IpAddress gateway;
    netlink::IfIndex link = eth0;

    friend bool operator==(const Via&, const Via&) = default;
    friend std::ostream& operator<<(std::ostream& out, const Via& route)
    {
        return out << route.pods << " via " << route.gateway << " dev " << netlink::to_int(route.link)
                   << " for " << route.node;
    }
};

inline std::vector<Via> routes_of(const Plan& plan)
{
    std::vector<Via> routes;
    for (const PlannedRoute& route : plan.routes)
        routes.push_back({route.node->name, route.destination, route.gateway, route.link});
    return routes;
}

inline Verdict verdict_of(const Plan& plan, const std::string& node)
{
    const auto found = std::ranges::find(plan.verdicts, node, &Verdict::node);
    REQUIRE(found != plan.verdicts.end());
    return *found;
}

using Routes = std::vector<Via>;

} // namespace routelet::test::planned
