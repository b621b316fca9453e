#include "test/unit/recorded_kernel.h"

#include <algorithm>
#include <chrono>
#include <thread>

using namespace routelet;
using namespace routelet::controller;
using namespace routelet::test;
using namespace routelet::test::recorded;

TEST_CASE("nothing is changed before the first complete list", "[reconcile]")
{
    Fixture f;
    f.kernel.state.routes.push_back(our_route("10.244.9.0/24"_net, "192.168.1.19"_ip));
    f.reconciler.upsert_node(node("2"));
    CHECK(f.reconcile());
    CHECK(f.kernel.batches.empty());
}

TEST_CASE("an earlier life's routes are kept where they fit and swept where they do not", "[reconcile]")
{
    Fixture f;
    f.kernel.state.routes.push_back(our_route("10.244.2.0/24"_net, "192.168.1.12"_ip));
    f.kernel.state.routes.push_back(our_route("10.244.9.0/24"_net, "192.168.1.19"_ip));

    replace_nodes(f.reconciler, {node("1"), node("2"), node("3")});
    CHECK(f.reconcile("start"));

    CHECK(f.kernel.our_routes() == std::map<IpPrefix, IpAddress>{{"10.244.2.0/24"_net, "192.168.1.12"_ip},
                                                                 {"10.244.3.0/24"_net, "192.168.1.13"_ip}});
    REQUIRE(f.kernel.batches.size() == 1);
    CHECK(f.kernel.batches[0].size() == 3); // the own podCIDR's guard among them
    CHECK(f.logged("route-removed") ==
          Strings{"event=route-removed dst=10.244.9.0/24 via=192.168.1.19 dev=eth0 cause=stale"});
    CHECK(f.logged("routes-ready") ==
          Strings{"event=routes-ready nodes=3 routes=2 kept=1 added=1 replaced=0 removed=1 failed=0"});
}

TEST_CASE("nodes come, change and go, and the log tells it", "[reconcile]")
{
    Fixture f;
    replace_nodes(f.reconciler, {node("1"), node("2")});
    REQUIRE(f.reconcile("start"));

    SECTION("a node that joins gets its route")
    {
        CHECK(f.reconciler.upsert_node(node("3")));
        CHECK(f.reconcile());
        CHECK(f.kernel.our_routes().contains("10.244.3.0/24"_net));
        CHECK(f.logged("route-added").back() ==
              "event=route-added node=node03 dst=10.244.3.0/24 via=192.168.1.13 dev=eth0 cause=node");
    }
    SECTION("a heartbeat is no change")
    {
        CHECK_FALSE(f.reconciler.upsert_node(node("2")));
    }
    SECTION("a node under another address is one replacement")
    {
        k8s::Node moved = node("2");
        moved.internal_ips = {"192.168.1.99"};
        CHECK(f.reconciler.upsert_node(moved));
        CHECK(f.reconcile());
        CHECK(f.logged("route-replaced") ==
              Strings{"event=route-replaced node=node02 dst=10.244.2.0/24 "
                      "via=192.168.1.99 dev=eth0 old_via=192.168.1.12 cause=node"});
        CHECK(f.kernel.batches.back().size() == 1);
    }
    SECTION("a node that leaves takes its route with it")
    {
        CHECK(f.reconciler.erase_node("node02"));
        CHECK(f.reconcile());
        CHECK(f.kernel.our_routes().empty());
        CHECK(f.logged("route-removed") ==
              Strings{
                  "event=route-removed node=node02 dst=10.244.2.0/24 via=192.168.1.12 dev=eth0 cause=node"});
        CHECK(f.logged("node-left").size() == 1);
    }
    SECTION("a node that is refused is said once, with reason and remedy")
    {
        k8s::Node bad = node("3");
        bad.pod_cidrs = {"192.168.1.0/24"};
        f.reconciler.upsert_node(bad);
        CHECK(f.reconcile());
        CHECK(f.reconcile("check"));
        REQUIRE(f.logged("node-refused").size() == 1);
        CHECK_THAT(
            f.logged("node-refused")[0],
            has_text("node=node03 pod_cidr=192.168.1.0/24 reason=overlaps-local-network detail=\"it overlaps "
                     "192.168.1.0/24, a network of this machine on eth0\" remedy="));
    }
}

TEST_CASE("a route that somebody removes is restored from the notification", "[reconcile]")
{
    Fixture f;
    replace_nodes(f.reconciler, {node("1"), node("2")});
    REQUIRE(f.reconcile("start"));
    const int dumps = f.kernel.dumps;

    const auto gone = our_route("10.244.2.0/24"_net, "192.168.1.12"_ip);
    std::erase(f.kernel.state.routes, gone);
    CHECK(f.reconciler.observe({netlink::RouteChanged{.route = gone, .removed = true}}));
    CHECK(f.reconcile("kernel"));

    CHECK(f.kernel.our_routes().contains("10.244.2.0/24"_net));
    CHECK(f.kernel.dumps == dumps);
    CHECK(f.reconciler.readiness_facts().routes_in_place == 1);
    CHECK(
        f.logged("route-restored") ==
        Strings{"event=route-restored node=node02 dst=10.244.2.0/24 via=192.168.1.12 dev=eth0 cause=kernel"});
    REQUIRE(f.reconciler.counters().last.has_value());
    CHECK(f.reconciler.counters().last->event == "route-restored");
    CHECK(f.reconciler.counters().last->destination == "10.244.2.0/24"_net);
    CHECK(f.reconciler.counters().last->cause == "kernel");
}

TEST_CASE("what the notifications cannot tell is read from the kernel", "[reconcile]")
{
    Fixture f;
    replace_nodes(f.reconciler, {node("1"), node("2")});
    REQUIRE(f.reconcile("start"));
    const int dumps = f.kernel.dumps;

    SECTION("after an overrun")
    {
        CHECK(f.reconciler.observe({netlink::Overrun{}}));
    }
    SECTION("after a link went down that our routes go through")
    {
        netlink::Link down = link_up(eth0, "eth0");
        down.flags = 0;
        CHECK(f.reconciler.observe({netlink::LinkChanged{.link = down, .removed = false}}));
    }
    SECTION("after an address of that link was removed")
    {
        CHECK(f.reconciler.observe(
            {netlink::AddressChanged{.address = f.kernel.state.addresses[0], .removed = true}}));
    }
    SECTION("after somebody replaced our route by his own, at our metric")
    {
        CHECK(f.reconciler.observe({netlink::RouteChanged{
            .route = foreign_route("10.244.2.0/24"_net, "192.168.1.66"_ip, 8468), .removed = false}}));
    }
    std::erase_if(f.kernel.state.routes, [](const auto& route) { return ours.owns(route); });
    CHECK(f.reconcile("kernel"));
    CHECK(f.kernel.dumps == dumps + 1);
    CHECK(f.kernel.our_routes().contains("10.244.2.0/24"_net));
}

TEST_CASE("the own podCIDR is guarded by an unreachable route, which is no route to a node", "[reconcile]")
{
    Fixture f;
    const std::vector<k8s::Node> five = {node("1"), node("2"), node("3"), node("4"), node("5")};
    replace_nodes(f.reconciler, five);
    REQUIRE(f.reconcile("start"));

    CHECK(f.kernel.guards() == std::vector{"10.244.1.0/24"_net});
    CHECK(f.reconciler.routes_in_place() == 4);
    CHECK_THAT(f.logged("routes-ready")[0], has_text("routes=4 kept=0 added=4"));
    CHECK(f.logged("route-added").back() ==
          "event=route-added node=node01 dst=10.244.1.0/24 type=unreachable cause=start");

    SECTION("it is restored when somebody removes it")
    {
        const auto gone = new_route("10.244.1.0/24"_net, guard, ours);
        std::erase(f.kernel.state.routes, gone);
        CHECK(f.reconciler.observe({netlink::RouteChanged{.route = gone, .removed = true}}));
        CHECK(f.reconcile("kernel"));
        CHECK(f.kernel.guards().size() == 1);
        CHECK(f.logged("route-restored") ==
              Strings{"event=route-restored node=node01 dst=10.244.1.0/24 type=unreachable cause=kernel"});
    }
    SECTION("it follows the own podCIDR")
    {
        k8s::Node changed = node("1");
        changed.pod_cidrs = {"10.244.9.0/24"};
        f.reconciler.upsert_node(changed);
        CHECK(f.reconcile());
        CHECK(f.kernel.guards() == std::vector{"10.244.9.0/24"_net});
    }
    SECTION("it does not count when many routes would go at once, but waits with them")
    {
        replace_nodes(f.reconciler,
                      {node("2"), node("3")}); // two of four: no mass withdrawal with a guard more
        CHECK(f.reconcile());
        CHECK(f.kernel.guards().empty());
        replace_nodes(f.reconciler, five);
        REQUIRE(f.reconcile());
        replace_nodes(f.reconciler, {});
        CHECK_FALSE(f.reconcile());
        CHECK(f.kernel.guards().size() == 1);
    }
}

TEST_CASE("a mass withdrawal waits, and additions go on meanwhile", "[reconcile]")
{
    Fixture f;
    const std::vector<k8s::Node> five = {node("1"), node("2"), node("3"), node("4"), node("5")};
    replace_nodes(f.reconciler, five);
    REQUIRE(f.reconcile("start"));
    REQUIRE(f.kernel.our_routes().size() == 4);

    replace_nodes(f.reconciler, {node("1"), node("6")});
    CHECK_FALSE(f.reconcile()); // to be tried again
    CHECK_FALSE(f.reconcile("retry"));
    CHECK(f.kernel.our_routes().size() == 5);
    REQUIRE(f.logged("withdrawal-held").size() == 1);
    CHECK_THAT(f.logged("withdrawal-held")[0], has_text("routes=4 of=4"));

    SECTION("the nodes come back: nothing was lost")
    {
        replace_nodes(f.reconciler, five);
        CHECK(f.reconcile());
        CHECK(f.kernel.our_routes().size() == 4);
        CHECK(f.lines.end() != std::ranges::find_if(f.lines, [](const std::string& line) {
                  return line.find("event=withdrawal-averted") != std::string::npos;
              }));
    }
    SECTION("they do not: after the grace time the routes go")
    {
        std::this_thread::sleep_for(std::chrono::milliseconds(1100));
        CHECK(f.reconcile("retry"));
        CHECK(f.kernel.our_routes() ==
              std::map<IpPrefix, IpAddress>{{"10.244.6.0/24"_net, "192.168.1.16"_ip}});
    }
}

TEST_CASE("each mass withdrawal waits, also the one that follows another", "[reconcile]")
{
    Fixture f;
    const std::vector<k8s::Node> five = {node("1"), node("2"), node("3"), node("4"), node("5")};
    replace_nodes(f.reconciler, five);
    REQUIRE(f.reconcile("start"));
    replace_nodes(f.reconciler, {node("1"), node("6"), node("7"), node("8"), node("9")});
    CHECK_FALSE(f.reconcile());
    std::this_thread::sleep_for(std::chrono::milliseconds(1100));
    CHECK(f.reconcile("retry"));
    REQUIRE(f.kernel.our_routes().size() == 4);

    replace_nodes(f.reconciler, {node("1")});
    CHECK_FALSE(f.reconcile());
    CHECK(f.kernel.our_routes().size() == 4);
    CHECK(f.logged("withdrawal-held").size() == 2);
}

TEST_CASE("a mass withdrawal waits also while as many nodes are new", "[reconcile]")
{
    Fixture f;
    replace_nodes(f.reconciler, {node("1"), node("2"), node("3"), node("4"), node("5")});
    REQUIRE(f.reconcile("start"));

    replace_nodes(f.reconciler, {node("1"), node("6"), node("7"), node("8"), node("9")});
    CHECK_FALSE(f.reconcile());
    CHECK_FALSE(f.reconcile("retry"));
    CHECK(f.kernel.our_routes().size() == 8);
    CHECK(f.logged("route-removed").empty());
}

TEST_CASE("a network that one dump misses is not gone", "[reconcile]")
{
    Fixture f;
    replace_nodes(f.reconciler, {node("1"), node("2")});
    REQUIRE(f.reconcile("start"));

    f.kernel.forgetful_dumps = 1;
    f.reconciler.distrust_mirror();
    CHECK(f.reconcile("check"));
    CHECK(f.kernel.our_routes().contains("10.244.2.0/24"_net));
    CHECK(f.kernel.batches.size() == 1); // that of the start
}

TEST_CASE("what others do to what matters here is recorded, and who did it", "[reconcile]")
{
    Fixture f;
    std::vector<std::string> recorded;
    f.log.record_to([&](const LogLine& line) {
        if (line.level() == LogLevel::debug)
            recorded.push_back(
                to_logfmt(line, {}).substr(sizeof "time=1970-01-01T00:00:00.000Z level=debug"));
    });
    replace_nodes(f.reconciler, {node("1"), node("2")});
    REQUIRE(f.reconcile("start"));
    CHECK(recorded.empty()); // all of it the agent's own

    netlink::Route lost = our_route("10.244.2.0/24"_net, "192.168.1.12"_ip);
    f.reconciler.observe({netlink::RouteChanged{lost, true, 4711}});
    netlink::Link down = f.kernel.state.links.front();
    down.flags = 0;
    f.reconciler.observe({netlink::LinkChanged{down}});
    f.reconciler.observe({netlink::AddressChanged{f.kernel.state.addresses.front(), true}});
    lost.destination = "10.99.0.0/24"_net; // of nobody's pods
    lost.protocol = netlink::RouteProtocol{RTPROT_STATIC};
    f.reconciler.observe({netlink::RouteChanged{lost, true, 4711}});
    CHECK(recorded.empty()); // not before the repair
    REQUIRE(f.reconcile("kernel"));

    CHECK(recorded == Strings{"event=kernel-route what=removed dst=10.244.2.0/24 via=192.168.1.12 dev=eth0 "
                              "proto=82 metric=8468 by=4711",
                              "event=kernel-link what=down dev=eth0 mtu=0",
                              "event=kernel-address what=removed address=192.168.1.11/24 dev=eth0"});
    CHECK(f.lines.size() > 0);
    CHECK(f.logged("kernel-route").empty()); // the log shows info
}

TEST_CASE("forwarding that was switched off is switched on again by the next full check", "[reconcile]")
{
    Fixture f;
    replace_nodes(f.reconciler, {node("1"), node("2")});
    REQUIRE(f.reconcile("start"));
    CHECK(f.kernel.forwarding_requests == 1);
    CHECK(f.reconcile("retry"));
    CHECK(f.kernel.forwarding_requests == 1);
    f.reconciler.distrust_mirror();
    CHECK(f.reconcile("check"));
    CHECK(f.kernel.forwarding_requests == 1); // on, so not written again
    f.kernel.state.links.front().forwards_ipv4 = false;
    f.reconciler.distrust_mirror();
    CHECK(f.reconcile("check"));
    CHECK(f.kernel.forwarding_requests == 2);
    CHECK(f.logged("forwarding-enabled").size() == 1);
}

TEST_CASE("forwarding that is announced to be off is switched on at once, and told once a minute",
          "[reconcile]")
{
    Fixture f;
    replace_nodes(f.reconciler, {node("1"), node("2")});
    REQUIRE(f.reconcile("start"));
    REQUIRE(f.kernel.forwarding_requests == 1);
    netlink::Link enabled = f.kernel.state.links.front();
    enabled.forwards_ipv4 = true;
    f.reconciler.observe({netlink::LinkChanged{enabled}}); // as the kernel tells of our own change

    for (int time = 2; time < 5; ++time) {
        CHECK(f.reconciler.observe({netlink::ForwardingChanged{eth0, false}}));
        CHECK(f.reconcile("kernel"));
        CHECK(f.kernel.forwarding_requests == time);
        f.reconciler.observe({netlink::LinkChanged{enabled}});
    }
    CHECK(f.logged("forwarding-enabled").size() == 1);

    CHECK_FALSE(f.reconciler.observe({netlink::ForwardingChanged{eth0, true}}));
    CHECK_FALSE(f.reconciler.observe({netlink::ForwardingChanged{netlink::IfIndex{77}, false}}));
}

TEST_CASE("forwarding that is on is left as it is", "[reconcile]")
{
    Fixture f;
    f.kernel.state.links.front().forwards_ipv4 = true;
    replace_nodes(f.reconciler, {node("1"), node("2")});
    REQUIRE(f.reconcile("start"));
    CHECK(f.kernel.forwarding_requests == 0);
    CHECK(f.logged("forwarding-enabled").empty());
}

TEST_CASE("what is left to the gateway is told, and needs forwarding where the default route goes",
          "[reconcile][off-link]")
{
    Fixture f;
    const netlink::Route by_default = foreign_route("0.0.0.0/0"_net, "192.168.1.1"_ip, 100);
    f.kernel.state.routes.push_back(by_default);
    k8s::Node far = node("2");
    far.internal_ips = {"192.168.2.12"};
    k8s::Node self = node("1");
    self.pod_cidrs = {}; // pods of its own need forwarding there anyway
    const auto start = [&](OffLink off_link) {
        Reconciler reconciler(
            f.kernel, f.log,
            {.plan = {.node_name = "node01", .cluster_cidrs = {}, .service_cidrs = {}, .off_link = off_link},
             .identity = ours,
             .pod_bridge = "v-net-0"});
        replace_nodes(reconciler, {self, far});
        REQUIRE(reconciler.reconcile({"start", Cause::Clock::now()}));
        return reconciler;
    };

    SECTION("by default it is refused, and nothing comes in from there")
    {
        start(OffLink::skip);
        CHECK(f.logged("node-refused").size() == 1);
        CHECK(f.kernel.forwarding_requests == 0);
    }
    SECTION("with --off-link=gateway it is a state of its own")
    {
        Reconciler reconciler = start(OffLink::gateway);
        CHECK(f.kernel.our_routes().empty());
        CHECK(f.kernel.forwarding_requests == 1);
        const Strings told = {
            "event=node-gateway node=node02 pod_cidr=10.244.2.0/24 detail=\"192.168.2.12 is on no network of "
            "this machine; the default route through 192.168.1.1 leads there\""};
        CHECK(f.logged("node-gateway") == told);
        CHECK(f.logged("node-refused").empty());

        CHECK(reconciler.observe({netlink::RouteChanged{.route = by_default, .removed = true}}));
        CHECK(reconciler.reconcile({"kernel", Cause::Clock::now()}));
        REQUIRE(f.logged("node-pending").size() == 1);
        CHECK_THAT(f.logged("node-pending")[0], has_text("reason=no-default-gateway"));
        CHECK_THAT(f.logged("node-pending")[0], has_text("remedy="));
    }
}

TEST_CASE("nodes that are left to the gateway are no withdrawal when they go", "[reconcile][off-link]")
{
    Fixture f;
    f.kernel.state.routes.push_back(foreign_route("0.0.0.0/0"_net, "192.168.1.1"_ip, 100));
    Reconciler reconciler(f.kernel, f.log,
                          {.plan = {.node_name = "node01",
                                    .cluster_cidrs = {},
                                    .service_cidrs = {},
                                    .off_link = OffLink::gateway},
                           .identity = ours,
                           .pod_bridge = "v-net-0"});
    std::vector<k8s::Node> nodes = {node("1"), node("2")};
    for (const char* number : {"3", "4", "5", "6", "7", "8"}) {
        nodes.push_back(node(number));
        nodes.back().internal_ips = {std::string("192.168.2.1") + number};
    }
    replace_nodes(reconciler, nodes);
    REQUIRE(reconciler.reconcile({"start", Cause::Clock::now()}));

    replace_nodes(reconciler, {node("1"), node("2")});
    CHECK(reconciler.reconcile({"node", Cause::Clock::now()}));
    CHECK(f.logged("withdrawal-held").empty());
    CHECK(f.kernel.our_routes().size() == 1);
}

TEST_CASE("a route that the kernel refuses is tried again, told once, and holds back no other", "[reconcile]")
{
    Fixture f;
    f.kernel.refusals["10.244.2.0/24"_net] = make_error(
        boost::system::errc::network_unreachable, "adding route 10.244.2.0/24: Nexthop has invalid gateway");
    replace_nodes(f.reconciler, {node("1"), node("2"), node("3")});

    CHECK_FALSE(f.reconcile("start"));
    CHECK_FALSE(f.reconcile("retry"));
    CHECK(f.kernel.our_routes() == std::map<IpPrefix, IpAddress>{{"10.244.3.0/24"_net, "192.168.1.13"_ip}});
    REQUIRE(f.logged("route-failed").size() == 1);
    CHECK_THAT(f.logged("route-failed")[0], has_text("Nexthop has invalid gateway: Network is unreachable"));

    f.kernel.refusals.clear();
    CHECK(f.reconcile("retry"));
    CHECK(f.kernel.our_routes().size() == 2);
}

TEST_CASE("the facts of readiness are those of this node", "[reconcile]")
{
    Fixture f;
    CHECK_FALSE(f.reconciler.readiness_facts().nodes_listed);

    replace_nodes(f.reconciler, {node("2"), node("3")});
    CHECK(f.reconciler.readiness_facts().nodes_listed);
    CHECK_FALSE(f.reconciler.readiness_facts().reconciled);
    f.kernel.refusals["10.244.3.0/24"_net] =
        make_error(boost::system::errc::network_unreachable, "adding route 10.244.3.0/24");
    CHECK_FALSE(f.reconcile("start"));
    ReadinessFacts facts = f.reconciler.readiness_facts();
    CHECK(facts.reconciled);
    CHECK_FALSE(facts.node_exists);
    CHECK(facts.own_verdicts.empty());
    CHECK(facts.routes_planned == 2);
    CHECK(facts.routes_in_place == 1); // the other is among failures()
    CHECK(f.reconciler.failures().contains("10.244.3.0/24"_net));

    f.reconciler.upsert_node(node("1"));
    f.reconcile();
    facts = f.reconciler.readiness_facts();
    CHECK(facts.node_exists);
    REQUIRE(facts.own_verdicts.size() == 1);
    CHECK(facts.own_verdicts[0].destination == "10.244.1.0/24");
}

TEST_CASE("many changes are made a batch at a time, and are one pass in the log", "[reconcile]")
{
    Reconciler::Options options;
    options.batch = 2;
    Fixture f(options);
    replace_nodes(f.reconciler, {node("1"), node("2"), node("3"), node("4"), node("5")});

    int calls = 0;
    do {
        CHECK(f.reconcile("start") == (calls == 2));
        ++calls;
    } while (f.reconciler.has_more());

    CHECK(calls == 3); // four routes and a guard
    CHECK(f.kernel.our_routes().size() == 4);
    CHECK(f.kernel.guards().size() == 1);
    CHECK(f.logged("routes-ready") ==
          Strings{"event=routes-ready nodes=5 routes=4 kept=0 added=4 replaced=0 removed=0 failed=0"});

    SECTION("a node that goes meanwhile is seen to with the rest")
    {
        replace_nodes(f.reconciler,
                      {node("1"), node("6"), node("7"), node("8"), node("9"), node("2"), node("3")});
        CHECK_FALSE(f.reconcile());
        REQUIRE(f.reconciler.has_more());
        f.reconciler.erase_node("node08");
        while (f.reconciler.has_more())
            f.reconcile();
        CHECK(f.kernel.our_routes().size() == 5);
        CHECK_FALSE(f.kernel.our_routes().contains("10.244.8.0/24"_net));
    }
    SECTION("one that is refused in each batch does not keep the others waiting")
    {
        f.kernel.refusals["10.244.6.0/24"_net] = make_error(boost::system::errc::network_unreachable, "no");
        replace_nodes(f.reconciler, {node("1"), node("2"), node("3"), node("4"), node("5"), node("6"),
                                     node("7"), node("8"), node("9")});
        int batches = 0;
        do {
            CHECK_FALSE(f.reconcile());
        } while (f.reconciler.has_more() && ++batches < 10);
        CHECK(batches == 1);
        CHECK(f.kernel.our_routes().size() == 7);
    }
}

TEST_CASE("what happens to very many routes is a few lines in the log", "[reconcile]")
{
    Fixture f;
    std::vector<k8s::Node> nodes = {node("1")};
    for (int i = 0; i < 250; ++i)
        nodes.push_back({.name = "n" + std::to_string(i),
                         .created = "2026-01-01T00:00:00Z",
                         .pod_cidrs = {"10.245." + std::to_string(i) + ".0/24"},
                         .internal_ips = {"192.168.1." + std::to_string(i < 10 ? i + 1 : i + 3)}});
    replace_nodes(f.reconciler, nodes);
    f.reconcile("start");
    CHECK(f.lines.size() < 250);
    CHECK(std::ranges::count_if(f.lines, [](const std::string& line) {
              return line.find("event=route-added more=") != std::string::npos;
          }) == 1);
}
