// Routes of others at our destinations, and others who set or take away ours.
#include "test/unit/recorded_kernel.h"

#include <algorithm>
#include <chrono>
#include <thread>

using namespace routelet;
using namespace routelet::controller;
using namespace routelet::test;
using namespace routelet::test::recorded;

TEST_CASE("somebody else's route to a podCIDR is reported with its owner and left alone", "[reconcile]")
{
    Fixture f;
    const auto foreign = foreign_route("10.244.2.0/24"_net, "192.168.1.77"_ip, 0);
    f.kernel.state.routes.push_back(foreign);
    replace_nodes(f.reconciler, {node("1"), node("2")});
    REQUIRE(f.reconcile("start"));
    REQUIRE(f.reconcile("check"));

    CHECK(std::ranges::count(f.kernel.state.routes, foreign) == 1);
    REQUIRE(f.logged("route-conflict").size() == 1);
    CHECK_THAT(f.logged("route-conflict")[0], has_text("owner=\"proto static metric 0\""));

    f.reconciler.observe({netlink::RouteChanged{.route = foreign, .removed = true}});
    f.reconcile("kernel");
    CHECK(f.lines.back().find("event=route-conflict-over dst=10.244.2.0/24") != std::string::npos);
}

TEST_CASE("a route of ours beside another is removed first, and is no withdrawal", "[reconcile]")
{
    Fixture f;
    replace_nodes(f.reconciler, {node("1"), node("2")});
    REQUIRE(f.reconcile("start"));

    // Somebody sets one before ours (ip route prepend): announced as one in its place would be.
    const auto wanted = our_route("10.244.2.0/24"_net, "192.168.1.12"_ip);
    auto first = our_route("10.244.2.0/24"_net, "192.168.1.66"_ip);
    first.metric = wanted.metric;
    f.kernel.state.routes.insert(f.kernel.state.routes.begin(), first);
    CHECK(f.reconciler.observe({netlink::RouteChanged{.route = first, .removed = false}}));
    CHECK(f.reconcile("kernel"));

    REQUIRE(f.kernel.batches.back().size() == 2);
    CHECK(f.kernel.batches.back()[0] == RouteChange{RouteChange::Kind::remove, wanted});
    CHECK(f.kernel.batches.back()[1] == RouteChange{RouteChange::Kind::replace, wanted, first});
}

TEST_CASE("of several routes of ours at several metrics the lowest is kept, in whatever order they are read",
          "[reconcile]")
{
    Fixture f;
    const auto wanted = our_route("10.244.2.0/24"_net, "192.168.1.12"_ip);
    netlink::Route lower = wanted;
    lower.metric = ours.metric;
    const bool is_lower_first = GENERATE(true, false);
    f.kernel.state.routes.push_back(is_lower_first ? lower : wanted);
    f.kernel.state.routes.push_back(is_lower_first ? wanted : lower);
    replace_nodes(f.reconciler, {node("1"), node("2")});
    REQUIRE(f.reconcile("start"));

    REQUIRE(f.kernel.batches.size() == 1);
    CHECK(f.kernel.batches[0][0] == RouteChange{RouteChange::Kind::remove, wanted});
    CHECK(std::ranges::count(f.kernel.state.routes, lower) == 1);
    CHECK(std::ranges::count(f.kernel.state.routes, wanted) == 0);
}

TEST_CASE("somebody else's route at another of our metrics is not in the way of ours", "[reconcile]")
{
    Fixture f;
    replace_nodes(f.reconciler, {node("1"), node("2")});
    REQUIRE(f.reconcile("start"));
    const int dumps = f.kernel.dumps;

    const auto beside = foreign_route("10.244.2.0/24"_net, "192.168.1.66"_ip, 8469); // ours has 8468
    CHECK(f.reconciler.observe({netlink::RouteChanged{.route = beside, .removed = false}}));
    CHECK(f.reconcile("kernel"));
    CHECK(f.kernel.dumps == dumps);
    CHECK(f.logged("route-conflict").size() == 1);
}

TEST_CASE("where somebody else has our metric too, nothing of his is replaced", "[reconcile]")
{
    Fixture f;
    const auto before = our_route("10.244.2.0/24"_net, "192.168.1.66"_ip);
    const auto foreign = foreign_route("10.244.2.0/24"_net, "192.168.1.77"_ip, before.metric);
    f.kernel.state.routes.push_back(foreign);
    f.kernel.state.routes.push_back(before);
    replace_nodes(f.reconciler, {node("1"), node("2")});
    (void)f.reconcile("start"); // the recorder knows no EEXIST

    // Ours goes beside it, at another metric of ours, before the wrong one leaves.
    const auto wanted = our_route("10.244.2.0/24"_net, "192.168.1.12"_ip);
    REQUIRE(f.kernel.batches.size() == 1);
    CHECK(std::ranges::count(f.kernel.batches[0], RouteChange::Kind::replace, &RouteChange::kind) == 0);
    const auto created =
        std::ranges::find(f.kernel.batches[0], RouteChange{RouteChange::Kind::create, wanted});
    REQUIRE(created != f.kernel.batches[0].end());
    CHECK(std::count(created, f.kernel.batches[0].end(), RouteChange{RouteChange::Kind::remove, before}) ==
          1);
}

TEST_CASE("a route that is taken away again and again is put back more slowly, and the log says by whom",
          "[reconcile]")
{
    Fixture f;
    replace_nodes(f.reconciler, {node("1"), node("2"), node("3")});
    REQUIRE(f.reconcile("start"));

    const auto gone = our_route("10.244.2.0/24"_net, "192.168.1.12"_ip);
    const auto lose = [&](const netlink::Route& route) {
        std::erase(f.kernel.state.routes, route);
        CHECK(f.reconciler.observe({netlink::RouteChanged{.route = route, .removed = true, .port = 4711}}));
        f.reconcile("kernel");
    };
    for (int i = 1; i < RepairWatch::usual_fight; ++i) {
        lose(gone);
        CHECK(f.kernel.our_routes().contains(gone.destination));
    }
    CHECK(f.reconciler.due() == std::nullopt);

    lose(gone);
    CHECK_FALSE(f.kernel.our_routes().contains(gone.destination));
    REQUIRE(f.logged("route-fight").size() == 1);
    CHECK_THAT(f.logged("route-fight")[0],
               has_text("node=node02 dst=10.244.2.0/24 losses=5 by=\"netlink port 4711"));
    CHECK_THAT(f.logged("route-fight")[0], has_text("ManageForeignRoutes=no"));

    SECTION("the others are not concerned")
    {
        lose(our_route("10.244.3.0/24"_net, "192.168.1.13"_ip));
        CHECK(f.kernel.our_routes().contains("10.244.3.0/24"_net));
    }
    SECTION("it is put back when it is due")
    {
        REQUIRE(f.reconciler.due());
        std::this_thread::sleep_until(*f.reconciler.due());
        CHECK(f.reconcile("retry"));
        CHECK(f.kernel.our_routes().contains(gone.destination));
        CHECK(f.reconciler.due() == std::nullopt);
    }
    SECTION("a link that comes back ends the waiting")
    {
        netlink::Link down = link_up(eth0, "eth0");
        down.flags = 0;
        f.reconciler.observe({netlink::LinkChanged{.link = down, .removed = false},
                              netlink::LinkChanged{.link = link_up(eth0, "eth0"), .removed = false}});
        CHECK(f.reconcile("kernel"));
        CHECK(f.kernel.our_routes().contains(gone.destination));
    }
}

TEST_CASE("our own removals are no fight", "[reconcile]")
{
    Fixture f;
    replace_nodes(f.reconciler, {node("1"), node("2"), node("3")});
    REQUIRE(f.reconcile("start"));
    for (int i = 0; i < 2 * RepairWatch::usual_fight; ++i) {
        f.reconciler.erase_node("node02");
        f.reconcile();
        f.reconciler.observe({netlink::RouteChanged{
            .route = our_route("10.244.2.0/24"_net, "192.168.1.12"_ip), .removed = true, .port = 1}});
        f.reconciler.upsert_node(node("2"));
        f.reconcile();
        CHECK(f.kernel.our_routes().contains("10.244.2.0/24"_net));
    }
    CHECK(f.logged("route-fight").empty());
}

TEST_CASE("with --adopt, an identical route of somebody else's goes once ours is there", "[reconcile][adopt]")
{
    Reconciler::Options options;
    options.adopt = true;
    Fixture f(options);
    const auto flannel = foreign_route("10.244.2.0/24"_net, "192.168.1.12"_ip, 0);
    const auto elsewhere = foreign_route("10.244.3.0/24"_net, "192.168.1.99"_ip, 0);
    f.kernel.state.routes.push_back(flannel);
    f.kernel.state.routes.push_back(elsewhere);
    replace_nodes(f.reconciler, {node("1"), node("2"), node("3")});
    REQUIRE(f.reconcile("start"));

    CHECK(std::ranges::count(f.kernel.state.routes, flannel) == 0);
    CHECK(std::ranges::count(f.kernel.state.routes, elsewhere) == 1);
    CHECK(f.kernel.our_routes().size() == 2);
    CHECK(
        f.logged("route-adopted") ==
        Strings{
            "event=route-adopted node=node02 dst=10.244.2.0/24 via=192.168.1.12 owner=\"proto static metric "
            "0\""});
    REQUIRE(f.logged("route-conflict").size() == 1);
    CHECK_THAT(f.logged("route-conflict")[0], has_text("dst=10.244.3.0/24"));
    // In a batch of its own, after the one that ours came with.
    REQUIRE(f.kernel.batches.size() == 2);
    CHECK(f.kernel.batches[1][0].kind == RouteChange::Kind::take_over);

    SECTION("one that went another way is adopted once it goes ours, and is no conflict any more")
    {
        const auto alike = foreign_route("10.244.3.0/24"_net, "192.168.1.13"_ip, 0);
        std::ranges::replace(f.kernel.state.routes, elsewhere, alike);
        f.reconciler.observe({netlink::RouteChanged{.route = elsewhere, .removed = true},
                              netlink::RouteChanged{.route = alike, .removed = false}});
        CHECK(f.reconcile("kernel"));
        CHECK(std::ranges::count(f.kernel.state.routes, alike) == 0);
        CHECK(f.lines.back().find("event=route-conflict-over dst=10.244.3.0/24") != std::string::npos);
    }
    SECTION("of several that go the same way all are")
    {
        auto other = flannel;
        other.metric = 100;
        f.kernel.state.routes.push_back(flannel);
        f.kernel.state.routes.push_back(other);
        f.reconciler.distrust_mirror();
        CHECK(f.reconcile("check"));
        CHECK(std::ranges::count(f.kernel.state.routes, flannel) == 0);
        CHECK(std::ranges::count(f.kernel.state.routes, other) == 0);
    }
    SECTION("who makes it again and again keeps it for a while")
    {
        for (int i = 0; i < 10; ++i) {
            f.kernel.state.routes.push_back(flannel);
            f.reconciler.observe({netlink::RouteChanged{.route = flannel, .removed = false}});
            f.reconcile("kernel");
        }
        CHECK(f.logged("route-adopted").size() == RepairWatch::usual_fight);
        CHECK(std::ranges::count(f.kernel.state.routes, flannel) > 0);
        CHECK(f.logged("route-conflict").size() == 2);
    }
}

TEST_CASE("routes beside ours that cannot be removed keep no other work waiting", "[reconcile]")
{
    Reconciler::Options options;
    options.batch = 2;
    Fixture f(options);
    const auto first = our_route("10.244.2.0/24"_net, "192.168.1.12"_ip);
    f.kernel.state.routes.push_back(first);
    for (const auto& gateway : {"192.168.1.66"_ip, "192.168.1.67"_ip, "192.168.1.68"_ip})
        f.kernel.state.routes.push_back(our_route("10.244.2.0/24"_net, gateway));
    f.kernel.refusals["10.244.2.0/24"_net] = make_error(boost::system::errc::io_error, "no");
    replace_nodes(f.reconciler, {node("1"), node("2"), node("3"), node("4"), node("5")});

    int calls = 0;
    do
        CHECK_FALSE(f.reconcile("start"));
    while (f.reconciler.has_more() && ++calls < 10);
    CHECK(calls == 1);
    CHECK(f.kernel.guards().size() == 1);
    CHECK(f.kernel.our_routes().contains("10.244.5.0/24"_net));
}
