// The agent keeps the plugin's tables: the ports of the node that lead to pods, and what pods may send from.
#include "controller/table_keeper.h"

#include "controller/plugin_tables.h"
#include "test/kernel/cni_fixture.h"
#include "test/support/log_lines.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <sys/file.h>

#include <fcntl.h>

using namespace routelet;
using namespace routelet::controller;
using namespace routelet::test;
using namespace std::chrono_literals;

namespace {

class TableKeeperFixture : public CniFixture, public LogLines {
public:
    boost::asio::io_context io;
    std::optional<TableKeeper> keeper;

    void keep(TableKeeper::Subject subject)
    {
        keeper.emplace(io, std::move(subject), log);
        boost::asio::co_spawn(io, keeper->run(), boost::asio::detached);
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
        for (const Finding& finding : keeper->findings())
            found.push_back(finding.code);
        return found;
    }
};

// What nft prints of a set or map; nothing where its table is not there.
std::string elements(const NetnsFixture& fixture, const std::string& table, const std::string& set)
{
    const std::string tables = fixture.output("nft list tables");
    return tables.find("table " + table + "\n") == std::string::npos ? "" : fixture.output("nft list " + set);
}

class HostPortKeeperFixture : public TableKeeperFixture {
public:
    HostPortKeeperFixture()
    {
        config["runtimeConfig"]["portMappings"] = {{{"hostPort", 8080}, {"containerPort", 80}}};
        keep(host_port_tables(host_ports(), log));
    }

    bool is_open() const
    {
        return elements(*this, "inet routelet-hostports", "map inet routelet-hostports all4")
                   .find("tcp . 8080") != std::string::npos;
    }
};

class SpoofCheckKeeperFixture : public TableKeeperFixture {
public:
    SpoofCheckKeeperFixture()
    {
        config["spoofCheck"] = true;
        keep(spoof_check_tables());
    }

    bool is_checked(const std::string& address = "10.244.1.2") const
    {
        return elements(*this, "bridge routelet-spoof-check", "set bridge routelet-spoof-check addresses4")
                   .find(address) != std::string::npos;
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

TEST_CASE_METHOD(SpoofCheckKeeperFixture, "what a flush let pods send is stopped again at once",
                 "[kernel][cni][spoof-check]")
{
    io.run_for(50ms);
    CHECK(output("nft list tables").empty()); // nothing to check yet
    CHECK_FALSE(has_spoof_check_tables());
    const PodNetns pod = make_pod_netns();
    add("pod", pod);
    CHECK(has_spoof_check_tables());
    io.run_for(2500ms); // it looks at what the plugin has done
    CHECK(lines.empty());

    run("nft flush ruleset");
    CHECK_FALSE(is_checked());
    work_until([&] { return is_checked(); });
    REQUIRE(lines.size() == 1);
    CHECK_THAT(
        lines[0],
        has_text("level=warn event=spoof-check-restored found=\"the table is missing\" by=\"nft (pid "));
    require_reaches(pod, {"10.244.1.1", "fd00:1::1"});
}

TEST_CASE_METHOD(SpoofCheckKeeperFixture, "elements of pods that went are swept without a word",
                 "[kernel][cni][spoof-check]")
{
    const PodNetns one = make_pod_netns();
    const PodNetns two = make_pod_netns();
    add("one", one);
    del("one", one.path());
    add("two", two);
    CHECK(is_checked()); // 10.244.1.2
    work_until([&] { return !is_checked(); });
    CHECK(is_checked("10.244.1.3")); // and the table is there
    CHECK(lines.empty());
    CHECK(codes().empty());
}

TEST_CASE_METHOD(SpoofCheckKeeperFixture, "who lets pods send again and again is told of",
                 "[kernel][cni][spoof-check]")
{
    const PodNetns pod = make_pod_netns();
    add("pod", pod);
    for (int i = 0; i < 4; ++i) {
        run("nft flush ruleset");
        work_until([&] { return is_checked(); });
    }
    CHECK(codes() == std::vector<std::string>{"spoof-check-fight"});
}
