#include "test/unit/recorded_kernel.h"

#include <algorithm>
#include <chrono>
#include <thread>

using namespace routelet;
using namespace routelet::controller;
using namespace routelet::test;
using namespace routelet::test::recorded;

TEST_CASE("another MTU of a link is known at once, and no reason to read the kernel again", "[reconcile]")
{
    Fixture f;
    f.kernel.state.links[0].mtu = 1500;
    replace_nodes(f.reconciler, {node("1"), node("2")});
    REQUIRE(f.reconcile("start"));
    CHECK(f.reconciler.local().networks[0].mtu == 1500);
    const int dumps = f.kernel.dumps;

    f.kernel.state.links[0].mtu = 1450;
    const netlink::LinkChanged changed{.link = f.kernel.state.links[0], .removed = false};
    CHECK(f.reconciler.observe({changed}));
    CHECK(f.reconcile("kernel"));
    CHECK(f.reconciler.local().networks[0].mtu == 1450);
    CHECK(f.kernel.dumps == dumps);
    CHECK_FALSE(f.reconciler.observe({changed}));
}

TEST_CASE("a pod that starts or stops is no reason to read the kernel again", "[reconcile]")
{
    Fixture f;
    replace_nodes(f.reconciler, {node("1"), node("2")});
    REQUIRE(f.reconcile("start"));

    // All that the kernel announces of a veth on the bridge: the link, its carrier, its link-local address
    // and routes.
    constexpr netlink::IfIndex index{40};
    netlink::Link veth = link_up(index, "veth1234");
    veth.master = netlink::IfIndex{9};
    netlink::Link down = veth;
    down.flags = 0;
    const netlink::InterfaceAddress link_local{.link = index, .address = "fe80::1"_ip, .length = 64};
    const auto network = connected("fe80::/64"_net, index);
    const auto multicast = connected("ff00::/8"_net, index);
    CHECK_FALSE(f.reconciler.observe({netlink::LinkChanged{.link = down, .removed = false},
                                      netlink::RouteChanged{.route = multicast, .removed = false},
                                      netlink::RouteChanged{.route = network, .removed = false},
                                      netlink::AddressChanged{.address = link_local, .removed = false},
                                      netlink::LinkChanged{.link = veth, .removed = false},
                                      netlink::LinkChanged{.link = down, .removed = false},
                                      netlink::RouteChanged{.route = network, .removed = true},
                                      netlink::AddressChanged{.address = link_local, .removed = true},
                                      netlink::LinkChanged{.link = down, .removed = true}}));
}

TEST_CASE("a pod that the node routes to is no network of the node's, whenever it starts or stops",
          "[reconcile]")
{
    constexpr netlink::IfIndex index{40};
    netlink::Link veth = link_up(index, "veth1234");
    veth.kind = "veth";
    const auto [pod, peer] = GENERATE(table<IpPrefix, IpPrefix>(
        {{"10.244.1.7/32"_net, "10.9.0.0/24"_net}, {"fd00:1::7/128"_net, "fd00:9::/64"_net}}));
    Fixture f;
    const bool is_there_at_start = GENERATE(true, false);
    if (is_there_at_start) {
        f.kernel.state.links.push_back(veth);
        f.kernel.state.routes.push_back(connected(pod, index));
    }
    replace_nodes(f.reconciler, {node("1"), node("2")});
    REQUIRE(f.reconcile("start"));
    const LocalFacts local = f.reconciler.local();
    CHECK(std::ranges::find(local.networks, pod, &OnLinkNetwork::network) == local.networks.end());

    CHECK_FALSE(f.reconciler.observe({netlink::LinkChanged{.link = veth, .removed = false},
                                      netlink::RouteChanged{.route = connected(pod, index), .removed = false},
                                      netlink::RouteChanged{.route = connected(pod, index), .removed = true},
                                      netlink::LinkChanged{.link = veth, .removed = true}}));
    CHECK(f.reconciler.local() == local);

    // A network behind a veth, and a single address behind another link, are the node's.
    netlink::Link tunnel = veth;
    tunnel.kind = "gre";
    CHECK(f.reconciler.observe({netlink::LinkChanged{.link = veth, .removed = false},
                                netlink::RouteChanged{.route = connected(peer, index), .removed = false}}));
    CHECK(f.reconciler.observe({netlink::LinkChanged{.link = tunnel, .removed = false},
                                netlink::RouteChanged{.route = connected(pod, index), .removed = false}}));
}

TEST_CASE("many routes of a routing daemon are no work", "[reconcile]")
{
    Fixture f;
    replace_nodes(f.reconciler, {node("1"), node("2")});
    REQUIRE(f.reconcile("start"));
    CHECK_FALSE(f.reconciler.observe({netlink::RouteChanged{
        .route = foreign_route("203.0.113.0/24"_net, "192.168.1.1"_ip, 20), .removed = false}}));
}

TEST_CASE("two links on one network: what happens to one does not take the other's routes", "[reconcile]")
{
    constexpr netlink::IfIndex eth1{3};
    Fixture f;
    f.kernel.state.links.push_back(link_up(eth1, "eth1"));
    f.kernel.state.routes.push_back(connected("192.168.1.0/24"_net, eth1));
    replace_nodes(f.reconciler, {node("1"), node("2")});
    REQUIRE(f.reconcile("start"));
    CHECK_THAT(f.logged("route-added")[0], has_text("dst=10.244.2.0/24 via=192.168.1.12 dev=eth0"));

    const auto second = connected("192.168.1.0/24"_net, eth1);
    std::erase(f.kernel.state.routes, second);
    f.reconciler.observe({netlink::RouteChanged{.route = second, .removed = true}});
    CHECK(f.reconcile("kernel"));
    CHECK(f.kernel.our_routes().contains("10.244.2.0/24"_net));
    CHECK(f.logged("route-removed").empty());

    // It comes back: not announced whether beside the other or in its place, so the kernel is asked.
    const int dumps = f.kernel.dumps;
    f.kernel.state.routes.push_back(second);
    f.reconciler.observe({netlink::RouteChanged{.route = second, .removed = false}});
    CHECK(f.reconcile("kernel"));
    CHECK(f.kernel.dumps == dumps + 1);
    CHECK(f.logged("route-replaced").empty());
}

TEST_CASE("a link that flaps gets its routes back when it returns", "[reconcile]")
{
    Fixture f;
    replace_nodes(f.reconciler, {node("1"), node("2")});
    REQUIRE(f.reconcile("start"));

    netlink::Link flapping = link_up(eth0, "eth0");
    flapping.flags = 0;
    f.kernel.state.routes.clear();
    f.reconciler.observe({netlink::LinkChanged{.link = flapping, .removed = false}});
    CHECK(f.reconcile("kernel"));
    CHECK(f.kernel.our_routes().empty());
    CHECK(f.logged("node-refused").size() == 1);

    f.kernel.state.routes = {connected("192.168.1.0/24"_net, eth0)};
    f.reconciler.observe({netlink::LinkChanged{.link = link_up(eth0, "eth0"), .removed = false},
                          netlink::RouteChanged{.route = f.kernel.state.routes[0], .removed = false}});
    CHECK(f.reconcile("kernel"));
    CHECK(f.kernel.our_routes().contains("10.244.2.0/24"_net));
}

TEST_CASE("a link that is lost and comes back restores routes, it does not add them", "[reconcile]")
{
    Fixture f;
    replace_nodes(f.reconciler, {node("1"), node("2")});
    REQUIRE(f.reconcile("start"));
    netlink::Link down = link_up(eth0, "eth0");
    down.flags = 0;
    const auto network = connected("192.168.1.0/24"_net, eth0);
    std::erase_if(f.kernel.state.routes, [](const auto& route) { return route.oif == eth0; });
    f.reconciler.observe({netlink::LinkChanged{.link = down, .removed = false}});
    f.reconcile("kernel");
    f.kernel.state.routes.push_back(network);
    f.reconciler.observe({netlink::RouteChanged{.route = network, .removed = false}});
    f.reconcile("kernel");
    CHECK(f.logged("route-added").size() == 2); // at the start: the route, and the guard
    CHECK(f.logged("route-restored").size() == 1);
}
