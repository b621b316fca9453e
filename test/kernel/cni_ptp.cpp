// Mode::ptp: no bridge; the node routes to each pod.
#include "test/kernel/cni_fixture.h"

using namespace routelet;
using namespace routelet::test;
using nlohmann::json;

namespace {

struct PtpFixture : CniFixture {
    PtpFixture() { config["mode"] = "ptp"; }

    static std::string host_name(const std::string& container)
    {
        return cni::host_interface_name({container, "eth0"});
    }
    // What `ip` prints in the pod.
    std::string in(const PodNetns& pod, const std::string& command) const
    {
        return in_netns(pod.netns, [&] { return output(command); });
    }
};

} // namespace

TEST_CASE_METHOD(PtpFixture, "without a bridge, ADD makes a pair of its own, with routes at both ends",
                 "[kernel][cni][ptp]")
{
    const PodNetns pod = make_pod_netns();
    const json result = add("one", pod);

    CHECK_FALSE(need(netlink::find_link(socket(), "v-net-0")).has_value());
    const netlink::Link host = link_of(host_name("one"));
    CHECK(host.is_up());
    CHECK(host.master == netlink::IfIndex{});
    CHECK(host.forwards_ipv4);
    CHECK_FALSE(host.accepts_router_advertisements);
    CHECK(host.alias == "one/eth0");
    CHECK(output("ip -4 route") == "10.244.1.2 dev " + host.name + " proto static scope link \n");
    CHECK_THAT(output("ip -6 route show fd00:1::2"), has_text("dev " + host.name + " proto static"));
    CHECK_THAT(output("ip neighbour show dev " + host.name),
               has_text("10.244.1.2 lladdr 0a:58:0a:f4:01:02") &&
                   has_text("fd00:1::2 lladdr 0a:58:0a:f4:01:02"));
    CHECK_THAT(output("ip address show dev lo"),
               has_text("inet 10.244.1.1/32 scope global noprefixroute lo") &&
                   has_text("inet6 fd00:1::1/128 scope global"));
    CHECK(need(read_file("/proc/sys/net/ipv6/conf/all/forwarding")) == "1\n");

    // The address has its subnet's length, and no connected route.
    CHECK_THAT(in(pod, "ip address show dev eth0"), has_text("10.244.1.2/24") && has_text("fd00:1::2/64"));
    CHECK(in(pod, "ip -4 route") == "default via 10.244.1.1 dev eth0 proto static \n"
                                    "10.244.1.0/24 via 10.244.1.1 dev eth0 proto static \n"
                                    "10.244.1.1 dev eth0 proto static scope link \n");
    CHECK(in(pod, "ip -6 route show proto kernel fd00:1::/64").empty());
    CHECK_THAT(in(pod, "ip neighbour"),
               has_text("10.244.1.1 dev eth0 lladdr " + host.mac->to_string() + " PERMANENT") &&
                   has_text("fd00:1::1 dev eth0 lladdr " + host.mac->to_string() + " PERMANENT"));

    CHECK(result["interfaces"].size() == 2);
    CHECK(result["interfaces"][0]["name"] == host.name);
    CHECK(result["interfaces"][1]["sandbox"] == pod.path());
    CHECK(result["ips"][0] ==
          json({{"interface", 1}, {"address", "10.244.1.2/24"}, {"gateway", "10.244.1.1"}}));
    CHECK(result["ips"][1] ==
          json({{"interface", 1}, {"address", "fd00:1::2/64"}, {"gateway", "fd00:1::1"}}));
    CHECK(result["routes"].size() == 2);
}

TEST_CASE_METHOD(PtpFixture,
                 "pods that the node routes to reach each other, their gateway and what is beyond",
                 "[kernel][cni][ptp]")
{
    const PodNetns one = make_pod_netns();
    const PodNetns two = make_pod_netns();
    add("one", one);
    add("two", two);
    run("ip address add 192.0.2.1/32 dev lo && ip address add 2001:db8::1/128 dev lo");

    require_reaches(two, {"10.244.1.2", "10.244.1.1", "192.0.2.1", "fd00:1::2", "fd00:1::1", "2001:db8::1"});
    run("ping -q -c 1 -W 2 10.244.1.3 >/dev/null");
    run("ping -q -c 1 -W 2 fd00:1::3 >/dev/null");
}

TEST_CASE_METHOD(PtpFixture, "a network of one family asks for nothing of the other", "[kernel][cni][ptp]")
{
    const auto family = GENERATE(0, 1);
    config["ipam"]["ranges"] = json::array({config["ipam"]["ranges"][family]});
    const PodNetns pod = make_pod_netns();
    const json result = add("one", pod);
    CHECK(result["ips"].size() == 1);
    require_reaches(pod, {family == 0 ? "10.244.1.1" : "fd00:1::1"});
    CHECK(need(read_file("/proc/sys/net/ipv6/conf/all/forwarding")) == (family == 0 ? "0\n" : "1\n"));
    del("one", pod.path());
    CHECK(reservations().empty());
}

TEST_CASE_METHOD(PtpFixture, "DEL takes link and routes, and GC those of a pod that is not valid",
                 "[kernel][cni][ptp]")
{
    const PodNetns one = make_pod_netns();
    const PodNetns two = make_pod_netns();
    add("one", one);
    add("two", two);
    del("one", one.path());
    CHECK(veths().size() == 1);
    CHECK(output("ip -4 route") == "10.244.1.3 dev " + host_name("two") + " proto static scope link \n");
    CHECK_THAT(output("ip -6 route"), !has_text("fd00:1::2 "));
    CHECK(reservations() == std::set<std::string>{"10.244.1.3", "fd00:1::3"});
    del("one", one.path());
    require_reaches(two, {"10.244.1.1"});

    run("touch -d '2 minutes ago' " + (state() / "10.244.1.3").string() + " " +
        (state() / "fd00:1::3").string() + " " + (state() / "by-id/two:eth0").string());
    config["cni.dev/valid-attachments"] = json::array();
    CHECK(call("GC", "", "").exit_code == 0);
    CHECK(veths().empty());
    CHECK(reservations().empty());
}

TEST_CASE_METHOD(PtpFixture, "CHECK agrees with what ADD made without a bridge, and says what is broken",
                 "[kernel][cni][ptp]")
{
    const PodNetns pod = make_pod_netns();
    config["prevResult"] = add("one", pod);
    REQUIRE(call("CHECK", "one", pod.path()).output.empty());

    const std::string host = host_name("one");
    std::string complaint;
    SECTION("the node has no route to the pod")
    {
        run("ip route del 10.244.1.2");
        complaint = "ip route add 10.244.1.2/32 dev " + host;
    }
    SECTION("nor one for the other family")
    {
        run("ip -6 route del fd00:1::2");
        complaint = "ip route add fd00:1::2/128 dev " + host;
    }
    SECTION("the gateway's address is gone")
    {
        run("ip address del 10.244.1.1/32 dev lo");
        complaint = "ip address add 10.244.1.1/32 dev lo";
    }
    SECTION("the host's end does not forward")
    {
        run("sysctl -qw net.ipv4.conf." + host + ".forwarding=0");
        complaint = "sysctl -w net.ipv4.conf." + host + ".forwarding=1";
    }
    SECTION("the host's end is down")
    {
        run("ip link set " + host + " down");
        complaint = "ip link set " + host + " up";
    }
    SECTION("somebody made it a port of a bridge")
    {
        run("ip link add br0 type bridge && ip link set " + host + " master br0");
        complaint = "is a port of a bridge";
    }
    SECTION("the pod does not know where its gateway is")
    {
        run_in(pod, "ip route del 10.244.1.1");
        complaint = "the pod has lost its route to 10.244.1.1/32";
    }
    const CniReply reply = call("CHECK", "one", pod.path());
    REQUIRE(reply.exit_code == 1);
    CHECK_THAT(reply.message(), has_text(complaint));
}

TEST_CASE_METHOD(PtpFixture, "a pod outlives its network's change to the other mode", "[kernel][cni][ptp]")
{
    const bool to_bridge = GENERATE(true, false);
    const auto set_mode = [&](bool is_bridge) { config["mode"] = is_bridge ? "bridge" : "ptp"; };
    set_mode(!to_bridge);
    const PodNetns old = make_pod_netns();
    const json result = add("old", old);
    set_mode(to_bridge);
    const PodNetns later = make_pod_netns();
    add("later", later);

    for (const PodNetns* pod : {&old, &later})
        require_reaches(*pod, {"10.244.1.1", "fd00:1::1"});
    for (const char* address : {"10.244.1.2", "fd00:1::2", "10.244.1.3", "fd00:1::3"})
        run(std::string("ping -q -c 1 -W 2 ") + address + " >/dev/null");
    json checked = config;
    checked["prevResult"] = result;
    std::swap(config, checked);
    const CniReply reply = call("CHECK", "old", old.path());
    CHECK(reply.output.empty());
    CHECK(reply.exit_code == 0);
    std::swap(config, checked);
    del("old", old.path());
    CHECK(veths().size() == 1);
    CHECK(reservations() == std::set<std::string>{"10.244.1.3", "fd00:1::3"});
}

TEST_CASE_METHOD(PtpFixture, "what the kernel shows of a pod's address counts without a bridge as well",
                 "[kernel][cni][ptp]")
{
    const PodNetns one = make_pod_netns();
    add("one", one);
    for (const char* lost :
         {"10.244.1.2", "fd00:1::2", "by-id/one:eth0", "last_reserved_ip.0", "last_reserved_ip.1"})
        std::filesystem::remove(state() / lost);
    const json result = add("two", make_pod_netns());
    CHECK(result["ips"][0]["address"] == "10.244.1.3/24");
    CHECK(reservations() == std::set<std::string>{"10.244.1.2", "10.244.1.3", "fd00:1::2", "fd00:1::3"});
}
