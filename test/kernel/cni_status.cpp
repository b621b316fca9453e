// STATUS, as runtimes ask it every five seconds (T103, T104 of the requirements: it changes nothing, and ADD
// works even while it fails).
#include "test/kernel/cni_fixture.h"

#include <unistd.h>

using namespace routelet;
using namespace routelet::test;

namespace {

class StatusFixture : public CniFixture {
public:
    // What STATUS says: 0, or the code of its error, which is then in `message`.
    int status()
    {
        const CniReply reply = call("STATUS", "", "");
        message = reply.exit_code == 0 ? "" : reply.message();
        return reply.exit_code == 0 ? 0 : reply.code();
    }
    // Everything that a call could have made or changed, but for what the kernel does by itself.
    std::string world() const
    {
        return output("ip -o link | sed 's/^[0-9]*: //; s/<.*link.ether//'; ip route; find " +
                      state().parent_path().string() + " -printf '%p %T@ %s\\n' 2>&1 | sort");
    }

    std::string message;
};

} // namespace

TEST_CASE_METHOD(StatusFixture, "STATUS says that pods are cut off when their bridge is gone",
                 "[kernel][cni]")
{
    PodNetns pod = make_pod_netns();
    add("one", pod);
    CHECK(status() == 0);
    run("ip link del v-net-0");

    const std::string before = world();
    CHECK(status() == 51);
    CHECK_THAT(message, has_text("v-net-0 is gone") && has_text("kubectl drain"));
    CHECK(world() == before);

    SECTION("until they are deleted")
    {
        del("one", pod.path());
    }
    SECTION("and not when they went without a DEL: nobody would make the bridge again")
    {
        run("ip link del " + veths().front().name);
        CHECK(reservations().size() == 2);
    }
    CHECK(status() == 0);
}

TEST_CASE_METHOD(StatusFixture, "STATUS says that pods are cut off when their bridge is down",
                 "[kernel][cni]")
{
    const PodNetns pod = make_pod_netns();
    add("one", pod);
    run("ip link set v-net-0 down");
    CHECK(status() == 51);
    CHECK_THAT(message, has_text("ip link set v-net-0 up"));

    SECTION("until it is up")
    {
        run("ip link set v-net-0 up");
        CHECK(status() == 0);
    }
    SECTION("which an ADD does, too")
    {
        const PodNetns second = make_pod_netns();
        add("two", second);
        CHECK(status() == 0);
    }
    SECTION("or until there is no pod: the next ADD sets it up")
    {
        del("one", pod.path());
        CHECK(status() == 0);
    }
}

TEST_CASE_METHOD(StatusFixture, "STATUS counts the ports of the bridge, of which there are 1023",
                 "[kernel][cni]")
{
    run("ip link add v-net-0 type bridge && ip link set v-net-0 up");
    const auto make_ports = [this](int first, int last) {
        run("for i in $(seq " + std::to_string(first) + " " + std::to_string(last) +
            "); do echo link add port$i master v-net-0 type veth peer name far$i; done | ip -batch -");
    };
    make_ports(1, 1020);
    CHECK(status() == 0);
    make_ports(1021, 1021);
    CHECK(status() == 50);
    CHECK_THAT(message, has_text("1021 of the 1023 ports"));

    const PodNetns pod = make_pod_netns();
    add("one", pod); // a pod that was on its way is served
    del("one", pod.path());
    run("ip link del port7");
    CHECK(status() == 0);
}

TEST_CASE_METHOD(StatusFixture, "STATUS waits for the agent where the configuration names its file",
                 "[kernel][cni]")
{
    struct Row {
        const char* folder;
        std::string stamp;
        int code;
    };
    const std::string boot = need(read_file("/proc/sys/kernel/random/boot_id"));
    const std::string other = "00000000-0000-4000-8000-000000000000\n";
    const auto row = GENERATE_COPY(values<Row>({
        {"/var/tmp", boot, 0}, // what a reboot leaves has to be of this boot
        {"/var/tmp", other, 50},
        {"/var/tmp", "", 50},
        {"/dev/shm", other, 0}, // what it takes is of this one
    }));
    CAPTURE(row.folder, row.stamp);
    const TemporaryDirectory folder{row.folder};
    const auto file = folder.path / "converged";
    config["agentState"] = file.string();
    CHECK(status() == 50);
    CHECK_THAT(message, has_text(file.string()) && has_text("routelet status"));
    CHECK(std::filesystem::is_empty(folder.path));

    std::ofstream(file) << row.stamp;
    CHECK(status() == row.code);
    const PodNetns pod = make_pod_netns();
    add("one", pod); // STATUS is advice
    del("one", pod.path());
}

TEST_CASE_METHOD(StatusFixture, "STATUS misses no bridge where the node routes to each pod", "[kernel][cni]")
{
    config["mode"] = "ptp";
    const PodNetns pod = make_pod_netns();
    add("one", pod);
    CHECK(status() == 0);
    run("ip link add v-net-0 type vxlan id 7 dstport 4789"); // nor is its name of any interest
    CHECK(status() == 0);
}

TEST_CASE_METHOD(StatusFixture, "STATUS looks at pods before it looks for the agent", "[kernel][cni]")
{
    const PodNetns pod = make_pod_netns();
    add("one", pod);
    run("ip link set v-net-0 down");
    config["agentState"] = (state().parent_path() / "none").string();
    CHECK(status() == 51);
}
