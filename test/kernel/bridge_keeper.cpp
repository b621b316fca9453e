// The agent gives pods their bridge back.
#include "controller/bridge_keeper.h"

#include "test/kernel/cni_fixture.h"
#include "test/support/log_lines.h"

using namespace routelet;
using namespace routelet::controller;
using namespace routelet::test;
using namespace std::chrono_literals;

namespace {

class KeeperFixture : public CniFixture, public LogLines {
public:
    BridgeKeeper keeper{{.bridge = "v-net-0", .folder = state()}, log};
    BridgeKeeper::Clock::time_point now = BridgeKeeper::Clock::now();

    void look() { keeper.look({"10.244.1.0/24"_net, "fd00:1::/64"_net}, 0, now += 10s); }
    // Bridge, ports and addresses, without what is new by nature: indices, and carrier.
    std::string network() const
    {
        return output("ip -o link | sort -k 2 | sed 's/^[0-9]*: //; s/,*LOWER_UP//; s/NO-CARRIER,//; s/state "
                      "[A-Z]* //; s/@if[0-9]*//'; "
                      "ip -o address show dev v-net-0 | sed 's/^[0-9]*: //; s/\\\\.*//' | grep -v fe80; "
                      "bridge -d link | grep -o 'hairpin on'");
    }
    void require_all_reach_each_other(const PodNetns& one) const
    {
        for (const char* address : {"10.244.1.1", "10.244.1.3"})
            run_in(one, std::string("ping -q -c 1 -W 2 ") + address + " >/dev/null");
        for (const char* address : {"fd00:1::1", "fd00:1::3"})
            run_in(one, std::string("ping -q -c 1 -W 2 ") + address + " >/dev/null");
    }
};

} // namespace

TEST_CASE_METHOD(KeeperFixture, "pods whose bridge was taken away have it again", "[kernel][cni]")
{
    const PodNetns one = make_pod_netns();
    const PodNetns two = make_pod_netns();
    add("one", one);
    nlohmann::json result = add("two", two);
    look();
    CHECK(lines.empty());
    const std::string before = network();

    SECTION("deleted")
    {
        run("ip link del v-net-0");
    }
    SECTION("set down")
    {
        run("ip link set v-net-0 down");
    }
    SECTION("taken off it")
    {
        run("ip link set " + cni::host_interface_name({"one", "eth0"}) + " nomaster");
    }
    SECTION("deleted and made again by an ADD, which knows nothing of the others")
    {
        run("ip link del v-net-0");
        const PodNetns three = make_pod_netns();
        add("three", three);
        del("three", three.path());
    }
    look();

    CHECK(network() == before);
    REQUIRE(lines.size() == 1);
    CHECK_THAT(lines[0], has_text("level=warn event=bridge-restored bridge=v-net-0"));
    CHECK(call("STATUS", "", "").exit_code == 0);
    config["prevResult"] = result;
    CHECK(call("CHECK", "two", two.path()).exit_code == 0);
    require_all_reach_each_other(one);
    look();
    CHECK(lines.size() == 1);
}

TEST_CASE_METHOD(KeeperFixture,
                 "a bridge that is gone is seen to within a second, whenever the last look was",
                 "[kernel][cni]")
{
    const PodNetns pod = make_pod_netns();
    add("one", pod);
    look();
    const auto look_after = [this](std::chrono::milliseconds time) {
        keeper.look({"10.244.1.0/24"_net, "fd00:1::/64"_net}, 0, now + time);
        return lines.size();
    };
    run("ip link del v-net-0");
    CHECK(look_after(900ms) == 0); // whoever keeps deleting it does not keep us busy
    CHECK(look_after(1s) == 1);
    run("ip link set " + cni::host_interface_name({"one", "eth0"}) + " nomaster");
    CHECK(look_after(10s) == 1);
    CHECK(look_after(11s) == 2);
}

TEST_CASE_METHOD(KeeperFixture, "without a pod that needs it there is no bridge to keep", "[kernel][cni]")
{
    const PodNetns pod = make_pod_netns();
    SECTION("no pod at all, and no folder") {}
    SECTION("its addresses, but no interface")
    {
        add("one", pod);
        run("ip link del v-net-0 && ip link del " + cni::host_interface_name({"one", "eth0"}));
    }
    SECTION("a pod on another bridge, from before the name was changed")
    {
        config["bridge"] = "v-net-1";
        add("one", pod);
    }
    SECTION("a pod that the node routes to, from before the network changed its mode")
    {
        config["mode"] = "ptp";
        add("one", pod);
        config.erase("mode");
    }
    look();
    CHECK(lines.empty());
    CHECK_FALSE(need(netlink::find_link(socket(), "v-net-0")).has_value());
    config["bridge"] = "v-net-0";
    CHECK(call("STATUS", "", "").exit_code == 0); // the next ADD makes it
}

TEST_CASE_METHOD(KeeperFixture, "a bridge that cannot be repaired is a finding until it can", "[kernel][cni]")
{
    const PodNetns one = make_pod_netns();
    const PodNetns two = make_pod_netns();
    add("one", one);
    add("two", two);
    run("ip link del v-net-0");
    BridgeKeeper wrong({.bridge = "no such name", .folder = state()}, log);
    wrong.look({"10.244.1.0/24"_net}, 0, now);
    REQUIRE(wrong.findings().size() == 1);
    CHECK(wrong.findings()[0].code == "bridge-broken");
    look();
    CHECK(keeper.findings().empty());
    require_all_reach_each_other(one);
}

TEST_CASE_METHOD(KeeperFixture, "the bridge's name on something else is left to STATUS", "[kernel][cni]")
{
    const PodNetns pod = make_pod_netns();
    add("one", pod);
    run("ip link del v-net-0 && ip link add v-net-0 type vxlan id 7 dstport 4789");
    look();
    CHECK(lines.empty());
    CHECK(call("STATUS", "", "").code() == 50);
}
