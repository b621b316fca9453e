// Every way in which a route is lost, on the real kernel. Nothing here asks for a full check: what is
// repaired is repaired by the kernel's notifications. What is in place is read with ip(8), not with our own
// code.
#include "cni/attachment.h"
#include "controller/kernel.h"
#include "netlink/netns.h"
#include "test/kernel/route_keeper.h"
#include "test/support/catch.h"
#include "test/support/netns_fixture.h"
#include "test/support/nodes.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <sstream>

using namespace routelet;
using namespace routelet::controller;
using namespace routelet::test;
using namespace std::chrono_literals;

namespace {

using Routes = std::multiset<std::string>;

k8s::Node dual_stack_node(const std::string& number)
{
    return {.name = "node0" + number,
            .uid = "uid-" + number,
            .created = "2026-01-0" + number + "T00:00:00Z",
            .pod_cidrs = {"10.244." + number + ".0/24", "fd00:10:244:" + number + "::/64"},
            .internal_ips = {"192.168.1.1" + number, "fd00:1::1" + number}};
}

// What node01 should have: a guard of each family, and a route of each family to each other node.
Routes planned(const std::string& link = "eth0")
{
    Routes routes = {"unreachable 10.244.1.0/24", "unreachable fd00:10:244:1::/64"};
    for (const std::string number : {"2", "3", "4"}) {
        routes.insert("10.244." + number + ".0/24 via 192.168.1.1" + number + " dev " + link);
        routes.insert("fd00:10:244:" + number + "::/64 via fd00:1::1" + number + " dev " + link);
    }
    return routes;
}

Routes guards()
{
    return {"unreachable 10.244.1.0/24", "unreachable fd00:10:244:1::/64"};
}

Routes of_family(const Routes& routes, IpFamily family)
{
    Routes some;
    std::ranges::copy_if(routes, std::inserter(some, some.end()), [&](const std::string& route) {
        return (route.find("::/") == std::string::npos) == (family == IpFamily::v4);
    });
    return some;
}

// What is in both counts once.
Routes united(const Routes& a, const Routes& b)
{
    Routes all;
    std::ranges::set_union(a, b, std::inserter(all, all.end()));
    return all;
}

// A kernel whose first so many answers fail.
class FailingKernel : public Kernel {
public:
    explicit FailingKernel(Kernel& kernel) : kernel_(kernel) {}
    int interrupted_dumps = 0;

    Result<KernelState> read() override
    {
        if (interrupted_dumps > 0 && interrupted_dumps-- > 0)
            return make_error(boost::system::errc::interrupted, "listing routes: interrupted every time");
        return kernel_.read();
    }
    std::vector<Result<>> apply(const std::vector<RouteChange>& changes) override
    {
        return kernel_.apply(changes);
    }
    Result<> enable_ipv4_forwarding(netlink::IfIndex link) override
    {
        return kernel_.enable_ipv4_forwarding(link);
    }

private:
    Kernel& kernel_;
};

// node01 of four, with all routes in place.
struct RepairFixture : NetnsFixture {
    RepairFixture()
    {
        add_uplink("eth0", {"192.168.1.11/24", "fd00:1::11/64"});
        run("ip route add default via 192.168.1.1 && ip -6 route add default via fd00:1::1");
        replace_nodes(keeper.reconciler(), nodes);
        keeper.drain();
        REQUIRE(keeper.reconcile("start"));
        REQUIRE(in_place() == planned());
        // Nothing of how this was set up may be left to say that a dump is needed.
        for (keeper.await(50ms); keeper.drain(); keeper.await(50ms))
            keeper.reconcile("kernel");
    }

    // Our routes as ip(8) shows them, without what the kernel adds on its own account.
    Routes in_place() const
    {
        Routes routes;
        std::istringstream lines(output("ip -4 route show; ip -6 route show"));
        for (std::string line; std::getline(lines, line);) {
            const std::string_view mark = " proto 82 metric ";
            const auto place = line.find(mark);
            if (place == std::string::npos)
                continue;
            const unsigned long metric = std::stoul(line.substr(place + mark.size()));
            if (metric < 8200 || metric > 73735)
                continue;
            std::string route = line.substr(0, place);
            if (route.ends_with(" dev lo"))
                route.resize(route.size() - 7); // IPv6's unreachable routes
            routes.insert(route + (line.find("nexthop") == std::string::npos ? "" : " and others"));
        }
        return routes;
    }

    // As the agent does, until our routes are these or two seconds are over: IPv6 addresses are announced by
    // work that the kernel does later.
    Routes settle(const Routes& expected)
    {
        const auto deadline = Cause::Clock::now() + 2s;
        for (;;) {
            if (keeper.drain())
                keeper.reconcile("kernel");
            Routes routes = in_place();
            if (routes == expected || Cause::Clock::now() > deadline)
                return routes;
            keeper.await(10ms);
        }
    }

    void lose(const std::string& command)
    {
        run(command);
        INFO("nothing was lost by: " << command);
        REQUIRE(in_place() != planned());
    }

    const std::vector<k8s::Node> nodes = {dual_stack_node("1"), dual_stack_node("2"), dual_stack_node("3"),
                                          dual_stack_node("4")};
    NetlinkKernel real = need(NetlinkKernel::open());
    FailingKernel kernel{real};
    RouteKeeper keeper{kernel,
                       {.plan = {.node_name = "node01", .cluster_cidrs = {}, .service_cidrs = {}},
                        .identity = {},
                        .pod_bridge = "v-net-0",
                        .withdrawal_grace = std::chrono::seconds(0)}};
};

} // namespace

TEST_CASE_METHOD(RepairFixture, "a route that somebody removes or alters is as it was at once",
                 "[kernel][repair]")
{
    struct Row {
        const char* what;
        const char* command;
    };
    const auto row = GENERATE(values<Row>({
        {"deleted", "ip route del 10.244.2.0/24 && ip -6 route del fd00:10:244:2::/64"},
        {"all of ours flushed", "ip route flush proto 82 && ip -6 route flush proto 82"},
        {"another next hop", "ip route replace 10.244.2.0/24 via 192.168.1.66 proto 82 metric 8468 && "
                             "ip -6 route replace fd00:10:244:2::/64 via fd00:1::66 proto 82 metric 8200"},
        {"the way of another node",
         "ip route replace 10.244.2.0/24 via 192.168.1.13 proto 82 metric 8468 && "
         "ip -6 route replace fd00:10:244:2::/64 via fd00:1::13 proto 82 metric 8200"},
        {"without a gateway", "ip route replace 10.244.2.0/24 dev eth0 proto 82 metric 8468 && "
                              "ip -6 route del fd00:10:244:2::/64 && ip -6 route add fd00:10:244:2::/64 dev "
                              "eth0 proto 82 metric 8200"},
        {"a blackhole", "ip route replace blackhole 10.244.2.0/24 proto 82 metric 8468 && "
                        "ip -6 route replace blackhole fd00:10:244:2::/64 proto 82 metric 8200"},
        {"another metric", "ip route del 10.244.2.0/24 && ip -6 route del fd00:10:244:2::/64 && "
                           "ip route add 10.244.2.0/24 via 192.168.1.12 proto 82 metric 90000 && "
                           "ip -6 route add fd00:10:244:2::/64 via fd00:1::12 proto 82 metric 90000"},
        {"two next hops", "ip route replace 10.244.2.0/24 proto 82 metric 8468 "
                          "nexthop via 192.168.1.12 nexthop via 192.168.1.66 && "
                          "ip -6 route replace fd00:10:244:2::/64 proto 82 metric 8200 "
                          "nexthop via fd00:1::12 nexthop via fd00:1::66"},
        {"a next hop more (IPv6 merges what is appended)",
         "ip -6 route append fd00:10:244:2::/64 via fd00:1::66 proto static metric 8200"},
        {"a guard deleted", "ip route del unreachable 10.244.1.0/24 && "
                            "ip -6 route del unreachable fd00:10:244:1::/64"},
        {"a guard that became a way",
         "ip route replace 10.244.1.0/24 via 192.168.1.66 proto 82 metric 8200 && "
         "ip -6 route del unreachable fd00:10:244:1::/64 && "
         "ip -6 route add fd00:10:244:1::/64 via fd00:1::66 proto 82 metric 8200"},
        {"one too many", "ip route add 10.244.77.0/24 via 192.168.1.66 proto 82 metric 8200 && "
                         "ip -6 route add fd00:10:244:77::/64 via fd00:1::66 proto 82 metric 8200"},
    }));
    CAPTURE(row.what);

    lose(row.command);

    CHECK(settle(planned()) == planned());
}

TEST_CASE_METHOD(RepairFixture, "a route of ours that somebody set beside another is taken away",
                 "[kernel][repair]")
{
    // IPv4 has several routes of one destination and metric; packets take the first. Of several metrics, all
    // ours, they take the lowest.
    const auto* const command =
        GENERATE("ip route prepend 10.244.2.0/24 via 192.168.1.66 proto 82 metric 8468",
                 "ip route append 10.244.2.0/24 via 192.168.1.66 proto 82 metric 8468",
                 "ip route add 10.244.2.0/24 via 192.168.1.66 proto 82 metric 8200",
                 "ip route add 10.244.2.0/24 via 192.168.1.66 proto 82 metric 73735",
                 "ip route add 10.244.2.0/24 via 192.168.1.12 proto 82 metric 8200",
                 "ip route add 10.244.2.0/24 via 192.168.1.12 proto 82 metric 73735",
                 "ip -6 route add fd00:10:244:2::/64 via fd00:1::66 proto 82 metric 8201",
                 "ip -6 route add fd00:10:244:2::/64 via fd00:1::12 proto 82 metric 8201");
    CAPTURE(command);

    lose(command);

    CHECK(settle(planned()) == planned());
}

TEST_CASE_METHOD(RepairFixture, "a link that goes down and comes up gets its routes back", "[kernel][repair]")
{
    lose("ip link set eth0 down");
    CHECK(settle(guards()) == guards());

    run("ip link set eth0 up");
    const Routes half = united(guards(), of_family(planned(), IpFamily::v4));
    CHECK(settle(half) == half); // IPv6's addresses went with the link
    run("ip address add fd00:1::11/64 dev eth0 nodad");
    CHECK(settle(planned()) == planned());
}

TEST_CASE_METHOD(RepairFixture, "a link that flaps faster than anybody looks gets its routes back",
                 "[kernel][repair]")
{
    run("echo 1 > /proc/sys/net/ipv6/conf/eth0/keep_addr_on_down");

    lose("ip link set eth0 down && ip link set eth0 up");

    CHECK(settle(planned()) == planned());
}

TEST_CASE_METHOD(RepairFixture, "IPv4 alone: a link that flaps announces nothing but itself",
                 "[kernel][repair]")
{
    const Routes half = united(guards(), of_family(planned(), IpFamily::v4));
    run("ip address del fd00:1::11/64 dev eth0");
    REQUIRE(settle(half) == half);

    run("ip link set eth0 down && ip link set eth0 up");

    REQUIRE(in_place() != half);
    CHECK(settle(half) == half);
}

TEST_CASE_METHOD(RepairFixture, "a link that is made anew under another index gets its routes back",
                 "[kernel][repair]")
{
    const auto before = index_of("eth0");
    const bool looks_in_between = GENERATE(true, false);
    CAPTURE(looks_in_between);

    lose("ip link del eth0");
    if (looks_in_between)
        CHECK(settle(guards()) == guards());
    run("ip link add pad0 type dummy 2>/dev/null || ip link add pad0 type bridge"); // takes an index
    add_uplink("eth0", {"192.168.1.11/24", "fd00:1::11/64"});

    CHECK(index_of("eth0") != before);
    CHECK(settle(planned()) == planned());
}

TEST_CASE_METHOD(RepairFixture, "a link that moves to another namespace and back gets its routes back",
                 "[kernel][repair]")
{
    const netlink::NetNamespace elsewhere = another_netns();
    const std::string process = std::to_string(::getpid());
    const std::string there = "/proc/" + process + "/fd/" + std::to_string(elsewhere.fd());

    lose("ip link set eth0 netns " + there);
    CHECK(settle(guards()) == guards());

    run("nsenter --net=" + there + " ip link set eth0 netns " + process);
    run("ip link set eth0 up && ip address add 192.168.1.11/24 dev eth0 && "
        "ip address add fd00:1::11/64 dev eth0 nodad");
    CHECK(settle(planned()) == planned());
}

TEST_CASE_METHOD(RepairFixture,
                 "forwarding that somebody switches off is on again at once, for pods' links as well",
                 "[kernel][repair]")
{
    const auto forwards = [&](const std::string& link) {
        return output("cat /proc/sys/net/ipv4/conf/" + link + "/forwarding") == "1\n";
    };
    // A pod without a bridge, as the plugin leaves it, and one that is another plugin's.
    const std::string host_end = cni::host_interface_name({"c1", "eth0"});
    run("ip link add v-net-0 type bridge && ip link set v-net-0 up && ip link add " + host_end +
        " type veth peer name pod1 && ip link set " + host_end +
        " up alias c1/eth0 && "
        "ip link add vethother type veth peer name pod2 && ip link set vethother up alias c1/eth0");
    keeper.await(50ms);
    keeper.drain();
    run("echo 1 >/proc/sys/net/ipv4/ip_forward; echo 0 >/proc/sys/net/ipv4/ip_forward");
    REQUIRE_FALSE(forwards("eth0"));

    const auto deadline = Cause::Clock::now() + 2s;
    while (!(forwards("eth0") && forwards("v-net-0") && forwards(host_end)) &&
           Cause::Clock::now() < deadline) {
        if (keeper.drain())
            keeper.reconcile("kernel");
        keeper.await(10ms);
    }
    CHECK(forwards("eth0"));
    CHECK(forwards("v-net-0"));
    CHECK(forwards(host_end));
    CHECK_FALSE(forwards("vethother"));
}

TEST_CASE_METHOD(RepairFixture, "a link under another name keeps its routes, and the log has the name",
                 "[kernel][repair]")
{
    run("ip link set eth0 name lan0");
    CHECK(settle(planned("lan0")) == planned("lan0"));

    run("ip route del 10.244.2.0/24");
    CHECK(settle(planned("lan0")) == planned("lan0"));
    REQUIRE(keeper.logged("route-restored").size() == 1);
    CHECK_THAT(keeper.logged("route-restored")[0], has_text("dev=lan0"));
}

TEST_CASE_METHOD(RepairFixture, "routes follow the addresses when a link becomes a bridge's port",
                 "[kernel][repair]")
{
    run("ip link add br0 type bridge && ip link set br0 up && ip link set eth0 master br0");
    run("ip address del 192.168.1.11/24 dev eth0 && ip address del fd00:1::11/64 dev eth0");
    run("ip address add 192.168.1.11/24 dev br0 && ip address add fd00:1::11/64 dev br0 nodad");

    CHECK(settle(planned("br0")) == planned("br0"));
}

TEST_CASE_METHOD(RepairFixture, "carrier that is lost and comes back costs no route", "[kernel][repair]")
{
    run("ip link set eth0-far down");
    CHECK(settle(planned()) == planned());
    run("ip route del 10.244.2.0/24"); // and what is lost meanwhile is repaired
    CHECK(settle(planned()) == planned());
    run("ip link set eth0-far up");
    CHECK(settle(planned()) == planned());

    CHECK(keeper.logged("route-removed").empty());
    CHECK(keeper.logged("route-restored").size() == 1);
}

TEST_CASE_METHOD(RepairFixture, "an address that is removed and set again brings the routes back",
                 "[kernel][repair]")
{
    const bool looks_in_between = GENERATE(true, false);
    CAPTURE(looks_in_between);

    SECTION("IPv4: the kernel drops the routes without a word")
    {
        lose("ip address del 192.168.1.11/24 dev eth0");
        const Routes half = united(guards(), of_family(planned(), IpFamily::v6));
        if (looks_in_between)
            CHECK(settle(half) == half);
        run("ip address add 192.168.1.11/24 dev eth0");
    }
    SECTION("IPv6: the kernel keeps them, though nothing is on-link any more")
    {
        run("ip address del fd00:1::11/64 dev eth0");
        const Routes half = united(guards(), of_family(planned(), IpFamily::v4));
        if (looks_in_between)
            CHECK(settle(half) == half);
        run("ip address add fd00:1::11/64 dev eth0 nodad");
    }
    SECTION("IPv4 beside a second address: the kernel keeps them, though nothing is on-link any more")
    {
        run("ip address add 192.168.9.11/24 dev eth0 && ip address del 192.168.1.11/24 dev eth0");
        const Routes half = united(guards(), of_family(planned(), IpFamily::v6));
        if (looks_in_between)
            CHECK(settle(half) == half);
        run("ip address add 192.168.1.11/24 dev eth0");
    }
    CHECK(settle(planned()) == planned());
}

TEST_CASE_METHOD(RepairFixture, "a table that was flushed whole is right again once the networks are",
                 "[kernel][repair]")
{
    lose("ip route flush table main && ip -6 route flush table main");
    CHECK(settle(guards()) == guards());

    run("ip address del 192.168.1.11/24 dev eth0 && ip address add 192.168.1.11/24 dev eth0");
    run("ip address del fd00:1::11/64 dev eth0 && ip address add fd00:1::11/64 dev eth0 nodad");
    CHECK(settle(planned()) == planned());
}

TEST_CASE_METHOD(RepairFixture, "another daemon that restarts does not cost a route for longer than it takes",
                 "[kernel][repair]")
{
    const bool looks_in_between = GENERATE(true, false);
    CAPTURE(looks_in_between);
    const auto look = [&] {
        if (looks_in_between && keeper.drain())
            keeper.reconcile("kernel");
    };

    SECTION("systemd-networkd removes routes that are not in its files, and sets its addresses anew")
    {
        lose("ip route flush proto 82 && ip -6 route flush proto 82");
        look();
        run("ip address flush dev eth0 scope global");
        look();
        run("ip address add 192.168.1.11/24 dev eth0 && ip address add fd00:1::11/64 dev eth0 nodad");
        look();
        run("ip route add default via 192.168.1.1 proto static && "
            "ip -6 route replace default via fd00:1::1 proto static");
    }
    SECTION("NetworkManager takes the link down, and all that is on it")
    {
        lose("ip address flush dev eth0; ip route flush dev eth0; ip -6 route flush dev eth0; "
             "ip link set eth0 down");
        look();
        run("ip link set eth0 up");
        look();
        run("ip address add 192.168.1.11/24 dev eth0 && ip address add fd00:1::11/64 dev eth0 nodad");
        look();
        run("ip route add default via 192.168.1.1 proto dhcp metric 100");
    }
    SECTION("a DHCP client lets its lease go, and gets the same again")
    {
        lose("ip route del default && ip address del 192.168.1.11/24 dev eth0");
        look();
        run("ip address add 192.168.1.11/24 dev eth0 && ip route add default via 192.168.1.1 proto dhcp");
    }
    CHECK(settle(planned()) == planned());
}

TEST_CASE_METHOD(RepairFixture, "somebody else's route in our place stays, and ours is back when it goes",
                 "[kernel][repair]")
{
    const std::string theirs =
        "ip route replace 10.244.2.0/24 via 192.168.1.66 proto static metric 8468 && "
        "ip -6 route replace fd00:10:244:2::/64 via fd00:1::66 proto static metric 8200";
    const std::string shown = "ip -4 route show 10.244.2.0/24; ip -6 route show fd00:10:244:2::/64";
    Routes others = planned();
    others.erase("10.244.2.0/24 via 192.168.1.12 dev eth0");
    others.erase("fd00:10:244:2::/64 via fd00:1::12 dev eth0");

    lose(theirs);
    const std::string before = output(shown);
    CHECK(settle(others) == others);
    CHECK(output(shown) == before);
    CHECK(keeper.logged("route-conflict").size() == 2);
    CHECK(keeper.reconciler().failures().size() == 2);

    run("ip route del 10.244.2.0/24 proto static && ip -6 route del fd00:10:244:2::/64 proto static");
    CHECK(settle(planned()) == planned());
    CHECK(keeper.reconciler().failures().empty());
}

TEST_CASE_METHOD(RepairFixture, "somebody else's route beside ours, at the same metric, survives our changes",
                 "[kernel][repair]")
{
    const auto* const place = GENERATE("prepend", "append");
    CAPTURE(place);
    const std::string theirs = "10.244.2.0/24 via 192.168.1.66 dev eth0 proto static metric 8468";
    run(std::string("ip route ") + place + " " + theirs);
    settle(planned());
    REQUIRE_THAT(output("ip -4 route show"), has_text(theirs));

    SECTION("when the node moves")
    {
        k8s::Node moved = nodes[1];
        moved.internal_ips[0] = "192.168.1.99";
        REQUIRE(keeper.reconciler().upsert_node(moved));
    }
    SECTION("when the node leaves")
    {
        REQUIRE(keeper.reconciler().erase_node("node02"));
    }
    (void)keeper.reconcile("node"); // whether it can do all it wants is not the question

    CHECK_THAT(output("ip -4 route show"), has_text(theirs));
}

TEST_CASE_METHOD(RepairFixture,
                 "a default gateway that takes a node's address parts the node from its routes",
                 "[kernel][repair]")
{
    Routes others = planned();
    others.erase("10.244.2.0/24 via 192.168.1.12 dev eth0");

    run("ip route replace default via 192.168.1.12");
    CHECK(settle(others) == others);
    run("ip route replace default via 192.168.1.1");
    CHECK(settle(planned()) == planned());
}

TEST_CASE_METHOD(RepairFixture, "notifications that were lost are made up for by a fresh dump",
                 "[kernel][repair]")
{
    const int small = 0; // bytes; the kernel makes its least of it
    REQUIRE(::setsockopt(keeper.monitor_fd(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small) == 0);

    lose("for i in $(seq 50); do echo route add 10.9.$i.0/24 via 192.168.1.66; done | ip -batch - && "
         "ip route flush proto 82 && ip -6 route flush proto 82 && "
         "ip route add 10.244.77.0/24 via 192.168.1.66 proto 82 metric 8200");

    CHECK(settle(planned()) == planned());
    CHECK(keeper.overruns() > 0);
}

TEST_CASE_METHOD(RepairFixture, "a dump that is interrupted changes nothing, and the next one repairs",
                 "[kernel][repair]")
{
    kernel.interrupted_dumps = 1;
    lose("ip link set eth0 down && ip link set eth0 up");

    REQUIRE(keeper.drain());
    const Routes before = in_place();
    CHECK_FALSE(keeper.reconcile("kernel")); // to be tried again
    CHECK(in_place() == before);

    const Routes half = united(guards(), of_family(planned(), IpFamily::v4));
    CHECK(keeper.reconcile("retry"));
    CHECK(in_place() == half);
}
