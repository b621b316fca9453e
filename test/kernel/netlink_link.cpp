#include "netlink/link.h"
#include "netlink/neighbor.h"
#include "test/support/catch.h"
#include "test/support/netns_fixture.h"

#include <linux/if.h>

#include <algorithm>

using namespace routelet;
using namespace routelet::netlink;
using namespace routelet::test;
namespace errc = boost::system::errc;

namespace {

const MacAddress bridge_mac{{0x0a, 0x58, 0x0a, 0xf4, 0x01, 0x01}};
const MacAddress host_mac{{0x0a, 0x58, 0x0a, 0xf4, 0x01, 0xfe}};
const MacAddress pod_mac{{0x0a, 0x58, 0x0a, 0xf4, 0x01, 0x02}};

} // namespace

TEST_CASE_METHOD(
    NetnsFixture,
    "a bridge is up from the start and keeps the address it was given, while its MTU follows its ports",
    "[kernel][netlink]")
{
    need(socket().execute(make_bridge({.name = "v-net-0", .mac = bridge_mac, .mtu = 1400})));
    run("ip link add p0 address 02:00:00:00:00:01 type veth peer name p1 && ip link set p0 master v-net-0 "
        "up");

    const auto bridge = link_of("v-net-0");
    CHECK(bridge.kind == "bridge");
    CHECK(bridge.mac == bridge_mac);
    CHECK(bridge.is_up());
    CHECK_THAT(output("ip -d link show v-net-0"), has_text("mcast_snooping 0"));
    const auto again = socket().execute(make_bridge({.name = "v-net-0", .mac = bridge_mac}));
    CHECK(again.error().code == errc::file_exists);
    CHECK_THAT(again.error().text(), has_text("making bridge v-net-0"));
}

TEST_CASE_METHOD(NetnsFixture, "a veth pair is made across two namespaces in one request",
                 "[kernel][netlink]")
{
    need(socket().execute(make_bridge({.name = "v-net-0", .mac = bridge_mac})));
    const NetNamespace pod = another_netns();

    need(socket().execute(make_veth({.host_name = "veth1234",
                                     .host_mac = host_mac,
                                     .pod_name = "eth0",
                                     .pod_mac = pod_mac,
                                     .pod_netns_fd = pod.fd(),
                                     .bridge = index_of("v-net-0"),
                                     .mtu = 1400})));

    const auto host_end = link_of("veth1234");
    CHECK(host_end.kind == "veth");
    CHECK(host_end.mac == host_mac);
    CHECK(host_end.mtu == 1400);
    CHECK(host_end.master == index_of("v-net-0"));
    CHECK(host_end.hairpin == false);
    CHECK(host_end.is_up());
    CHECK_THAT(output("ip -d link show veth1234"), has_text("numtxqueues 1 numrxqueues 1"));
    const auto pod_end = in_netns(pod, [] {
        Socket inside = need(Socket::open());
        return need(find_link(inside, "eth0"));
    });
    REQUIRE(pod_end.has_value());
    CHECK(pod_end->mac == pod_mac);
    CHECK(pod_end->mtu == 1400);
    CHECK(pod_end->index == host_end.peer);
    CHECK(pod_end->peer == host_end.index);
    CHECK(need(find_link(socket(), "eth0")) == std::nullopt);
}

TEST_CASE_METHOD(NetnsFixture, "a veth pair without a namespace for its peer is refused", "[kernel][netlink]")
{
    const auto refused = socket().execute(
        make_veth({.host_name = "veth1234", .host_mac = host_mac, .pod_name = "eth0", .pod_mac = pod_mac}));

    REQUIRE_FALSE(refused);
    CHECK(need(find_link(socket(), "veth1234")) == std::nullopt);
}

TEST_CASE_METHOD(NetnsFixture, "a port is set up with its alias and hairpin mode", "[kernel][netlink]")
{
    need(socket().execute(make_bridge({.name = "v-net-0", .mac = bridge_mac})));
    run("ip link add p0 type veth peer name p1 && ip link set p0 master v-net-0");
    const std::string alias = GENERATE(std::string("routelet 0123456789abcdef/eth0"), std::string(255, 'a'));
    const bool hairpin = GENERATE(true, false);

    need(socket().execute(set_port_up({.port = index_of("p0"), .alias = alias, .hairpin = hairpin})));

    const auto port = link_of("p0");
    CHECK(port.is_up());
    CHECK(port.alias == alias);
    CHECK(port.hairpin == hairpin);
}

TEST_CASE_METHOD(NetnsFixture, "links are set up and deleted, by name and by index", "[kernel][netlink]")
{
    run("ip link add p0 type veth peer name p1; ip link add q0 type veth peer name q1");

    need(socket().execute(set_link_up(index_of("p0"))));
    need(socket().execute(set_link_up(index_of("p1"))));
    CHECK(link_of("p0").is_up());
    CHECK(link_of("p0").has_carrier());

    need(socket().execute(delete_link("p0")));
    CHECK(need(find_link(socket(), "p1")) == std::nullopt);
    need(socket().execute(delete_link(index_of("q0"))));
    CHECK(need(find_link(socket(), "q0")) == std::nullopt);
    CHECK(socket().execute(delete_link("p0")).error().code == errc::no_such_device);
}

TEST_CASE_METHOD(NetnsFixture, "a link is found by name and by index, and a missing one is none",
                 "[kernel][netlink]")
{
    const auto lo = need(find_link(socket(), "lo"));
    REQUIRE(lo.has_value());
    CHECK(lo->is_loopback());
    CHECK(lo->is_up());
    CHECK(need(find_link(socket(), lo->index)) == lo);

    CHECK(need(find_link(socket(), "absent")) == std::nullopt);
    CHECK(need(find_link(socket(), "a-name-longer-than-any")) == std::nullopt);
    CHECK(need(find_link(socket(), "")) == std::nullopt);
    CHECK(need(find_link(socket(), IfIndex{4711})) == std::nullopt);
    CHECK(need(find_link(socket(), IfIndex{})) == std::nullopt);
}

TEST_CASE_METHOD(NetnsFixture, "all links are listed", "[kernel][netlink]")
{
    add_uplink("up0", {});

    std::vector<std::string> names;
    for (const auto& link : need(list_links(socket())))
        names.push_back(link.name);

    std::ranges::sort(names);
    // Where tunnel modules are loaded, every namespace has their fallback devices too.
    const std::vector<std::string> ours = {"lo", "up0", "up0-far"};
    CHECK(std::ranges::includes(names, ours));
}

TEST_CASE_METHOD(NetnsFixture, "IPv4 forwarding is enabled on one link without writing to /proc",
                 "[kernel][netlink]")
{
    const auto uplink = add_uplink("up0", {});
    run("echo 0 > /proc/sys/net/ipv4/conf/up0/forwarding");
    run("echo 0 > /proc/sys/net/ipv4/conf/up0-far/forwarding");
    CHECK_FALSE(need(find_link(socket(), "up0"))->forwards_ipv4);

    need(socket().execute(enable_ipv4_forwarding(uplink)));

    CHECK(need(find_link(socket(), "up0"))->forwards_ipv4);
    CHECK_FALSE(need(find_link(socket(), "up0-far"))->forwards_ipv4);
    CHECK(output("cat /proc/sys/net/ipv4/conf/up0/forwarding") == "1\n");
    CHECK(output("cat /proc/sys/net/ipv4/conf/up0-far/forwarding") == "0\n");
}

TEST_CASE_METHOD(NetnsFixture, "route_localnet is set for one link without writing to /proc",
                 "[kernel][netlink]")
{
    const auto uplink = add_uplink("up0", {});
    CHECK_FALSE(link_of("up0").routes_localnet);
    need(socket().execute(route_localnet(uplink)));
    CHECK(link_of("up0").routes_localnet);
    CHECK_FALSE(link_of("up0-far").routes_localnet);
    CHECK(output("cat /proc/sys/net/ipv4/conf/up0/route_localnet") == "1\n");
}

TEST_CASE_METHOD(NetnsFixture, "a link tells what it accepts and keeps of IPv6", "[kernel][netlink]")
{
    add_uplink("up0", {});
    const std::string settings = "/proc/sys/net/ipv6/conf/up0/";
    run("echo 0 > " + settings + "accept_ra && echo 0 > " + settings + "keep_addr_on_down");
    CHECK_FALSE(link_of("up0").accepts_router_advertisements);
    CHECK_FALSE(link_of("up0").keeps_ipv6_addresses);

    const auto* const accepted = GENERATE("1", "2"); // 2: although it forwards
    run("echo " + std::string(accepted) + " > " + settings + "accept_ra");
    run("echo 1 > " + settings + "keep_addr_on_down");
    CHECK(link_of("up0").accepts_router_advertisements);
    CHECK(link_of("up0").keeps_ipv6_addresses);

    run("echo -1 > " + settings + "keep_addr_on_down"); // Linux: never
    CHECK_FALSE(link_of("up0").keeps_ipv6_addresses);
}

TEST_CASE_METHOD(NetnsFixture, "a neighbour entry replaces that of the address's previous owner",
                 "[kernel][netlink]")
{
    const auto uplink = add_uplink("up0", {"10.244.1.1/24", "fd00:10:244:1::1/64"});
    const auto address = GENERATE("10.244.1.2"_ip, "fd00:10:244:1::2"_ip);
    run("ip neighbour add " + address.to_string() + " lladdr 02:00:00:00:00:99 dev up0 nud reachable");

    need(socket().execute(set_neighbor(uplink, address, pod_mac)));

    CHECK_THAT(output("ip neighbour show " + address.to_string() + " dev up0"),
               has_text("lladdr 0a:58:0a:f4:01:02 STALE"));
}

TEST_CASE_METHOD(NetnsFixture, "a further name finds its link, belongs to it alone, and goes with it",
                 "[kernel][netlink]")
{
    const auto uplink = add_uplink("up0", {});
    const std::string name = GENERATE("pod-10.244.1.7", "pod-fd00:10:244:1234:5678:9abc:def0:1234");
    CHECK_FALSE(need(find_link_by_alternative_name(socket(), name)).has_value());

    need(socket().execute(add_alternative_name(uplink, name)));
    const auto found = need(find_link_by_alternative_name(socket(), name));
    REQUIRE(found.has_value());
    CHECK(found->index == uplink);
    CHECK_THAT(output("ip link show " + name), has_text("up0"));

    const auto again = socket().execute(add_alternative_name(index_of("up0-far"), name));
    REQUIRE_FALSE(again.has_value());
    CHECK(again.error().code == boost::system::errc::file_exists);

    run("ip link del up0");
    CHECK_FALSE(need(find_link_by_alternative_name(socket(), name)).has_value());
}

TEST_CASE_METHOD(NetnsFixture, "all links are listed with their further names", "[kernel][netlink]")
{
    const auto uplink = add_uplink("up0", {});
    need(socket().execute(add_alternative_name(uplink, "pod-10.244.1.7")));
    need(socket().execute(add_alternative_name(uplink, "pod-fd00::7")));
    run("ip link set up0 group 82");

    const auto links = need(list_named_links(socket()));
    const auto found =
        std::ranges::find(links, uplink, [](const NamedLink& named) { return named.link.index; });
    REQUIRE(found != links.end());
    CHECK(found->further_names == std::vector<std::string>{"pod-10.244.1.7", "pod-fd00::7"});
    CHECK(found->link.group == 82);
    CHECK(links.front().further_names.empty()); // lo
}

TEST_CASE_METHOD(NetnsFixture, "a locked port keeps the MAC addresses that were pinned to it",
                 "[kernel][netlink]")
{
    need(socket().execute(make_bridge({.name = "v-net-0", .mac = bridge_mac})));
    run("ip link add p0 type veth peer name p1 && ip link set p0 master v-net-0");
    const IfIndex port = index_of("p0");
    CHECK_FALSE(link_of("p0").is_locked);
    CHECK(need(list_pinned_macs(socket())).empty()); // but the bridge knows its own and the port's

    need(socket().execute(lock_port(port)));
    need(socket().execute(pin_mac({port, pod_mac})));
    need(socket().execute(pin_mac({port, pod_mac}))); // it is there
    CHECK(link_of("p0").is_locked);
    CHECK(need(list_pinned_macs(socket())) == std::vector<PinnedMac>{{port, pod_mac}});
    CHECK_THAT(output("bridge fdb show dev p0"),
               has_text("0a:58:0a:f4:01:02") && has_text("sticky") && has_text("static"));
    CHECK_THAT(output("bridge -d link show dev p0"), has_text("learning off") && has_text("locked on"));

    run("bridge link set dev p0 learning on"); // which would let others in
    CHECK_FALSE(link_of("p0").is_locked);
    run("ip link set p0 nomaster");
    CHECK(need(list_pinned_macs(socket())).empty());
    CHECK_FALSE(socket().execute(pin_mac({port, pod_mac})).has_value()); // it is none of a bridge now
}
