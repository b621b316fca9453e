// The agent keeps the ports of the node open that lead to pods.
#include "controller/host_port_keeper.h"

#include "cni/host_ports.h"
#include "test/kernel/cni_fixture.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <sys/file.h>

#include <fcntl.h>

using namespace routelet;
using namespace routelet::controller;
using namespace routelet::test;
using namespace std::chrono_literals;

namespace {

class HostPortKeeperFixture : public CniFixture {
public:
    std::vector<std::string> lines;
    Log log{LogFormat::text, LogLevel::info, [this](const std::string& line) {
                lines.push_back(line);
                return true;
            }};
    boost::asio::io_context io;
    HostPortKeeper keeper{io, host_ports(), log};

    HostPortKeeperFixture()
    {
        config["runtimeConfig"]["portMappings"] = {{{"hostPort", 8080}, {"containerPort", 80}}};
        boost::asio::co_spawn(io, keeper.run(), boost::asio::detached);
    }

    bool is_open() const
    {
        return output("nft list map inet routelet-hostports all4 2>&1 || true").find("tcp . 8080") !=
               std::string::npos;
    }
    // Lets it work until then, and not longer than it takes.
    void work_until(const std::function<bool()>& is_so)
    {
        const auto deadline = std::chrono::steady_clock::now() + 5s;
        while (!is_so()) {
            REQUIRE(std::chrono::steady_clock::now() < deadline);
            io.run_for(10ms);
        }
    }
    std::vector<std::string> codes() const
    {
        std::vector<std::string> found;
        for (const Finding& finding : keeper.findings())
            found.push_back(finding.code);
        return found;
    }
};

} // namespace

TEST_CASE_METHOD(HostPortKeeperFixture, "ports that a flush has closed are opened again at once",
                 "[kernel][cni]")
{
    io.run_for(50ms);
    const PodNetns pod = make_pod_netns();
    add("pod", pod);
    io.run_for(50ms);
    CHECK(lines.empty()); // what the plugin does is right

    run("nft flush ruleset");
    CHECK_FALSE(is_open());
    work_until([&] { return is_open(); });
    REQUIRE(lines.size() == 1);
    CHECK_THAT(
        lines[0],
        has_text("level=warn event=host-ports-restored found=\"the table is missing\" by=\"nft (pid "));
    io.run_for(50ms);
    CHECK(lines.size() == 1);

    run("nft delete element inet routelet-hostports all4 '{ tcp . 8080 }'");
    work_until([&] { return is_open(); });
    del("pod", pod.path());
    io.run_for(50ms);
    CHECK(lines.size() == 2);
    CHECK(codes().empty());
}

TEST_CASE_METHOD(HostPortKeeperFixture, "an agent that starts finds what happened while it was away",
                 "[kernel][cni]")
{
    const PodNetns pod = make_pod_netns();
    add("pod", pod);
    run("nft flush ruleset");
    work_until([&] { return is_open(); });
}

TEST_CASE_METHOD(HostPortKeeperFixture, "it waits while the plugin is at work", "[kernel][cni]")
{
    const PodNetns pod = make_pod_netns();
    add("pod", pod);
    UniqueFd plugins(::open((host_ports() / "lock").c_str(), O_RDWR | O_CLOEXEC));
    REQUIRE(::flock(plugins.fd(), LOCK_EX | LOCK_NB) == 0);
    run("nft flush ruleset");
    io.run_for(200ms);
    CHECK_FALSE(is_open());
    CHECK(codes().empty());
    plugins.reset();
    work_until([&] { return is_open(); });
}

TEST_CASE_METHOD(HostPortKeeperFixture, "who closes them again and again is told of, and met more slowly",
                 "[kernel][cni]")
{
    const PodNetns pod = make_pod_netns();
    add("pod", pod);
    for (int i = 0; i < 4; ++i) {
        run("nft flush ruleset");
        work_until([&] { return is_open(); });
    }
    CHECK(codes() == std::vector<std::string>{"host-ports-fight"});
    run("nft flush ruleset");
    io.run_for(300ms);
    CHECK_FALSE(is_open());
    work_until([&] { return is_open(); }); // after a second
}

TEST_CASE_METHOD(HostPortKeeperFixture, "what cannot be repaired is a finding until it can", "[kernel][cni]")
{
    const PodNetns pod = make_pod_netns();
    add("pod", pod);
    run("nft flush ruleset");
    std::filesystem::rename(host_ports() / "pod:eth0", host_ports().parent_path() / "record");
    std::filesystem::create_directory(host_ports() / "damaged");
    std::filesystem::remove(host_ports() / "lock");
    std::filesystem::create_directory(host_ports() / "lock");
    work_until([&] { return !codes().empty(); });
    CHECK(codes() == std::vector<std::string>{"host-ports-broken"});

    std::filesystem::remove(host_ports() / "lock");
    std::filesystem::rename(host_ports().parent_path() / "record", host_ports() / "pod:eth0");
    work_until([&] { return is_open(); });
    CHECK(codes().empty());
}

TEST_CASE_METHOD(HostPortKeeperFixture, "where no pod has a port there is nothing to keep", "[kernel][cni]")
{
    io.run_for(100ms);
    CHECK(codes().empty());
    CHECK(lines.empty());
    CHECK_FALSE(std::filesystem::exists(host_ports()));
    CHECK(output("nft list tables").empty());
}
