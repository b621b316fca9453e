#include "controller/difference.h"
#include "controller/kernel_mirror.h"
#include "controller/reconciler.h"
#include "test/support/catch.h"
#include "test/support/nodes.h"

#include <linux/if.h>
#include <linux/rtnetlink.h>

#include <chrono>
#include <thread>

using namespace routelet;
using namespace routelet::controller;
using namespace routelet::test;

namespace {

constexpr netlink::IfIndex eth0{2};
const RouteIdentity ours;

netlink::Route connected(const IpPrefix& network, netlink::IfIndex link)
{
    return {.destination = network,
            .gateway = {},
            .oif = link,
            .protocol = netlink::RouteProtocol{RTPROT_KERNEL}};
}

netlink::Route our_route(const IpPrefix& pods, const IpAddress& gateway)
{
    return new_route(pods, {.gateway = gateway, .link = eth0}, ours);
}

netlink::Route foreign_route(const IpPrefix& pods, const IpAddress& gateway, std::uint32_t metric)
{
    netlink::Route route = our_route(pods, gateway);
    route.protocol = netlink::RouteProtocol{RTPROT_STATIC};
    route.metric = metric;
    return route;
}

netlink::Link link_up(netlink::IfIndex index, const std::string& name)
{
    netlink::Link link;
    link.index = index;
    link.name = name;
    link.flags = static_cast<unsigned>(IFF_UP | IFF_LOWER_UP);
    return link;
}

// node01's kernel before any route of ours, as a recorder: it keeps what it is told.
class RecordedKernel : public Kernel {
public:
    KernelState state{.links = {link_up(eth0, "eth0")},
                      .addresses = {{.link = eth0, .address = "192.168.1.11"_ip, .length = 24}},
                      .routes = {connected("192.168.1.0/24"_net, eth0)}};
    std::vector<std::vector<RouteChange>> batches;
    std::map<IpPrefix, Error> refusals;
    int dumps = 0;
    int forgetful_dumps = 0; // so many of the next dumps miss the connected networks
    int forwarding_requests = 0;

    Result<KernelState> read() override
    {
        ++dumps;
        KernelState seen = state;
        if (forgetful_dumps > 0 && forgetful_dumps-- > 0)
            std::erase_if(seen.routes, [](const netlink::Route& route) { return !route.gateway; });
        return seen;
    }
    std::vector<Result<>> apply(const std::vector<RouteChange>& changes) override
    {
        batches.push_back(changes);
        std::vector<Result<>> results;
        for (const auto& change : changes) {
            const auto refusal = refusals.find(change.route.destination);
            if (refusal != refusals.end()) {
                results.emplace_back(refusal->second);
                continue;
            }
            if (change.kind == RouteChange::Kind::remove || change.kind == RouteChange::Kind::take_over) {
                std::erase(state.routes, change.route);
            } else {
                std::erase_if(state.routes, [&](const netlink::Route& route) {
                    return route.destination == change.route.destination &&
                           route.metric == change.route.metric && ours.owns(route);
                });
                state.routes.push_back(change.route);
            }
            results.emplace_back();
        }
        return results;
    }
    Result<> enable_ipv4_forwarding(netlink::IfIndex) override
    {
        ++forwarding_requests;
        return {};
    }

    std::map<IpPrefix, IpAddress> our_routes() const
    {
        std::map<IpPrefix, IpAddress> routes;
        for (const auto& route : state.routes)
            if (ours.owns(route) && !is_guard(Way::of(route)))
                routes.emplace(route.destination, *route.gateway);
        return routes;
    }
    std::vector<IpPrefix> guards() const
    {
        std::vector<IpPrefix> guarded;
        for (const auto& route : state.routes)
            if (ours.owns(route) && is_guard(Way::of(route)))
                guarded.push_back(route.destination);
        return guarded;
    }
};

k8s::Node node(const std::string& number)
{
    return {.name = "node0" + number,
            .uid = "uid-" + number,
            .created = "2026-01-0" + number + "T00:00:00Z",
            .pod_cidrs = {"10.244." + number + ".0/24"},
            .internal_ips = {"192.168.1.1" + number}};
}

// A reconciler on the recorder, and the events that it logged.
struct Fixture {
    explicit Fixture(Reconciler::Options options = {})
        : reconciler(kernel, log, as_node01(std::move(options)))
    {
    }

    static Reconciler::Options as_node01(Reconciler::Options options)
    {
        options.plan.node_name = "node01";
        options.withdrawal_grace = std::chrono::seconds(1);
        return options;
    }

    RecordedKernel kernel;
    std::vector<std::string> lines;
    Log log{LogFormat::text, LogLevel::info, [this](const std::string& line) {
                lines.push_back(line);
                return true;
            }};
    Reconciler reconciler;

    bool reconcile(std::string_view cause = "node")
    {
        return reconciler.reconcile({cause, Cause::Clock::now()});
    }

    // The lines with this event, as far as they can be compared: without time and duration.
    std::vector<std::string> logged(const std::string& event) const
    {
        std::vector<std::string> found;
        for (const std::string& line : lines)
            if (line.find(" event=" + event + " ") != std::string::npos) {
                const auto start = line.find("event=");
                found.push_back(line.substr(start, line.find(" took_ms=") - start));
            }
        return found;
    }
};

using Strings = std::vector<std::string>;

} // namespace

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
    CHECK(f.kernel.forwarding_requests == 2);
    CHECK(f.logged("forwarding-enabled").size() == 1);
}

TEST_CASE("what is left to the gateway is told, and needs forwarding where the default route goes",
          "[reconcile][off-link]")
{
    Fixture f;
    const netlink::Route by_default = foreign_route("0.0.0.0/0"_net, "192.168.1.1"_ip, 100);
    f.kernel.state.routes.push_back(by_default);
    k8s::Node far = node("2");
    far.internal_ips = {"192.168.2.12"};
    const auto start = [&](OffLink off_link) {
        Reconciler reconciler(
            f.kernel, f.log,
            {.plan = {.node_name = "node01", .cluster_cidrs = {}, .service_cidrs = {}, .off_link = off_link},
             .identity = ours,
             .pod_bridge = "v-net-0"});
        replace_nodes(reconciler, {node("1"), far});
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
