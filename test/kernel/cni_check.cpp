#include "test/kernel/cni_fixture.h"

using namespace routelet;
using namespace routelet::test;

namespace {

// A pod that was added, and the configuration that a runtime hands to CHECK.
struct CheckFixture : CniFixture {
    PodNetns pod = make_pod_netns();
    std::string host_name = cni::host_interface_name({"one", "eth0"});

    CheckFixture() { config["prevResult"] = add("one", pod); }
};

} // namespace

TEST_CASE_METHOD(CheckFixture, "CHECK agrees with what ADD just made, in silence, as often as asked",
                 "[kernel][cni]")
{
    for (int i = 0; i < 20; ++i) {
        const CniReply reply = call("CHECK", "one", pod.path());
        INFO(reply.output);
        REQUIRE(reply.exit_code == 0);
        CHECK(reply.output == "");
        CHECK(reply.errors == "");
    }
}

TEST_CASE_METHOD(CheckFixture, "CHECK takes what others added for no fault", "[kernel][cni]")
{
    run_in(pod, "ip route add 192.0.2.0/24 via 10.244.1.1");
    run_in(pod, "ip address add 192.0.2.7/32 dev eth0");
    run_in(pod, "ip link set eth0 mtu 1300");
    run_in(pod, "ip link set eth0 address 0a:00:00:00:00:09"); // the tuning plugin, which reports it:
    config["prevResult"]["interfaces"][2]["mac"] = "0a:00:00:00:00:09";
    CHECK(call("CHECK", "one", pod.path()).exit_code == 0);
}

TEST_CASE_METHOD(CheckFixture, "CHECK reads a MAC address in capitals", "[kernel][cni]")
{
    config["prevResult"]["interfaces"][0]["mac"] = "0A:58:0A:F4:01:01";
    config["prevResult"]["interfaces"][2]["mac"] = "0A:58:0A:F4:01:02";
    CHECK(call("CHECK", "one", pod.path()).exit_code == 0);
}

TEST_CASE_METHOD(CheckFixture, "CHECK says which part of an attachment is broken", "[kernel][cni]")
{
    std::string complaint;
    SECTION("the pod's interface is gone")
    {
        run_in(pod, "ip link del eth0");
        complaint = "the pod has no interface eth0";
    }
    SECTION("the pod's interface is of another kind")
    {
        run_in(pod, "ip link del eth0 && ip link add eth0 type vxlan id 7 dstport 4789");
        complaint = "is no veth";
    }
    SECTION("the pod's MAC address changed")
    {
        run_in(pod, "ip link set eth0 address 0a:00:00:00:00:09");
        complaint = "has MAC address 0a:00:00:00:00:09 instead of 0a:58:0a:f4:01:02";
    }
    SECTION("the pod's interface is down")
    {
        run_in(pod, "ip link set eth0 down");
        complaint = "the pod's interface eth0 is down";
    }
    SECTION("the pod's IPv4 address is gone")
    {
        run_in(pod, "ip address del 10.244.1.2/24 dev eth0");
        complaint = "has lost address 10.244.1.2/24";
    }
    SECTION("the pod's IPv6 address is gone")
    {
        run_in(pod, "ip address del fd00:1::2/64 dev eth0");
        complaint = "has lost address fd00:1::2/64";
    }
    SECTION("the pod's default route is gone")
    {
        run_in(pod, "ip route del default");
        complaint = "has lost its route to 0.0.0.0/0 via 10.244.1.1";
    }
    SECTION("the pod's default route leads elsewhere")
    {
        run_in(pod, "ip -6 route replace default via fd00:1::9");
        complaint = "has lost its route to ::/0 via fd00:1::1";
    }
    SECTION("the host's end is down")
    {
        run("ip link set " + host_name + " down");
        complaint = "host interface " + host_name + " is down";
    }
    SECTION("the host's end was taken off the bridge")
    {
        run("ip link set " + host_name + " nomaster");
        complaint = "is no port of bridge v-net-0";
    }
    SECTION("the host's end has lost hairpin mode")
    {
        run("ip link set dev " + host_name + " type bridge_slave hairpin off");
        complaint = "has hairpin mode off";
    }
    SECTION("the host's end has another name")
    {
        run("ip link set " + host_name + " down && ip link set " + host_name + " name other0");
        complaint = "does not exist any more";
    }
    SECTION("the bridge is gone")
    {
        run("ip link del v-net-0");
        complaint = "bridge v-net-0 does not exist";
    }
    SECTION("the bridge is down")
    {
        run("ip link set v-net-0 down");
        complaint = "bridge v-net-0 is down";
    }
    SECTION("the bridge's MAC address changed")
    {
        run("ip link set v-net-0 address 0a:00:00:00:00:09");
        complaint = "bridge v-net-0 has MAC address 0a:00:00:00:00:09";
    }
    SECTION("the bridge has lost the gateway's address")
    {
        run("ip address del 10.244.1.1/24 dev v-net-0");
        complaint = "has lost the gateway's address 10.244.1.1";
    }
    SECTION("the reservation is gone")
    {
        std::filesystem::remove(state() / "10.244.1.2");
        complaint = "address 10.244.1.2 is not reserved";
    }
    SECTION("the reservation is another container's")
    {
        std::ofstream(state() / "10.244.1.2") << "other\r\neth0";
        complaint = "address 10.244.1.2 is not reserved";
    }
    SECTION("the result is about another sandbox")
    {
        config["prevResult"]["interfaces"][2]["sandbox"] = "/run/netns/other";
        complaint = "in sandbox /run/netns/other";
    }
    SECTION("the result is about another interface")
    {
        config["prevResult"]["interfaces"].erase(2);
        complaint = "prevResult lists no interface eth0";
    }
    const CniReply reply = call("CHECK", "one", pod.path());
    CHECK(reply.exit_code == 1);
    REQUIRE(reply.output != "");
    CHECK(reply.code() == 103);
    CHECK_THAT(reply.message(), has_text(complaint));
}

TEST_CASE_METHOD(CheckFixture, "CHECK needs the result that it compares with", "[kernel][cni]")
{
    config.erase("prevResult");
    const CniReply reply = call("CHECK", "one", pod.path());
    CHECK(reply.code() == 7);
    CHECK_THAT(reply.message(), has_text("prevResult"));
}
