// The plugin and what it remembers of addresses: how much it looks at, and what happens when that is lost.
#include "test/kernel/cni_fixture.h"

#include <sys/syscall.h>

#include <algorithm>
#include <fstream>
#include <map>

using namespace routelet;
using namespace routelet::test;
using nlohmann::json;

namespace {

// How often a call of the plugin makes each system call.
std::map<long, int> count_calls(const CniFixture& node, const std::string& command,
                                const std::string& container, const std::string& netns)
{
    std::map<long, int> counts;
    CniCall call(CniFixture::environment_of(command, container, netns), node.config.dump(),
                 {.is_traced = true});
    const CniReply reply = call.wait_asking([&](const SystemCall& made) {
        ++counts[made.number];
        return Fate{};
    });
    INFO(reply.output);
    REQUIRE(reply.exit_code == 0);
    return counts;
}

} // namespace

TEST_CASE_METHOD(CniFixture, "ADD, CHECK and DEL look at as much with a thousand pods as with ten",
                 "[kernel][cni]")
{
    config["ipam"]["ranges"] = json::parse(R"([[{"subnet": "10.244.0.0/20"}], [{"subnet": "fd00:1::/64"}]])");
    const PodNetns first = make_pod_netns();
    add("first", first); // makes bridge and folder
    const PodNetns pod = make_pod_netns();
    add("one", pod);
    del("one", pod.path()); // makes the list of freed addresses

    std::map<int, std::map<std::string, std::map<long, int>>> counts; // by pods and command
    int reserved = 0;
    for (const int pods : {10, 1000}) {
        for (; reserved < pods; ++reserved) {
            const cni::AttachmentId id{"pod" + std::to_string(reserved), "eth0"};
            const std::string v4 =
                "10.244.0.0"_ip.plus(static_cast<std::uint64_t>(1000 + reserved)).to_string();
            const std::string v6 =
                "fd00:1::"_ip.plus(static_cast<std::uint64_t>(1000 + reserved)).to_string();
            std::ofstream(state() / v4) << id.container << "\r\n" << id.interface;
            std::ofstream(state() / v6) << id.container << "\r\n" << id.interface;
            std::ofstream(state() / "by-id" / (id.container + ":" + id.interface)) << v4 << '\n'
                                                                                   << v6 << '\n';
        }
        config.erase("prevResult");
        counts[pods]["ADD"] = count_calls(*this, "ADD", "one", pod.path());
        del("one", pod.path());
        config["prevResult"] = add("one", pod);
        counts[pods]["CHECK"] = count_calls(*this, "CHECK", "one", pod.path());
        counts[pods]["DEL"] = count_calls(*this, "DEL", "one", pod.path());
    }
    for (const std::string command : {"ADD", "CHECK", "DEL"}) {
        CAPTURE(command);
        CHECK(counts[1000][command][SYS_getdents64] == 0);
        CHECK(counts[1000][command][SYS_openat] == counts[10][command][SYS_openat]);
        CHECK(counts[1000][command][SYS_newfstatat] == counts[10][command][SYS_newfstatat]);
        CHECK(counts[1000][command][SYS_read] == counts[10][command][SYS_read]);
    }
    CHECK(counts[10]["ADD"][SYS_openat] > 0); // else nothing was counted
}

TEST_CASE_METHOD(CniFixture, "a pod's host interface can be found by the pod's addresses", "[kernel][cni]")
{
    const PodNetns pod = make_pod_netns();
    add("one", pod);
    const std::string name = cni::host_interface_name({"one", "eth0"});
    CHECK_THAT(output("ip link show pod-10.244.1.2"), has_text(name));
    CHECK_THAT(output("ip link show pod-fd00:1::2"), has_text(name));
}

TEST_CASE_METHOD(CniFixture, "a living pod's address is not given out when its reservation is lost",
                 "[kernel][cni]")
{
    const PodNetns living = make_pod_netns();
    add("living", living);
    int told = 2; // addresses
    SECTION("with the whole folder")
    {
        std::filesystem::remove_all(state());
    }
    SECTION("one file of it, and the pointer behind it")
    {
        std::filesystem::remove(state() / "10.244.1.2");
        std::filesystem::remove(state() / "last_reserved_ip.0");
        told = 1;
    }
    SECTION("because the folder is another one now")
    {
        config["ipam"]["dataDir"] = state().parent_path().string() + "/elsewhere/..";
        std::filesystem::rename(state(), state().string() + "-before");
    }
    const PodNetns pod = make_pod_netns();
    const CniReply reply = call("ADD", "one", pod.path());
    INFO(reply.output << reply.errors);
    REQUIRE(reply.exit_code == 0);
    CHECK(reply.document()["ips"][0]["address"] == "10.244.1.3/24");
    CHECK(reply.document()["ips"][1]["address"] == "fd00:1::3/64");
    CHECK(std::ranges::count(reply.errors, '\n') == told);
    CHECK_THAT(reply.errors,
               has_text("level=warn event=reservation-restored address=10.244.1.2 container=living"));
    CHECK(reservations() == std::set<std::string>{"10.244.1.2", "10.244.1.3", "fd00:1::2", "fd00:1::3"});

    CHECK(call("ADD", "two", make_pod_netns().path()).errors == ""); // told once
    del("living", living.path());
    CHECK_FALSE(reservations().contains("10.244.1.2"));
    CHECK_FALSE(reservations().contains("fd00:1::2"));
}

TEST_CASE_METHOD(CniFixture, "a damaged reservation of a living pod is written anew", "[kernel][cni]")
{
    config["ipam"]["ranges"] = json::parse(R"([[{"subnet": "10.244.1.0/30"}]])");
    const PodNetns living = make_pod_netns();
    add("living", living);
    std::ofstream(state() / "10.244.1.2").close();

    const PodNetns pod = make_pod_netns();
    const CniReply reply = call("ADD", "one", pod.path());
    CHECK(reply.code() == 101); // it was the only address
    CHECK_THAT(reply.errors, has_text("event=reservation-damaged address=10.244.1.2"));
    CHECK(need(read_file(state() / "10.244.1.2")) == "living\r\neth0");
    CHECK(std::filesystem::exists(state() / "damaged" / "10.244.1.2"));
    del("living", living.path());
    CHECK(add("one", pod)["ips"][0]["address"] == "10.244.1.2/30");
}

TEST_CASE_METHOD(CniFixture, "another network's pod keeps its address, and gets no reservation in ours",
                 "[kernel][cni]")
{
    const PodNetns other = make_pod_netns();
    config["name"] = "other";
    config["bridge"] = "v-net-1";
    add("other", other);
    config["name"] = "routelet";
    config["bridge"] = "v-net-0";
    const PodNetns pod = make_pod_netns();
    CHECK(add("one", pod)["ips"][0]["address"] == "10.244.1.3/24");
    CHECK(reservations() == std::set<std::string>{"10.244.1.3", "fd00:1::3"});
}
