#include "controller/reconciler.h"
#include "netlink/route.h"
#include "test/support/catch.h"
#include "test/support/netns_fixture.h"
#include "test/support/nodes.h"

using namespace routelet;
using namespace routelet::controller;
using namespace routelet::test;
namespace errc = boost::system::errc;

namespace {

k8s::Node dual_stack_node(const std::string& number, const std::string& range)
{
    return {.name = "node0" + number,
            .uid = "uid-" + number,
            .created = "2026-01-0" + number + "T00:00:00Z",
            .pod_cidrs = {"10.244." + range + ".0/24", "fd00:10:244:" + range + "::/64"},
            .internal_ips = {"192.168.1.1" + number, "fd00:1::1" + number}};
}

// node01 on a LAN with a default gateway of each family, and a reconciler on its real kernel.
struct GuardedNode : NetnsFixture {
    GuardedNode() : kernel(need(NetlinkKernel::open()))
    {
        uplink = add_uplink("eth0", {"192.168.1.11/24", "fd00:1::11/64"});
        run("ip route add default via 192.168.1.1");
        run("ip -6 route add default via fd00:1::1");
    }

    void reconcile(const std::vector<k8s::Node>& nodes)
    {
        lines.clear();
        replace_nodes(reconciler, nodes);
        reconciler.distrust_mirror();
        CHECK(reconciler.reconcile({"node", Cause::Clock::now()}));
    }

    // Where a packet to this address would go: "unreachable", or the interface's index.
    std::string way_to(const IpAddress& address)
    {
        const auto route = netlink::route_to(socket(), address);
        if (!route)
            return route.error().code == errc::host_unreachable ? "unreachable" : route.error().text();
        return std::to_string(netlink::to_int(route->oif));
    }
    std::string through(netlink::IfIndex link) { return std::to_string(netlink::to_int(link)); }

    netlink::IfIndex uplink{};
    NetlinkKernel kernel;
    std::vector<std::string> lines;
    Log log{LogFormat::text, LogLevel::info, [this](const std::string& line) {
                lines.push_back(line);
                return true;
            }};
    Reconciler reconciler{kernel,
                          log,
                          {.plan = {.node_name = "node01", .cluster_cidrs = {}, .service_cidrs = {}},
                           .identity = {},
                           .pod_bridge = "v-net-0"}};
};

} // namespace

TEST_CASE_METHOD(GuardedNode, "addresses of the own podCIDR never follow the default route",
                 "[kernel][guard]")
{
    const auto [free_address, pod] = GENERATE(std::pair("10.244.1.77"_ip, "10.244.1.2"_ip),
                                              std::pair("fd00:10:244:1::77"_ip, "fd00:10:244:1::2"_ip));
    const std::vector<k8s::Node> nodes = {dual_stack_node("1", "1"), dual_stack_node("2", "2")};
    REQUIRE(way_to(free_address) == through(uplink));

    reconcile(nodes);
    CHECK(way_to(free_address) == "unreachable");

    SECTION("and pods on the bridge are reached, as long as it is there")
    {
        run("ip link add v-net-0 type bridge && ip link set v-net-0 up");
        run("ip address add 10.244.1.1/24 dev v-net-0");
        run("ip address add fd00:10:244:1::1/64 dev v-net-0 nodad");
        reconcile(nodes);
        CHECK(way_to(pod) == through(index_of("v-net-0")));
        run("ip link del v-net-0");
        reconcile(nodes);
        CHECK(way_to(pod) == "unreachable");
    }
    SECTION("and what is in place is left as it is")
    {
        reconcile(nodes);
        CHECK(lines.empty());
    }
    SECTION("and what somebody removes comes back")
    {
        run("ip route flush proto 82; ip -6 route flush proto 82");
        reconcile(nodes);
        CHECK(way_to(free_address) == "unreachable");
    }
    SECTION("until the range is another node's, and back again")
    {
        const std::vector<k8s::Node> swapped = {dual_stack_node("1", "2"), dual_stack_node("2", "1")};
        reconcile(swapped);
        CHECK(way_to(free_address) == through(uplink));
        CHECK(need(netlink::route_to(socket(), free_address)).gateway !=
              need(netlink::route_to(socket(), "198.51.100.1"_ip)).gateway);
        reconcile(nodes);
        CHECK(way_to(free_address) == "unreachable");
    }
}

// Answers to its pods, and clients of their host ports, come in by the default route's link.
TEST_CASE_METHOD(GuardedNode, "the only node of a cluster forwards from its default routes' links",
                 "[kernel][reconcile]")
{
    run("sysctl -qw net.ipv4.conf.eth0.forwarding=0");
    reconcile({dual_stack_node("1", "1")});
    CHECK(link_of("eth0").forwards_ipv4);
}
