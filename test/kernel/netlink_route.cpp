#include "netlink/route.h"
#include "test/support/catch.h"
#include "test/support/netns_fixture.h"

#include <linux/rtnetlink.h>

#include <algorithm>

using namespace routelet;
using namespace routelet::netlink;
using namespace routelet::test;
namespace errc = boost::system::errc;

namespace {

constexpr RouteProtocol ours{82};

Route pod_route(const IpPrefix& pods, const IpAddress& node, IfIndex uplink)
{
    return {.destination = pods, .gateway = node, .oif = uplink, .metric = 8200, .protocol = ours};
}

// The routes of a table to a destination, however many there are.
std::vector<Route> routes_to(Socket& socket, const IpPrefix& destination, std::uint32_t table = RT_TABLE_MAIN)
{
    auto routes = need(list_routes(socket, table));
    std::erase_if(routes, [&](const Route& route) { return route.destination != destination; });
    return routes;
}

// One family's pod network, seen from 192.168.1.11 or fd00:1::11.
struct Network {
    IpPrefix pods;
    IpAddress node;
    IpAddress other_node;
};

Network any_family()
{
    return GENERATE(Network{"10.244.2.0/24"_net, "192.168.1.12"_ip, "192.168.1.13"_ip},
                    Network{"fd00:10:244:2::/64"_net, "fd00:1::12"_ip, "fd00:1::13"_ip});
}

const std::vector<std::string> node_addresses = {"192.168.1.11/24", "fd00:1::11/64"};

} // namespace

TEST_CASE_METHOD(NetnsFixture, "a created route is listed as it was given", "[kernel][netlink]")
{
    const auto [pods, node, other_node] = any_family();
    const auto uplink = add_uplink("up0", node_addresses);
    const auto route = pod_route(pods, node, uplink);

    need(socket().execute(create_route(route)));

    CHECK(routes_to(socket(), pods) == std::vector{route});
}

TEST_CASE_METHOD(NetnsFixture, "creating where somebody has a route at that metric fails with EEXIST",
                 "[kernel][netlink]")
{
    const auto [pods, node, other_node] = any_family();
    const auto uplink = add_uplink("up0", node_addresses);
    const auto route = pod_route(pods, node, uplink);
    need(socket().execute(create_route(route)));

    const auto again = socket().execute(create_route(pod_route(pods, other_node, uplink)));

    REQUIRE_FALSE(again);
    CHECK(again.error().code == errc::file_exists);
    CHECK_THAT(again.error().text(), has_text("adding route " + pods.to_string()));
    CHECK(routes_to(socket(), pods) == std::vector{route});
}

TEST_CASE_METHOD(NetnsFixture, "replacing changes the next hop and leaves one route", "[kernel][netlink]")
{
    const auto [pods, node, other_node] = any_family();
    const auto uplink = add_uplink("up0", node_addresses);
    need(socket().execute(create_route(pod_route(pods, node, uplink))));
    const auto moved = pod_route(pods, other_node, uplink);

    need(socket().execute(replace_route(moved)));

    CHECK(routes_to(socket(), pods) == std::vector{moved});
}

TEST_CASE_METHOD(NetnsFixture, "deleting removes our route and no other to the same destination",
                 "[kernel][netlink]")
{
    const auto [pods, node, other_node] = any_family();
    const auto uplink = add_uplink("up0", node_addresses);
    run("ip route add " + pods.to_string() + " via " + other_node.to_string() + " proto static metric 50");
    const auto route = pod_route(pods, node, uplink);
    need(socket().execute(create_route(route)));

    need(socket().execute(delete_route(route)));

    const auto left = routes_to(socket(), pods);
    REQUIRE(left.size() == 1);
    CHECK(left.front().protocol == RouteProtocol{RTPROT_STATIC});
}

TEST_CASE_METHOD(NetnsFixture, "a foreign route at our own metric survives our delete, which finds nothing",
                 "[kernel][netlink]")
{
    const auto [pods, node, other_node] = any_family();
    const auto uplink = add_uplink("up0", node_addresses);
    run("ip route add " + pods.to_string() + " via " + node.to_string() + " proto static metric 8200");

    const auto removed = socket().execute(delete_route(pod_route(pods, node, uplink)));

    REQUIRE_FALSE(removed);
    CHECK(removed.error().code == errc::no_such_process);
    CHECK(routes_to(socket(), pods).size() == 1);
}

TEST_CASE_METHOD(NetnsFixture, "of two routes that differ in their way alone, the one named is deleted",
                 "[kernel][netlink]")
{
    struct Row {
        const char* destination;
        const char* first;
        const char* second;
    };
    const auto row = GENERATE(values<Row>({
        {"10.244.2.0/24", "via 192.168.1.12", "via 192.168.1.66"},
        {"10.244.2.0/24", "via 192.168.1.12", "dev up0"},
        {"10.244.2.0/24", "dev up0", "via 192.168.1.12"},
        {"unreachable 10.244.2.0/24", "", "via 192.168.1.12"},
        {"fd00:10:244:2::/64", "via fd00:1::12", "dev up0"},
        {"fd00:10:244:2::/64", "dev up0", "via fd00:1::12"},
        {"unreachable fd00:10:244:2::/64", "", "via fd00:1::12"},
        {"unreachable fd00:10:244:2::/64", "", "nexthop via fd00:1::12 nexthop via fd00:1::66"},
    }));
    CAPTURE(row.destination, row.first, row.second);
    add_uplink("up0", node_addresses);
    const std::string destination = row.destination;
    const auto plain = destination.substr(destination.rfind(' ') + 1);
    const std::string ip = plain.find(':') == std::string::npos ? "ip -4 route " : "ip -6 route ";
    run(ip + "append " + destination + " " + row.first + " proto 82 metric 8200");
    run(ip + "append " + plain + " proto 82 metric 8200 " + row.second);
    const auto both = routes_to(socket(), IpPrefix::parse(plain).value());
    REQUIRE(both.size() == 2);
    const bool takes_first = GENERATE(true, false);

    need(socket().execute(delete_route(both[takes_first ? 0 : 1])));

    CHECK(routes_to(socket(), both[0].destination) == std::vector{both[takes_first ? 1 : 0]});
}

TEST_CASE_METHOD(NetnsFixture, "deleting an absent route is ESRCH", "[kernel][netlink]")
{
    const auto [pods, node, other_node] = any_family();
    const auto uplink = add_uplink("up0", node_addresses);

    const auto removed = socket().execute(delete_route(pod_route(pods, node, uplink)));

    CHECK(removed.error().code == errc::no_such_process);
}

TEST_CASE_METHOD(NetnsFixture, "an off-link next hop is refused in the kernel's own words",
                 "[kernel][netlink]")
{
    const auto uplink = add_uplink("up0", {"192.168.1.11/24"});

    const auto refused =
        socket().execute(create_route(pod_route("10.244.2.0/24"_net, "172.16.0.1"_ip, uplink)));

    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == errc::network_unreachable);
    CHECK(refused.error().text() ==
          "adding route 10.244.2.0/24: Nexthop has invalid gateway: Network is unreachable");
}

TEST_CASE_METHOD(NetnsFixture,
                 "unreachable and blackhole routes need no interface and are listed without one",
                 "[kernel][netlink]")
{
    const auto type = GENERATE(std::uint8_t{RTN_UNREACHABLE}, std::uint8_t{RTN_BLACKHOLE});
    const auto cluster = GENERATE("10.244.0.0/16"_net, "fd00:10:244::/48"_net);
    const Route guard{.destination = cluster, .metric = 4294967295, .protocol = ours, .type = type};

    need(socket().execute(create_route(guard)));

    CHECK(routes_to(socket(), cluster) == std::vector{guard});
    need(socket().execute(delete_route(guard)));
    CHECK(routes_to(socket(), cluster).empty());
}

TEST_CASE_METHOD(NetnsFixture, "tables above 255 work, and each table lists its own routes only",
                 "[kernel][netlink]")
{
    const auto [pods, node, other_node] = any_family();
    const auto uplink = add_uplink("up0", node_addresses);
    auto route = pod_route(pods, node, uplink);
    route.table = 10'082;

    need(socket().execute(create_route(route)));

    CHECK(need(list_routes(socket(), 10'082)) == std::vector{route});
    CHECK(routes_to(socket(), pods).empty());
    CHECK(need(list_routes(socket(), 10'083)).empty());
    need(socket().execute(delete_route(route)));
    CHECK(need(list_routes(socket(), 10'082)).empty());
}

TEST_CASE_METHOD(NetnsFixture, "a namespace that never had a route lists none", "[kernel][netlink]")
{
    CHECK(need(list_routes(socket())).empty());
}

TEST_CASE_METHOD(NetnsFixture, "a connected route needs no gateway, and its scope is the link",
                 "[kernel][netlink]")
{
    const auto uplink = add_uplink("up0", {});
    const Route connected{.destination = "10.9.0.0/16"_net,
                          .oif = uplink,
                          .metric = 7,
                          .protocol = ours,
                          .scope = RT_SCOPE_LINK};

    need(socket().execute(create_route(connected)));

    CHECK(routes_to(socket(), connected.destination) == std::vector{connected});
}

TEST_CASE_METHOD(NetnsFixture, "an IPv4 route through an IPv6 gateway comes back with that gateway",
                 "[kernel][netlink]")
{
    const auto uplink = add_uplink("up0", node_addresses);
    const auto route = pod_route("10.244.2.0/24"_net, "fd00:1::12"_ip, uplink);

    need(socket().execute(create_route(route)));

    CHECK(routes_to(socket(), route.destination) == std::vector{route});
    CHECK_THAT(output("ip route show 10.244.2.0/24"), has_text("via inet6 fd00:1::12 dev up0"));
}

TEST_CASE_METHOD(NetnsFixture,
                 "an admin's multipath route shows its first next hop and says that there are more",
                 "[kernel][netlink]")
{
    const auto [pods, node, other_node] = any_family();
    const auto uplink = add_uplink("up0", node_addresses);
    run("ip route add " + pods.to_string() + " proto static nexthop via " + node.to_string() +
        " dev up0 nexthop via " + other_node.to_string() + " dev up0");

    const auto routes = routes_to(socket(), pods);

    REQUIRE(routes.size() == 1);
    CHECK(routes.front().is_multipath);
    CHECK(routes.front().gateway == node);
    CHECK(routes.front().oif == uplink);
}

TEST_CASE_METHOD(NetnsFixture, "a route through a nexthop object counts as multipath", "[kernel][netlink]")
{
    add_uplink("up0", {"192.168.1.11/24"});
    run("ip nexthop add id 5 via 192.168.1.12 dev up0 && ip route add 10.244.2.0/24 nhid 5");

    const auto routes = routes_to(socket(), "10.244.2.0/24"_net);

    REQUIRE(routes.size() == 1);
    CHECK(routes.front().is_multipath);
}

TEST_CASE_METHOD(NetnsFixture, "a look-up names the table's route that a packet would take",
                 "[kernel][netlink]")
{
    const auto [pods, node, other_node] = any_family();
    const auto uplink = add_uplink("up0", node_addresses);
    const auto route = pod_route(pods, node, uplink);
    need(socket().execute(create_route(route)));

    CHECK(need(route_to(socket(), pods.network().plus(7))) == route);

    need(socket().execute(delete_route(route)));
    const auto nowhere = route_to(socket(), pods.network().plus(7));
    CHECK(nowhere.error().code == errc::network_unreachable);
    CHECK_THAT(nowhere.error().text(),
               has_text("looking up the route to " + pods.network().plus(7).to_string()));
}

// What every user of this library has to reckon with; see the comment at KernelEvent.
TEST_CASE_METHOD(NetnsFixture, "setting the link down removes IPv4 routes, and setting it up restores none",
                 "[kernel][netlink]")
{
    const auto uplink = add_uplink("up0", {"192.168.1.11/24"});
    const auto route = pod_route("10.244.2.0/24"_net, "192.168.1.12"_ip, uplink);
    need(socket().execute(create_route(route)));

    run("ip link set up0 down");
    CHECK(routes_to(socket(), route.destination).empty());
    run("ip link set up0 up");
    CHECK(routes_to(socket(), route.destination).empty());
}
