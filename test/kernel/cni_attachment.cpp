#include "cni/sysctl.h"
#include "test/kernel/cni_fixture.h"
#include "test/support/socket_address.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

using namespace routelet;
using namespace routelet::test;
using nlohmann::json;

namespace {

netlink::Link pod_link(const PodNetns& pod)
{
    return in_netns(pod.netns, [] {
        netlink::Socket socket = need(netlink::Socket::open());
        const auto link = need(netlink::find_link(socket, "eth0"));
        REQUIRE(link.has_value());
        return *link;
    });
}

bool pod_has_link(const PodNetns& pod)
{
    return in_netns(pod.netns, [] {
        netlink::Socket socket = need(netlink::Socket::open());
        return need(netlink::find_link(socket, "eth0")).has_value();
    });
}

} // namespace

TEST_CASE_METHOD(CniFixture, "ADD makes the bridge, the pair, addresses and routes, and says so",
                 "[kernel][cni]")
{
    const PodNetns pod = make_pod_netns();
    const json result = add("one", pod);

    const netlink::Link bridge = link_of("v-net-0");
    CHECK(bridge.kind == "bridge");
    CHECK(bridge.is_up());
    CHECK(bridge.mac->to_string() == "0a:58:0a:f4:01:01");

    const netlink::Link host = link_of(cni::host_interface_name({"one", "eth0"}));
    CHECK(host.is_up());
    CHECK(host.master == bridge.index);
    CHECK(host.hairpin == true);
    CHECK(host.alias == "one/eth0");

    const netlink::Link inside = pod_link(pod);
    CHECK(inside.is_up());
    CHECK(inside.mac->to_string() == "0a:58:0a:f4:01:02");
    CHECK(host.peer == inside.index);

    CHECK(result["interfaces"].size() == 3);
    CHECK(result["interfaces"][2]["sandbox"] == pod.path());
    CHECK(result["ips"][0]["address"] == "10.244.1.2/24");
    CHECK(result["ips"][1]["address"] == "fd00:1::2/64");
    CHECK(reservations() == std::set<std::string>{"10.244.1.2", "fd00:1::2"});
    CHECK_THAT(output("ip neighbour show dev v-net-0"), has_text("10.244.1.2 lladdr 0a:58:0a:f4:01:02"));
    CHECK_THAT(output("ip -6 neighbour show dev v-net-0"), has_text("fd00:1::2 lladdr 0a:58:0a:f4:01:02"));
    CHECK(need(read_file("/proc/sys/net/ipv4/conf/v-net-0/forwarding")) == "1\n");
    CHECK(need(read_file("/proc/sys/net/ipv6/conf/all/forwarding")) == "1\n");
    CHECK(need(read_file("/proc/sys/net/ipv6/conf/v-net-0/accept_ra")) == "0\n");
    CHECK(need(read_file("/proc/sys/net/ipv6/conf/" + host.name + "/accept_ra")) == "0\n");
}

TEST_CASE_METHOD(CniFixture, "pods reach each other, the bridge and themselves over both families at once",
                 "[kernel][cni]")
{
    const PodNetns one = make_pod_netns();
    const PodNetns two = make_pod_netns();
    add("one", one);
    add("two", two);
    // No address is tentative, so the very first packet may use it.
    CHECK(output("ip -6 address show dev v-net-0 scope global tentative") == "");
    in_netns(two.netns, [&] { CHECK(output("ip -6 address show dev eth0 scope global tentative") == ""); });

    require_reaches(two, {"10.244.1.2", "10.244.1.1", "fd00:1::2", "fd00:1::1"});
    run("ping -q -c 1 -W 2 10.244.1.3 >/dev/null");
    run("ping -q -c 1 -W 2 fd00:1::3 >/dev/null");
}

TEST_CASE_METHOD(CniFixture, "pods reach the bridge again after it was down, over both families",
                 "[kernel][cni]")
{
    const PodNetns pod = make_pod_netns();
    add("one", pod);
    run("ip link set v-net-0 down");
    run("ip link set v-net-0 up");
    run_in(pod, "ping -q -c 1 -W 5 10.244.1.1 >/dev/null");
    run_in(pod, "ping -q -c 1 -W 5 fd00:1::1 >/dev/null");
}

TEST_CASE_METHOD(CniFixture, "a pod leaves the node by its default route", "[kernel][cni]")
{
    const PodNetns pod = make_pod_netns();
    add("one", pod);
    run("ip address add 192.0.2.1/32 dev lo");
    run("ip address add 2001:db8::1/128 dev lo");
    require_reaches(pod, {"192.0.2.1", "2001:db8::1"});
}

TEST_CASE_METHOD(CniFixture, "an uplink that learns its router from advertisements goes on learning",
                 "[kernel][cni]")
{
    add_uplink("up0", {"192.0.2.2/24"});
    run("echo 1 >/proc/sys/net/ipv6/conf/up0/accept_ra");
    add("one", make_pod_netns());
    CHECK(need(read_file("/proc/sys/net/ipv6/conf/up0/accept_ra")) == "2\n");
}

TEST_CASE_METHOD(CniFixture, "a bridge of the admin's keeps what he configured", "[kernel][cni]")
{
    run("ip link add v-net-0 address 0a:00:00:00:00:01 type bridge");
    run("ip address add 10.9.9.9/24 dev v-net-0");
    const PodNetns pod = make_pod_netns();
    add("one", pod);
    CHECK(link_of("v-net-0").mac->to_string() == "0a:00:00:00:00:01");
    CHECK(link_of("v-net-0").is_up());
    CHECK_THAT(output("ip -4 address show dev v-net-0"), has_text("10.9.9.9/24"));
    require_reaches(pod, {"10.244.1.1"});
}

TEST_CASE_METHOD(CniFixture, "the MTU is that of the configuration, on both ends and a new bridge",
                 "[kernel][cni]")
{
    config["mtu"] = 1400;
    const PodNetns pod = make_pod_netns();
    const json result = add("one", pod);
    CHECK(pod_link(pod).mtu == 1400);
    CHECK(link_of("v-net-0").mtu == 1400);
    CHECK(result["interfaces"][2]["mtu"] == 1400);
}

TEST_CASE_METHOD(CniFixture, "a runtime may ask for address and MAC address", "[kernel][cni]")
{
    config["runtimeConfig"] = json::parse(R"({"ips": ["10.244.1.77/24"], "mac": "0a:58:00:00:00:07"})");
    const PodNetns pod = make_pod_netns();
    const json result = add("one", pod);
    CHECK(pod_link(pod).mac->to_string() == "0a:58:00:00:00:07");
    CHECK(result["interfaces"][2]["mac"] == "0a:58:00:00:00:07");
    CHECK(result["ips"][0]["address"] == "10.244.1.77/24");
}

TEST_CASE_METHOD(CniFixture, "DEL removes the pair and frees the addresses, and may come again",
                 "[kernel][cni]")
{
    const PodNetns pod = make_pod_netns();
    add("one", pod);
    del("one", pod.path());
    CHECK_FALSE(pod_has_link(pod));
    CHECK(veths().empty());
    CHECK(reservations().empty());
    CHECK(link_of("v-net-0").is_up());
    del("one", pod.path());
    del("never-added", pod.path());
}

TEST_CASE_METHOD(CniFixture, "DEL cleans whatever has become of the namespace or the configuration",
                 "[kernel][cni]")
{
    const PodNetns pod = make_pod_netns();
    add("one", pod);
    const std::string netns = GENERATE(as<std::string>{}, "", "/run/netns/there-is-none", "/etc/hostname",
                                       "/proc", "/proc/self/ns/pid", "/proc/self/ns/net");
    CAPTURE(netns);
    SECTION("with the configuration of before") {}
    SECTION("with other ranges")
    {
        config["ipam"]["ranges"] = json::parse(R"([[{"subnet": "10.99.0.0/24"}]])");
    }
    SECTION("with a broken range")
    {
        config["ipam"]["ranges"] = "x";
        config["bridge"] = "other0";
    }
    SECTION("after the bridge was deleted by hand")
    {
        run("ip link del v-net-0");
    }
    SECTION("after the interface was deleted by hand")
    {
        run_in(pod, "ip link del eth0");
    }
    SECTION("after the interface was renamed by hand")
    {
        run_in(pod, "ip link set eth0 down && ip link set eth0 name renamed");
    }
    del("one", netns);
    CHECK(veths().empty());
    CHECK(reservations().empty());
}

TEST_CASE_METHOD(CniFixture, "DEL of one pod leaves its neighbours alone", "[kernel][cni]")
{
    const PodNetns one = make_pod_netns();
    const PodNetns two = make_pod_netns();
    add("one", one);
    add("two", two);
    del("one", one.path());
    CHECK(veths().size() == 1);
    CHECK(reservations() == std::set<std::string>{"10.244.1.3", "fd00:1::3"});
    require_reaches(two, {"10.244.1.1"});
}

TEST_CASE_METHOD(CniFixture, "DEL leaves the interface of another attachment in the same namespace alone",
                 "[kernel][cni]")
{
    const PodNetns pod = make_pod_netns();
    add("one", pod);
    del("other", pod.path());
    CHECK(pod_has_link(pod));
    CHECK(reservations().size() == 2);
    require_reaches(pod, {"10.244.1.1"});
}

TEST_CASE_METHOD(CniFixture, "an address is not freed while an interface with another alias may have it",
                 "[kernel][cni]")
{
    const PodNetns pod = make_pod_netns();
    add("one", pod);
    run("ip link set " + cni::host_interface_name({"one", "eth0"}) + " alias changed-by-hand");
    SECTION("when the namespace is not known, DEL fails")
    {
        const CniReply reply = call("DEL", "one", "");
        CHECK(reply.exit_code == 1);
        CHECK_THAT(reply.message(), has_text("changed-by-hand"));
        CHECK(pod_has_link(pod));
        CHECK(reservations().size() == 2);
    }
    SECTION("when it is, the interface goes first")
    {
        del("one", pod.path());
        CHECK(veths().empty());
        CHECK(reservations().empty());
    }
}

TEST_CASE_METHOD(CniFixture, "a second network of a pod claims no route that it did not make",
                 "[kernel][cni]")
{
    const PodNetns pod = make_pod_netns();
    config["ipam"]["routes"] = json::parse(R"([{"dst": "192.0.2.0/24"}])");
    CHECK(add("one", pod)["routes"].size() == 3);

    config["name"] = "second";
    config["bridge"] = "v-net-1";
    config["ipam"]["ranges"] = json::parse(R"([[{"subnet": "10.99.1.0/24"}], [{"subnet": "fd00:99::/64"}]])");
    auto environment = environment_of("ADD", "one", pod.path());
    environment["CNI_IFNAME"] = "net1";
    SECTION("a default route stays that of the first")
    {
        config["ipam"]["routes"] = json::parse(R"([{"dst": "198.51.100.0/24"}])");
        const CniReply reply = CniCall(environment, config.dump()).wait();
        INFO(reply.output);
        REQUIRE(reply.exit_code == 0);
        CHECK(reply.document()["routes"] ==
              json::parse(R"([{"dst": "198.51.100.0/24", "gw": "10.99.1.1"}])"));
        config["prevResult"] = reply.document();
        environment["CNI_COMMAND"] = "CHECK";
        CHECK(CniCall(environment, config.dump()).wait().exit_code == 0);
    }
    SECTION("another route that is there is an error, and nothing of the second is left")
    {
        const CniReply reply = CniCall(environment, config.dump()).wait();
        CHECK(reply.exit_code == 1);
        CHECK_THAT(reply.message(), has_text("has a route to 192.0.2.0/24 already"));
        CHECK(veths().size() == 1);
    }
    in_netns(pod.netns, [&] {
        CHECK_THAT(output("ip route show default"), has_text("via 10.244.1.1 dev eth0"));
        CHECK_THAT(output("ip -6 route show default"), has_text("via fd00:1::1 dev eth0"));
    });
}

TEST_CASE_METHOD(CniFixture, "IPv6 forwarding goes on while interfaces come and go", "[kernel][cni]")
{
    const pid_t churn = ::fork();
    REQUIRE(churn >= 0);
    if (churn == 0)
        for (;;)
            (void)std::system("ip link add churn0 type veth peer churn1; ip link del churn0");
    for (int i = 0; i < 300; ++i) {
        run("echo 0 >/proc/sys/net/ipv6/conf/all/forwarding");
        const Result<> forwarding = cni::turn_on_ipv6_forwarding();
        CHECK((forwarding ? "" : forwarding.error().text()) == "");
    }
    REQUIRE(::kill(churn, SIGKILL) == 0);
    REQUIRE(::waitpid(churn, nullptr, 0) == churn);
}

TEST_CASE_METHOD(CniFixture, "a second ADD of an attachment fails and does not touch the first",
                 "[kernel][cni]")
{
    const PodNetns pod = make_pod_netns();
    add("one", pod);
    const netlink::Link before = pod_link(pod);
    const CniReply again = call("ADD", "one", pod.path());
    CHECK(again.exit_code == 1);
    CHECK(again.code() == 102);
    CHECK(pod_link(pod) == before);
    CHECK(reservations().size() == 2);
    require_reaches(pod, {"10.244.1.1"});
}

TEST_CASE_METHOD(CniFixture, "an ADD whose link is gone gets its reservation's address back", "[kernel][cni]")
{
    const PodNetns pod = make_pod_netns();
    add("one", pod);
    run_in(pod, "ip link del eth0");
    CHECK(add("one", pod)["ips"][0]["address"] == "10.244.1.2/24");
    CHECK(reservations().size() == 2);
}

TEST_CASE_METHOD(CniFixture, "an ADD that fails leaves nothing of its own", "[kernel][cni]")
{
    const PodNetns pod = make_pod_netns();
    int code = 0;
    SECTION("the pod has an interface of that name")
    {
        run_in(pod, "ip link add eth0 type vxlan id 7 dstport 4789");
        code = 102;
    }
    SECTION("the bridge's name is that of something else")
    {
        run("ip link add v-net-0 type vxlan id 7 dstport 4789");
        code = 7;
    }
    SECTION("a route's gateway is out of reach, after the link was made")
    {
        config["ipam"]["routes"] = json::parse(R"([{"dst": "192.0.2.0/24", "gw": "203.0.113.1"}])");
        code = 100;
    }
    SECTION("the addresses are used up")
    {
        config["ipam"]["ranges"] = json::parse(R"([[{"subnet": "10.244.1.0/24"}],
            [{"subnet": "fd00:1::/64", "rangeStart": "fd00:1::2", "rangeEnd": "fd00:1::2"}]])");
        const PodNetns other = make_pod_netns();
        add("other", other);
        del("one", ""); // as a runtime may, before it tries
        const CniReply reply = call("ADD", "one", pod.path());
        CHECK(reply.code() == 101);
        CHECK(call("STATUS", "", "").code() == 50);
        del("other", other.path());
        CHECK(call("STATUS", "", "").exit_code == 0);
        return;
    }
    const CniReply reply = call("ADD", "one", pod.path());
    INFO(reply.output);
    CHECK(reply.exit_code == 1);
    CHECK(reply.code() == code);
    CHECK(veths().empty());
    CHECK(reservations().empty());
}

TEST_CASE_METHOD(CniFixture,
                 "a namespace that is none, or the node's own, is refused before anything is made",
                 "[kernel][cni]")
{
    const std::string netns = GENERATE("/run/netns/there-is-none", "/etc/hostname", "/proc",
                                       "/proc/self/ns/pid", "/proc/self/ns/net");
    const CniReply reply = call("ADD", "one", netns);
    CHECK(reply.exit_code == 1);
    CHECK(reply.code() == 8);
    CHECK(reservations().empty());
    CHECK_FALSE(need(netlink::find_link(socket(), "v-net-0")).has_value());
}

TEST_CASE_METHOD(CniFixture, "IPv6 is switched on in a pod that has it disabled", "[kernel][cni]")
{
    const PodNetns pod = make_pod_netns();
    run_in(pod, "echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6");
    add("one", pod);
    require_reaches(pod, {"fd00:1::1"});
}

TEST_CASE_METHOD(CniFixture, "a node with IPv4 only, and one with IPv6 only", "[kernel][cni]")
{
    const auto [subnet, gateway] = GENERATE(table<std::string, std::string>({
        {"10.244.1.0/24", "10.244.1.1"},
        {"fd00:1::/64", "fd00:1::1"},
    }));
    config["ipam"]["ranges"] = json::array({json::array({json{{"subnet", subnet}}})});
    const PodNetns pod = make_pod_netns();
    CHECK(add("one", pod)["ips"].size() == 1);
    run_in(pod, "ping -q -c 1 -W 2 " + gateway + " >/dev/null");
    del("one", pod.path());
}

// Not by ping: what is lost on the way to an address that nobody has asked for yet is asked for again after a
// second, and nobody would notice.
TEST_CASE_METHOD(CniFixture, "the very first packet to the first pod of a bridge arrives", "[kernel][cni]")
{
    const PodNetns pod = make_pod_netns();
    for (int i = 0; i < 30; ++i) {
        const json result = add("one", pod);
        for (const json& ip : result["ips"]) {
            const std::string text = ip["address"];
            const IpAddress address = need(IpAddress::parse(text.substr(0, text.find('/'))));
            const UniqueFd server = in_netns(
                pod.netns, [&] { return UniqueFd(::socket(address.af(), SOCK_DGRAM | SOCK_CLOEXEC, 0)); });
            const UniqueFd client(::socket(address.af(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
            SocketAddress there(address, 7000);
            REQUIRE(::bind(server.fd(), there.raw(), there.size) == 0);
            REQUIRE(::sendto(client.fd(), "x", 1, 0, there.raw(), there.size) == 1);
            struct pollfd poll = {server.fd(), POLLIN, 0};
            CAPTURE(i, address);
            REQUIRE(::poll(&poll, 1, 500) == 1);
        }
        del("one", pod.path());
    }
}
