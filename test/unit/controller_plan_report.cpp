#include "controller/plan_report.h"
#include "test/unit/planned_cluster.h"

#include <linux/if.h>
#include <nlohmann/json.hpp>

using namespace routelet;
using namespace routelet::test;
using namespace routelet::test::planned;

namespace {

const RouteIdentity ours;

netlink::Route route(const IpPrefix& destination, const std::optional<IpAddress>& gateway,
                     std::uint32_t metric)
{
    return {.destination = destination,
            .gateway = gateway,
            .oif = gateway ? eth0 : netlink::IfIndex{},
            .metric = metric,
            .protocol = ours.protocol,
            .type = gateway ? std::uint8_t{RTN_UNICAST} : std::uint8_t{RTN_UNREACHABLE}};
}

// node01 with its link, and these routes of ours.
KernelMirror mirror_with(std::vector<netlink::Route> routes)
{
    KernelMirror mirror(ours, "v-net-0");
    mirror.reset({.links = {{.index = eth0, .name = "eth0", .flags = IFF_UP | IFF_LOWER_UP}},
                  .addresses = {{.link = eth0, .address = "192.168.1.11"_ip, .length = 24}},
                  .routes = std::move(routes)});
    return mirror;
}

Plan plan_of(const std::vector<TestNode>& nodes)
{
    return plan_routes(cluster(nodes), node01, as_node01);
}

} // namespace

TEST_CASE("a plan says of each route what becomes of it, and of each podCIDR without one why", "[plan]")
{
    const KernelMirror mirror = mirror_with({route("10.244.2.0/24"_net, "192.168.1.12"_ip, 8468),
                                             route("10.244.3.0/24"_net, "192.168.1.99"_ip, 8555),
                                             route("10.244.9.0/24"_net, "192.168.1.19"_ip, 8475)});
    const Plan plan = plan_of({self,
                               node02,
                               node03,
                               {"node04", {"10.244.4.0/24"}, {"192.168.1.14"}},
                               {"node05", {"10.244.3.0/25"}, {"192.168.1.15"}, "2026-02-01T00:00:00Z"},
                               {"node06", {}, {"192.168.1.16"}}});

    CHECK(
        plan_as_text(plan, mirror, ours) ==
        "~ 10.244.3.0/24 via 192.168.1.13 dev eth0    node03; now 10.244.3.0/24 via 192.168.1.99 dev eth0\n"
        "+ 10.244.4.0/24 via 192.168.1.14 dev eth0    node04\n"
        "+ unreachable 10.244.1.0/24                  guard: what no pod and no node has goes nowhere\n"
        "- 10.244.9.0/24 via 192.168.1.19 dev eth0    nobody's any more\n"
        "  10.244.2.0/24 via 192.168.1.12 dev eth0    node02\n"
        "! 10.244.3.0/25 of node05: refused, overlaps-node (the older node node03 has 10.244.3.0/24); " +
            std::string(remedy(Reason::overlaps_node)) +
            "\n"
            "? no podCIDR of node06: pending, no-pod-cidr; " +
            std::string(remedy(Reason::no_pod_cidr)) +
            "\n"
            "2 to add, 1 to change, 1 to remove, 1 in place; 1 refused, 1 pending, 0 left to the gateway\n");
    CHECK(plan_as_commands(plan, mirror, ours) ==
          "ip route replace 10.244.3.0/24 via 192.168.1.13 dev eth0 proto 82 metric 8555\n"
          "ip route add 10.244.4.0/24 via 192.168.1.14 dev eth0 proto 82 metric 8470\n"
          "ip route add unreachable 10.244.1.0/24 proto 82 metric 8200\n"
          "ip route del 10.244.9.0/24 via 192.168.1.19 dev eth0 proto 82 metric 8475\n");

    const auto json = nlohmann::json::parse(plan_as_json(plan, mirror, ours));
    REQUIRE(json["changes"].size() == 4);
    CHECK(json["changes"][0]["change"] == "replace");
    CHECK(json["changes"][0]["gateway"] == "192.168.1.13");
    CHECK(json["changes"][0]["previous"]["gateway"] == "192.168.1.99");
    CHECK(json["changes"][1]["node"] == "node04");
    CHECK(json["changes"][1]["link"] == "eth0");
    CHECK(json["inPlace"].size() == 1);
    CHECK(json["verdicts"].back()["reason"] == "no-pod-cidr");
}

TEST_CASE("where nothing is to be done there is no command", "[plan]")
{
    const Plan plan = plan_of({self, node02});
    const KernelMirror mirror = mirror_with(
        {route("10.244.1.0/24"_net, {}, 8200), route("10.244.2.0/24"_net, "192.168.1.12"_ip, 8468)});
    CHECK(plan_as_commands(plan, mirror, ours).empty());
    CHECK_THAT(plan_as_text(plan, mirror, ours), has_text("0 to add, 0 to change, 0 to remove, 2 in place"));
    CHECK(nlohmann::json::parse(plan_as_json(plan, mirror, ours))["changes"].empty());
}

TEST_CASE("IPv6 has commands of its own", "[plan]")
{
    const Plan plan = plan_of({self, {"node02", {"fd00:10:244:2::/64"}, {"fd00:192:168:1::12"}}});
    CHECK_THAT(
        plan_as_commands(plan, mirror_with({}), ours),
        has_text("ip -6 route add fd00:10:244:2::/64 via fd00:192:168:1::12 dev if3 proto 82 metric 8200\n"));
}
