#pragma once
#include "base/file.h"
#include "cni/attachment.h"
#include "netlink/address.h"
#include "netlink/route.h"
#include "test/kernel/cni_call.h"
#include "test/support/catch.h"
#include "test/support/netns_fixture.h"
#include "test/support/temporary_directory.h"

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace routelet::test {

// A node of its own: a fresh network namespace, an empty state folder, and the plugin to call in it.
class CniFixture : public NetnsFixture {
    TemporaryDirectory temporary_; // before what names it

public:
    nlohmann::json config = nlohmann::json::parse(R"({
        "cniVersion": "1.1.0", "name": "routelet", "type": "routelet-cni",
        "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.244.1.0/24"}], [{"subnet": "fd00:1::/64"}]]}})");

    CniFixture()
    {
        config["ipam"]["dataDir"] = (temporary_.path / "ipam").string();
        config["hostPortDir"] = host_ports().string();
    }

    static std::map<std::string, std::string>
    environment_of(const std::string& command, const std::string& container, const std::string& netns)
    {
        return {{"CNI_COMMAND", command},     {"CNI_CONTAINERID", container},
                {"CNI_NETNS", netns},         {"CNI_IFNAME", "eth0"},
                {"CNI_PATH", "/opt/cni/bin"}, {"CNI_ARGS", "IgnoreUnknown=1;K8S_POD_NAME=web"}};
    }
    CniCall start(const std::string& command, const std::string& container, const std::string& netns) const
    {
        return {environment_of(command, container, netns), config.dump()};
    }
    CniReply call(const std::string& command, const std::string& container, const std::string& netns) const
    {
        return start(command, container, netns).wait();
    }
    // An ADD that has to succeed, and its result.
    nlohmann::json add(const std::string& container, const PodNetns& pod) const
    {
        const CniReply reply = call("ADD", container, pod.path());
        INFO(reply.output);
        REQUIRE(reply.exit_code == 0);
        return reply.document();
    }
    void del(const std::string& container, const std::string& netns) const
    {
        const CniReply reply = call("DEL", container, netns);
        CHECK(reply.output == "");
        CHECK(reply.errors == "");
        REQUIRE(reply.exit_code == 0);
    }

    // Names of the address files in the state folder.
    std::set<std::string> reservations() const
    {
        std::set<std::string> names;
        const auto folder = temporary_.path / "ipam" / "routelet";
        if (!std::filesystem::exists(folder))
            return names;
        for (const auto& entry : std::filesystem::directory_iterator(folder))
            if (IpAddress::parse(entry.path().filename().string()))
                names.insert(entry.path().filename().string());
        return names;
    }
    std::filesystem::path state() const { return temporary_.path / "ipam" / "routelet"; }
    std::filesystem::path host_ports() const { return temporary_.path / "host-ports"; }

    // The host's ends of veth pairs.
    std::vector<netlink::Link> veths()
    {
        std::vector<netlink::Link> found;
        for (const netlink::Link& link : need(netlink::list_links(socket())))
            if (link.kind == "veth")
                found.push_back(link);
        return found;
    }
    // By its first packet, or one that is sent again after a second.
    void require_reaches(const PodNetns& pod, const std::vector<std::string>& addresses) const
    {
        for (const std::string& address : addresses)
            run_in(pod, "ping -q -c 1 -W 2 " + address + " >/dev/null");
    }
    void run_in(const PodNetns& pod, const std::string& command) const
    {
        in_netns(pod.netns, [&] { run(command); });
    }
};

} // namespace routelet::test
