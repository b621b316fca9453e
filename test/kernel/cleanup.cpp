#include "controller/cleanup.h"

#include "test/kernel/cni_fixture.h"

#include <sstream>

using namespace routelet;
using namespace routelet::controller;
using namespace routelet::test;

namespace {

namespace fs = std::filesystem;

// A node as Routelet leaves it: routes, table, plugin, configuration, state, and a pod.
class UsedNode : public CniFixture {
    TemporaryDirectory directory_;

public:
    CleanupOptions options{.cni_bin_dir = directory_.path / "bin",
                           .cni_conf_dir = directory_.path / "net.d",
                           .state_dir = directory_.path / "run"};
    std::string said;

    UsedNode()
    {
        config["ipam"]["dataDir"] = (options.state_dir / "ipam").string();
        for (const fs::path& folder : {options.cni_bin_dir, options.cni_conf_dir, options.state_dir})
            fs::create_directories(folder);
        fs::copy_file(ROUTELET_CNI_PROGRAM, options.cni_bin_dir / "routelet-cni");
        fs::create_symlink("routelet-cni", options.cni_bin_dir / "loopback");
        put(options.cni_conf_dir / "05-routelet.conflist", R"({"name":"routelet","plugins":[]})");
        for (const char* name :
             {"plugins.json", "converged", "cni.log", "cni.log.1", "history.log", "history.log.1"})
            put(options.state_dir / name, "{}");
        add_uplink("eth0", {"192.168.1.11/24", "fd00:192:168:1::11/64"});
        run("ip route add 10.244.2.0/24 via 192.168.1.12 proto 82 metric 8200");
        run("ip -6 route add fd00:2::/64 via fd00:192:168:1::12 proto 82 metric 8200");
        run("ip route add unreachable 10.244.0.0/16 proto 82 metric 8200");
        run("nft add table inet routelet");
    }

    static void put(const fs::path& path, const std::string& content)
    {
        need(write_file_atomically(path, content));
    }
    bool clean_up()
    {
        std::ostringstream out;
        const bool clean = need(controller::clean_up(options, out));
        said = out.str();
        return clean;
    }
    // Everything that could be Routelet's or somebody else's, without what changes by itself: carrier,
    // fe80::.
    std::string world() const
    {
        return output("ip -o link | sed 's/^[0-9]*: //; s/<.*link.ether//'; "
                      "{ ip route; ip -6 route; } | sed 's/ linkdown//; /^fe80/d'; nft list ruleset; find " +
                      directory_.path.string() + " -mindepth 1 | sort");
    }
};

} // namespace

TEST_CASE_METHOD(UsedNode, "cleanup leaves nothing of Routelet's on a node without pods", "[kernel][cleanup]")
{
    const PodNetns pod = make_pod_netns();
    add("c1", pod);
    del("c1", pod.path());

    const bool clean = clean_up();

    INFO(said);
    CHECK(clean);
    CHECK(
        output(
            "ip route show proto 82; ip -6 route show proto 82; nft list tables; ip link show type bridge") ==
        "");
    CHECK(fs::is_empty(options.cni_bin_dir));
    CHECK(fs::is_empty(options.cni_conf_dir));
    CHECK_FALSE(fs::exists(options.state_dir));
    for (const char* line :
         {"removed: route 10.244.2.0/24 via 192.168.1.12", "removed: route fd00:2::/64",
          "removed: interface v-net-0", "removed: nftables table inet routelet", "05-routelet.conflist\n",
          "bin/routelet-cni\n", "bin/loopback\n", "ipam\n", "note: IPv6 forwarding stays on"})
        CHECK_THAT(said, has_text(line));

    CHECK(clean_up()); // and once more is no error
    CHECK(said.find("removed:") == std::string::npos);
}

TEST_CASE_METHOD(UsedNode, "cleanup takes nothing that is not Routelet's", "[kernel][cleanup]")
{
    run("ip link add cni0 type bridge && ip link set cni0 up && ip address add 10.88.0.1/16 dev cni0");
    run("ip link add veth0123456789a type veth peer name p1 && ip link set veth0123456789a alias "
        "theirs/eth0");
    run("ip link set veth0123456789a master cni0");
    run("ip route add 10.244.3.0/24 via 192.168.1.13 proto 82 metric 100"); // our protocol, not our metric
    run("ip route add 10.244.4.0/24 via 192.168.1.14 proto static metric 8200"); // our metric, not our
                                                                                 // protocol
    run("ip route add default via 192.168.1.1");
    run("nft add table ip routelet && nft add table inet filter"); // another family; another name
    put(options.cni_conf_dir / "10-calico.conflist", R"({"name":"k8s-pod-network"})");
    put(options.cni_bin_dir / "bridge", "somebody's");
    const auto lines = [](const std::string& text) {
        std::set<std::string> all;
        std::istringstream in(text);
        for (std::string line; std::getline(in, line);)
            all.insert(line);
        return all;
    };
    const auto before = lines(world());

    clean_up();

    INFO(said);
    const auto after = lines(world());
    for (const std::string& line : before) {
        const bool ours =
            line.find("metric 8200") != std::string::npos && line.find("proto 82 ") != std::string::npos;
        const bool our_file = line.find("05-routelet") != std::string::npos ||
                              line.ends_with("/routelet-cni") || line.ends_with("/loopback") ||
                              line.find("/run") != std::string::npos;
        INFO(line);
        if (!ours && !our_file && line != "table inet routelet {")
            CHECK(after.contains(line));
    }
}

TEST_CASE_METHOD(UsedNode, "what has Routelet's names but not its marks stays, and cleanup says so",
                 "[kernel][cleanup]")
{
    run("ip link add v-net-0 type bridge"); // made by hand
    put(options.cni_conf_dir / "05-routelet.conflist", R"({"name":"mine","plugins":[]})");
    put(options.cni_bin_dir / "routelet-cni", "another program");
    fs::remove(options.cni_bin_dir / "loopback");
    put(options.cni_bin_dir / "loopback", "the runtime's");
    put(options.state_dir / "notes", "an operator's");

    CHECK_FALSE(clean_up());

    for (const char* line :
         {"left: interface v-net-0: routelet-cni did not make it",
          "05-routelet.conflist: its network is not named", "routelet-cni: it is another program",
          "run: it holds files that are not Routelet's"})
        CHECK_THAT(said, has_text(line));
    CHECK(output("ip -o link show v-net-0") != "");
    CHECK(need(read_file(options.cni_bin_dir / "routelet-cni")) == "another program");
    CHECK(need(read_file(options.cni_bin_dir / "loopback")) == "the runtime's");
    CHECK(need(read_file(options.state_dir / "notes")) == "an operator's");
}

TEST_CASE_METHOD(UsedNode, "while a pod has its interface, what it and its end need stays",
                 "[kernel][cleanup]")
{
    const PodNetns pod = make_pod_netns();
    add("c1", pod);

    CHECK_FALSE(clean_up());

    CHECK_THAT(said, has_text("the pod with container c1/eth0 uses it"));
    CHECK_THAT(said, has_text("left: interface v-net-0"));
    CHECK(fs::exists(options.cni_bin_dir / "routelet-cni"));
    CHECK(fs::exists(options.state_dir / "ipam"));
    CHECK(output("ip route show proto 82") == "");
    run_in(pod, "ping -q -c 1 -W 2 10.244.1.1 >/dev/null");

    SECTION("after the pod's end the next run finishes")
    {
        del("c1", pod.path());
        CHECK(clean_up());
        CHECK(output("ip -o link show type bridge") == "");
    }
    SECTION("by force it goes as well")
    {
        options.force = true;
        CHECK(clean_up());
        CHECK(output("ip -o link show type bridge; ip -o link show type veth | grep -v eth0") == "");
        CHECK_FALSE(fs::exists(options.state_dir));
    }
}

TEST_CASE_METHOD(UsedNode, "pods that the node routes to are treated as those on the bridge",
                 "[kernel][cleanup]")
{
    config["mode"] = "ptp";
    const PodNetns pod = make_pod_netns();
    add("c1", pod);
    run("ip address add 10.244.1.77/32 dev lo"); // somebody else's

    CHECK_FALSE(clean_up());

    CHECK_THAT(said, has_text("the pod with container c1/eth0 uses it"));
    CHECK(fs::exists(options.state_dir / "ipam"));
    run_in(pod, "ping -q -c 1 -W 2 10.244.1.1 >/dev/null");

    const bool by_force = GENERATE(true, false);
    options.force = by_force;
    if (!by_force)
        del("c1", pod.path());
    CHECK(clean_up());
    CHECK(output("ip -o link show type veth | grep -v eth0") == "");
    CHECK_THAT(output("ip address show dev lo"),
               !has_text("10.244.1.1/") && !has_text("fd00:1::1") && has_text("10.244.1.77/32"));
    CHECK_FALSE(fs::exists(options.state_dir));
}

TEST_CASE_METHOD(UsedNode, "a bridge that somebody else has a port on stays", "[kernel][cleanup]")
{
    const PodNetns pod = make_pod_netns();
    add("c1", pod);
    del("c1", pod.path());
    run("ip link add tap0 type veth peer name tap1 && ip link set tap0 master v-net-0");

    CHECK_FALSE(clean_up());

    CHECK_THAT(said, has_text("left: interface v-net-0: tap0 is a port of it"));
    CHECK(output("ip -o link show v-net-0") != "");
}

TEST_CASE_METHOD(UsedNode, "a dry run tells and changes nothing", "[kernel][cleanup]")
{
    const PodNetns pod = make_pod_netns();
    add("c1", pod);
    del("c1", pod.path());
    options.dry_run = true;
    const std::string before = world();

    clean_up();

    CHECK(world() == before);
    CHECK_THAT(said, has_text("would remove: interface v-net-0"));
    CHECK_THAT(said, has_text("would remove: route 10.244.2.0/24"));
    CHECK(said.find("\nremoved:") == std::string::npos);
}
