// The plugin beside the reference plugin host-local, whose folders it shares or takes over. Where that is not
// installed (Debian: containernetworking-plugins), these tests are skipped, and say so.
#include "test/kernel/cni_fixture.h"

#include <unistd.h>

#include <iostream>
#include <optional>

using namespace routelet;
using namespace routelet::test;
using nlohmann::json;

namespace {

std::optional<std::string> find_host_local()
{
    for (const char* path : {"/usr/lib/cni/host-local", "/opt/cni/bin/host-local"})
        if (::access(path, X_OK) == 0)
            return path;
    std::cout << "test skipped: no plugin host-local in /usr/lib/cni or /opt/cni/bin\n";
    return std::nullopt;
}

class HostLocal : public CniFixture {
public:
    HostLocal() { config["ipam"]["ranges"] = json::parse(R"([[{"subnet": "10.244.1.0/24"}]])"); }

    // A call of host-local over the folder `networks`/`name`, of the ranges in the configuration.
    CniCall start_host_local(const std::string& program, const std::string& command,
                             const std::string& container, const std::filesystem::path& networks,
                             const std::string& name) const
    {
        json document = config;
        document["cniVersion"] = "0.4.0"; // that every version of it speaks
        document["name"] = name;
        document["ipam"] = {
            {"type", "host-local"}, {"ranges", config["ipam"]["ranges"]}, {"dataDir", networks}};
        return {
            environment_of(command, container, "/proc/self/ns/net"), document.dump(), {.program = program}};
    }
    static std::string address_in(const CniReply& reply)
    {
        INFO(reply.output << reply.errors);
        REQUIRE(reply.exit_code == 0);
        return reply.document()["ips"][0]["address"];
    }
};

} // namespace

TEST_CASE_METHOD(HostLocal, "ours and host-local share a folder at the same time, and give no address twice",
                 "[kernel][cni]")
{
    const auto host_local = find_host_local();
    if (!host_local)
        return;
    constexpr int many = 30;
    const auto networks = state().parent_path();
    std::vector<PodNetns> pods;
    for (int i = 0; i < many; ++i)
        pods.push_back(make_pod_netns());
    std::vector<CniCall> calls;
    for (int i = 0; i < many; ++i) {
        calls.push_back(start("ADD", "ours" + std::to_string(i), pods[i].path()));
        calls.push_back(
            start_host_local(*host_local, "ADD", "theirs" + std::to_string(i), networks, "routelet"));
    }
    std::set<std::string> addresses;
    for (CniCall& call : calls)
        addresses.insert(address_in(call.wait()));
    CHECK(addresses.size() == 2 * many);
    CHECK(reservations().size() == 2 * many);

    // Either frees what the other gave out.
    for (int i = 0; i < many; ++i) {
        CHECK(start_host_local(*host_local, "DEL", "ours" + std::to_string(i), networks, "routelet")
                  .wait()
                  .exit_code == 0);
        del("theirs" + std::to_string(i), "");
        del("ours" + std::to_string(i), pods[i].path());
    }
    CHECK(reservations().empty());
}

TEST_CASE_METHOD(HostLocal, "a node that comes from host-local keeps its pods' addresses", "[kernel][cni]")
{
    const auto host_local = find_host_local();
    if (!host_local)
        return;
    const auto networks = state().parent_path() / "networks";
    const auto before = networks / "cbr0";
    for (const char* old : {"old1", "old2"})
        address_in(start_host_local(*host_local, "ADD", old, networks, "cbr0").wait()); // .2 and .3

    config["ipam"]["importFrom"] = before.string();
    const PodNetns pod = make_pod_netns();
    CHECK(add("one", pod)["ips"][0]["address"] == "10.244.1.4/24");
    CHECK(start_host_local(*host_local, "CHECK", "old1", networks, "cbr0").wait().exit_code == 0);

    del("old1", ""); // to us, or
    CHECK(start_host_local(*host_local, "DEL", "old2", networks, "cbr0").wait().exit_code == 0);
    CHECK_FALSE(std::filesystem::exists(before / "10.244.1.2"));
    CHECK_FALSE(std::filesystem::exists(before / "10.244.1.3"));
    del("one", pod.path());
}

TEST_CASE_METHOD(HostLocal, "pods of the plugin bridge go on beside ours, on their bridge", "[kernel][cni]")
{
    const auto host_local = find_host_local();
    if (!host_local)
        return;
    const auto plugins = std::filesystem::path(*host_local).parent_path();
    const auto networks = state().parent_path() / "networks";
    // As flannel has it make a pod's interface.
    json theirs = json::parse(R"({"cniVersion": "0.4.0", "name": "cbr0", "type": "bridge", "bridge": "cni0",
                                  "isDefaultGateway": true, "hairpinMode": true})");
    theirs["ipam"] = {
        {"type", "host-local"}, {"ranges", config["ipam"]["ranges"]}, {"dataDir", networks.string()}};
    const PodNetns old = make_pod_netns();
    auto environment = environment_of("ADD", "old", old.path());
    environment["CNI_PATH"] = plugins.string();
    const CniReply before =
        CniCall(environment, theirs.dump(), {.program = (plugins / "bridge").string()}).wait();
    REQUIRE(address_in(before) == "10.244.1.2/24");
    const std::string bridge_mac = link_of("cni0").mac->to_string();

    config["bridge"] = "cni0";
    config["ipam"]["importFrom"] = (networks / "cbr0").string();
    const PodNetns pod = make_pod_netns();
    CHECK(add("new", pod)["ips"][0]["address"] == "10.244.1.3/24");
    run_in(pod, "ping -q -c 1 -W 2 10.244.1.2 >/dev/null");
    run_in(old, "ping -q -c 1 -W 2 10.244.1.3 >/dev/null");
    CHECK(link_of("cni0").mac->to_string() == bridge_mac);

    del("old", old.path());
    run_in(old, "! ip link show eth0 2>/dev/null");
    CHECK_FALSE(std::filesystem::exists(networks / "cbr0" / "10.244.1.2"));
    run_in(pod, "ping -q -c 1 -W 2 10.244.1.1 >/dev/null");
    del("new", pod.path());
}

TEST_CASE_METHOD(HostLocal, "the host ports of a pod of before go with it, and no other's", "[kernel][cni]")
{
    const auto host_local = find_host_local();
    if (!host_local)
        return;
    const auto plugins = std::filesystem::path(*host_local).parent_path();
    const auto networks = state().parent_path() / "networks";
    const auto rules = [this] { return output("iptables -t nat -S CNI-HOSTPORT-DNAT"); };
    // As flannel has it chained.
    const auto call_portmap = [&](const std::string& container, int port) {
        json theirs = json::parse(R"({"cniVersion": "0.4.0", "name": "cbr0", "type": "portmap",
            "prevResult": {"cniVersion": "0.4.0", "interfaces": [{"name": "eth0", "sandbox": "/proc/self/ns/net"}],
                           "ips": [{"version": "4", "address": "10.244.1.2/24", "interface": 0}]}})");
        theirs["runtimeConfig"]["portMappings"] = {
            {{"hostPort", port}, {"containerPort", 80}, {"protocol", "tcp"}}};
        auto environment = environment_of("ADD", container, "/proc/self/ns/net");
        environment["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"; // for iptables
        const CniReply reply =
            CniCall(environment, theirs.dump(), {.program = (plugins / "portmap").string()}).wait();
        INFO(reply.output << reply.errors);
        REQUIRE(reply.exit_code == 0);
    };
    for (const char* old : {"old1", "old2"})
        address_in(start_host_local(*host_local, "ADD", old, networks, "cbr0").wait());
    call_portmap("old1", 8081);
    call_portmap("old2", 8082);
    REQUIRE_THAT(rules(), has_text("8081") && has_text("8082"));

    config["ipam"]["importFrom"] = (networks / "cbr0").string();
    const auto del_with_plugins = [&](const std::string& container, const std::string& path) {
        auto environment = environment_of("DEL", container, "");
        environment["CNI_PATH"] = path;
        environment["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin";
        const CniReply reply = CniCall(environment, config.dump()).wait();
        INFO(reply.output << reply.errors);
        return reply.exit_code;
    };
    CHECK(del_with_plugins("old1", "/nowhere:" + plugins.string()) == 0);
    CHECK_THAT(rules(), !has_text("8081") && has_text("8082"));
    CHECK(del_with_plugins("old1", plugins.string()) == 0);
    CHECK_THAT(rules(), has_text("8082"));

    const auto broken = state().parent_path() / "broken";
    std::filesystem::create_directory(broken);
    std::ofstream(broken / "portmap") << "#!/bin/sh\necho out of order; exit 1\n";
    std::filesystem::permissions(broken / "portmap", std::filesystem::perms::owner_all);
    CHECK(del_with_plugins("old2", broken.string()) != 0);
    CHECK(std::filesystem::exists(networks / "cbr0" / "10.244.1.3")); // for the runtime calls again
    CHECK(del_with_plugins("old2", "") == 0);                         // no portmap, no port
    CHECK_FALSE(std::filesystem::exists(networks / "cbr0" / "10.244.1.3"));
}
