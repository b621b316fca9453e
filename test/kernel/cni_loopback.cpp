#include "test/kernel/cni_fixture.h"

#include <linux/if.h>

using namespace routelet;
using namespace routelet::test;
using nlohmann::json;

namespace {

// As containerd calls it, beside the network's plugin.
struct LoopbackFixture : CniFixture {
    json loopback = json::parse(R"({"cniVersion": "0.3.1", "name": "cni-loopback", "type": "loopback"})");
    PodNetns pod = make_pod_netns();

    CniReply call_loopback(const std::string& command) const
    {
        auto environment = environment_of(command, "pod1", pod.path());
        environment["CNI_IFNAME"] = "lo";
        return CniCall(environment, loopback.dump(), {.called_as = "/opt/cni/bin/loopback"}).wait();
    }
    bool is_up() const
    {
        bool up = false;
        in_netns(pod.netns, [&] {
            netlink::Socket socket = need(netlink::Socket::open());
            up = need(netlink::find_link(socket, "lo"))->is_up();
        });
        return up;
    }
};

} // namespace

TEST_CASE_METHOD(LoopbackFixture, "called by the name loopback it sets lo up", "[kernel][cni][loopback]")
{
    REQUIRE_FALSE(is_up());
    const CniReply reply = call_loopback("ADD");
    INFO(reply.output);
    REQUIRE(reply.exit_code == 0);
    CHECK(is_up());
    CHECK(reply.document() == json::parse(R"({
        "cniVersion": "0.3.1",
        "interfaces": [{"name": "lo", "mac": "00:00:00:00:00:00", "sandbox": ")" +
                                          pod.path() + R"("}],
        "ips": [{"version": "4", "address": "127.0.0.1/8", "interface": 0},
                {"version": "6", "address": "::1/128", "interface": 0}]})"));
    CHECK(reservations().empty());
    CHECK(veths().empty());
}

TEST_CASE_METHOD(LoopbackFixture, "it may be called again, and beside the network's plugin",
                 "[kernel][cni][loopback]")
{
    (void)add("pod1", pod);
    CHECK(call_loopback("ADD").exit_code == 0);
    CHECK(call_loopback("ADD").exit_code == 0);
    CHECK(is_up());
    CHECK(call_loopback("DEL").exit_code == 0);
    CHECK(call_loopback("DEL").output == "");
    del("pod1", pod.path());
}

TEST_CASE_METHOD(LoopbackFixture, "what plugins before it said is handed on", "[kernel][cni][loopback]")
{
    loopback["prevResult"] = json::parse(R"({"cniVersion": "0.3.1", "interfaces": [{"name": "eth0"}]})");
    const CniReply reply = call_loopback("ADD");
    CHECK(reply.document()["interfaces"] == json::parse(R"([{"name": "eth0"}])"));
    CHECK(is_up());
}

TEST_CASE_METHOD(LoopbackFixture, "CHECK says whether lo is up", "[kernel][cni][loopback]")
{
    loopback["cniVersion"] = "1.0.0";
    CHECK(call_loopback("CHECK").code() == 103);
    REQUIRE(call_loopback("ADD").exit_code == 0);
    CHECK(call_loopback("CHECK").output == "");
    run_in(pod, "ip link set lo down");
    CHECK_THAT(call_loopback("CHECK").message(), has_text("lo is down"));
}

TEST_CASE_METHOD(LoopbackFixture, "the other verbs have nothing to do", "[kernel][cni][loopback]")
{
    loopback["cniVersion"] = "1.1.0";
    const std::string command = GENERATE("DEL", "GC", "STATUS");
    const CniReply reply = call_loopback(command);
    CHECK(reply.exit_code == 0);
    CHECK(reply.output == "");
}

TEST_CASE_METHOD(LoopbackFixture,
                 "a namespace that is none is an error of ADD, and DEL has nothing to do there",
                 "[kernel][cni][loopback]")
{
    auto environment = environment_of("ADD", "pod1", "/proc/self/ns/pid");
    CHECK(CniCall(environment, loopback.dump(), {.called_as = "loopback"}).wait().exit_code == 1);
    environment["CNI_COMMAND"] = "DEL";
    CHECK(CniCall(environment, loopback.dump(), {.called_as = "loopback"}).wait().exit_code == 0);
}
