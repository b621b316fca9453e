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
