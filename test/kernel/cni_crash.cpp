#include "test/kernel/cni_fixture.h"

using namespace routelet;
using namespace routelet::test;

namespace {

std::string container(int number)
{
    return "pod" + std::to_string(number);
}

} // namespace

TEST_CASE_METHOD(CniFixture, "fifty ADDs at once on a node without a bridge all succeed", "[kernel][cni]")
{
    constexpr int count = 50;
    std::vector<PodNetns> pods;
    for (int i = 0; i < count; ++i)
        pods.push_back(make_pod_netns());
    std::vector<CniCall> calls;
    for (int i = 0; i < count; ++i)
        calls.push_back(start("ADD", container(i), pods[i].path()));

    std::set<std::string> addresses;
    for (CniCall& running : calls) {
        const CniReply reply = running.wait();
        INFO(reply.output);
        REQUIRE(reply.exit_code == 0);
        const nlohmann::json result = reply.document();
        for (const auto& ip : result["ips"])
            addresses.insert(ip["address"].get<std::string>());
    }
    CHECK(addresses.size() == 2 * count);
    CHECK(reservations().size() == 2 * count);
    CHECK(veths().size() == count);
    CHECK(link_of("v-net-0").mac->to_string() == "0a:58:0a:f4:01:01");
    run_in(pods.back(), "ping -q -c 1 -W 2 10.244.1.1 >/dev/null");

    std::vector<CniCall> deletions;
    for (int i = 0; i < count; ++i)
        deletions.push_back(start("DEL", container(i), pods[i].path()));
    for (CniCall& running : deletions)
        CHECK(running.wait().exit_code == 0);
    CHECK(reservations().empty());
    CHECK(veths().empty());
}

TEST_CASE_METHOD(CniFixture, "what a killed ADD left is not taken for an attachment", "[kernel][cni]")
{
    const PodNetns pod = make_pod_netns();
    const std::string host_name = cni::host_interface_name({"one", "eth0"});
    SECTION("a pair without addresses and alias")
    {
        need(socket().execute(netlink::make_veth({.host_name = host_name,
                                                  .host_mac = {{0x0a, 0, 0, 0, 0, 1}},
                                                  .pod_name = "eth0",
                                                  .pod_mac = {{0x0a, 0, 0, 0, 0, 2}},
                                                  .pod_netns_fd = pod.netns.fd()})));
    }
    SECTION("a pair that is complete but for the host's end being up")
    {
        add("one", pod);
        run("ip link set " + host_name + " down");
    }
    SECTION("nothing but the reservation")
    {
        add("one", pod);
        run("ip link del " + host_name);
    }
    add("one", pod);
    run_in(pod, "ping -q -c 1 -W 2 10.244.1.1 >/dev/null");
}
