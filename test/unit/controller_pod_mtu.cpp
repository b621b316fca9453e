#include "controller/pod_mtu.h"
#include "test/support/catch.h"
#include "test/support/nodes.h"
#include "test/unit/planned_cluster.h"

using namespace routelet;
using namespace routelet::controller;
using namespace routelet::test;
using namespace routelet::test::planned;

TEST_CASE("pods' packets fit through each link that they leave by", "[mtu]")
{
    struct Row {
        const char* what;
        std::vector<netlink::IfIndex> routes;
        std::vector<DefaultGateway> gateways;
        std::uint32_t mtu;
    };
    const auto row = GENERATE(values<Row>({
        {"no link", {}, {}, 0},
        {"that of the routes", {eth0}, {}, 9000},
        {"that of the default route", {}, {{"192.168.1.1"_ip, eth0}}, 9000},
        {"the lesser of two", {eth0, eth1}, {}, 1450},
        {"of the routes' and the default route's", {eth0}, {{"172.16.0.1"_ip, eth1}}, 1450},
        {"a link of which nothing is known", {netlink::IfIndex{9}}, {}, 0},
    }));
    CAPTURE(row.what);
    const LocalFacts local = {
        .addresses = {},
        .networks = {{"192.168.1.0/24"_net, eth0, "eth0", false, 9000},
                     {"fd00:172::/64"_net, eth1, "eth1", false, 1450},
                     {"10.244.1.0/24"_net, bridge, "v-net-0", true, 1280}}, // no packet leaves by it
        .gateways = row.gateways};
    Plan plan;
    for (const netlink::IfIndex link : row.routes)
        plan.routes.push_back({.destination = {}, .gateway = {}, .link = link, .node = named("node02")});
    CHECK(pod_mtu(plan, local) == row.mtu);
}
