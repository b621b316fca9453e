// The agent's sweep on a node whose pods went without a DEL.
#include "controller/reservation_sweep.h"

#include "test/kernel/cni_fixture.h"
#include "test/support/log_lines.h"

#include <sys/file.h>

#include <fcntl.h>

using namespace routelet;
using namespace routelet::controller;
using namespace routelet::test;
using namespace std::chrono_literals;

namespace {

using Names = std::set<std::string>;

class SweepFixture : public CniFixture, public LogLines {
public:
    ReservationSweep sweep{{.folder = state(), .host_ports = host_ports()}, log};
    ReservationSweep::Clock::time_point now = ReservationSweep::Clock::now();

    SweepFixture() { config["ipam"]["ranges"] = nlohmann::json::parse(R"([[{"subnet": "10.244.1.0/24"}]])"); }

    // As the agent does for that long, every two minutes.
    void look_for(std::chrono::minutes time)
    {
        for (const auto end = now + time; now <= end; now += 2min)
            sweep.look(now);
    }
    void age(const std::string& container) const
    {
        const auto old = std::filesystem::file_time_type::clock::now() - 1h;
        std::filesystem::last_write_time(state() / "by-id" / (container + ":eth0"), old);
    }
    // A pod whose namespace goes, and its interface with it, while nobody calls the plugin.
    void lose(const std::string& container)
    {
        std::optional<PodNetns> pod = make_pod_netns();
        add(container, *pod);
        const std::size_t before = veths().size();
        pod.reset();
        until([&] { return veths().size() < before; });
        age(container);
    }
    static void until(const std::function<bool()>& is_so)
    {
        const auto deadline = std::chrono::steady_clock::now() + 10s;
        while (!is_so())
            REQUIRE(std::chrono::steady_clock::now() < deadline);
    }
    std::vector<std::string> codes() const
    {
        std::vector<std::string> found;
        for (const Finding& finding : sweep.findings())
            found.push_back(finding.code);
        return found;
    }
};

} // namespace

TEST_CASE_METHOD(SweepFixture, "the addresses of pods that went without a DEL are freed after ten minutes",
                 "[kernel][cni]")
{
    const PodNetns living = make_pod_netns();
    add("living", living);
    age("living");
    lose("lost");
    CHECK(reservations() == Names{"10.244.1.2", "10.244.1.3"});

    look_for(8min);
    CHECK(reservations() == Names{"10.244.1.2", "10.244.1.3"});
    CHECK(codes() == std::vector<std::string>{"reservations-abandoned"});
    CHECK(lines.empty());

    look_for(2min);
    CHECK(reservations() == Names{"10.244.1.2"});
    CHECK_FALSE(std::filesystem::exists(state() / "by-id" / "lost:eth0"));
    CHECK(codes().empty());
    REQUIRE(lines.size() == 1);
    CHECK_THAT(
        lines[0],
        has_text("event=reservation-freed address=10.244.1.3 container=lost interface=eth0 absent_s=600"));
    run_in(living, "ping -q -c 1 -W 2 10.244.1.1 >/dev/null");

    const PodNetns next = make_pod_netns(); // and they rest, as after a DEL
    CHECK(add("next", next)["ips"][0]["address"] == "10.244.1.4/24");
}

TEST_CASE_METHOD(SweepFixture, "a node whose addresses all leaked gets them back", "[kernel][cni]")
{
    config["ipam"]["ranges"] = nlohmann::json::parse(R"([[{"subnet": "10.244.1.0/29"}]])");
    for (const char* container : {"a", "b", "c", "d", "e"})
        lose(container);
    CHECK(call("STATUS", "", "").code() == 50); // and so no ADD comes
    look_for(10min);
    CHECK(reservations().empty());
    CHECK(call("STATUS", "", "").exit_code == 0);
}

TEST_CASE_METHOD(SweepFixture, "a living pod's address is never freed", "[kernel][cni]")
{
    const PodNetns pod = make_pod_netns();
    add("one", pod);
    age("one");
    const PodNetns elsewhere = make_pod_netns();
    const std::string veth = cni::host_interface_name({"one", "eth0"});

    SECTION("not when its interface was renamed")
    {
        run("ip link set " + veth + " down && ip link set " + veth + " name other0");
    }
    SECTION("not when its alias was changed")
    {
        run("ip link set " + veth + " alias other");
    }
    SECTION("not when both were, and the address is all that is left")
    {
        run("ip link set " + veth + " down && ip link set " + veth +
            " name other0 && "
            "ip link set other0 alias other");
    }
    SECTION("not when it is on another bridge, or none")
    {
        run("ip link set " + veth + " nomaster");
    }
    SECTION("not when its interface was deleted by hand: the cluster still has that address for its own")
    {
        run("ip link del " + veth);
        look_for(2min);
        CHECK_THAT(sweep.findings().at(0).detail, has_text("1 network namespaces have no interface"));
    }
    SECTION("not when its interface was moved away")
    {
        run("ip link set " + veth + " netns " + elsewhere.path());
    }
    SECTION("not when another of its interfaces is there")
    {
        auto environment = environment_of("ADD", "one", pod.path());
        environment["CNI_IFNAME"] = "net1";
        CHECK(CniCall(environment, config.dump()).wait().exit_code == 0);
        run("ip link del " + veth);
    }
    const Names before = reservations();
    look_for(60min);
    CHECK(reservations() == before);
    CHECK(lines.empty());
}

TEST_CASE_METHOD(SweepFixture, "what is young is left alone, whatever the clock says", "[kernel][cni]")
{
    SECTION("files that were just written, as by an ADD that has not come to its interface")
    {
        lose("lost");
        std::filesystem::last_write_time(state() / "by-id" / "lost:eth0",
                                         std::filesystem::file_time_type::clock::now());
        look_for(60min);
    }
    SECTION("files that look old, because the clock was set")
    {
        lose("lost");
        look_for(8min);
    }
    SECTION("those that had an interface in between")
    {
        lose("lost");
        look_for(8min);
        const PodNetns again = make_pod_netns();
        CHECK(call("ADD", "lost", again.path()).exit_code == 0);
        age("lost");
        look_for(1min);
        run("ip link del " + cni::host_interface_name({"lost", "eth0"}));
        look_for(8min);
    }
    CHECK(reservations() == Names{"10.244.1.2"});
    CHECK(lines.empty());
}

TEST_CASE_METHOD(SweepFixture, "files of another plugin are not the sweep's", "[kernel][cni]")
{
    lose("lost");
    std::ofstream(state() / "10.244.1.9") << "old-pod\r\neth0"; // without an index of ours
    std::ofstream(state() / "10.244.1.10") << "";
    look_for(60min);
    CHECK(reservations() == Names{"10.244.1.9", "10.244.1.10"});
}

TEST_CASE_METHOD(SweepFixture, "the sweep waits for nobody who has the lock, and comes again",
                 "[kernel][cni]")
{
    lose("lost");
    look_for(8min);
    const UniqueFd lock(::open((state() / "lock").c_str(), O_RDWR | O_CLOEXEC));
    REQUIRE(::flock(lock.fd(), LOCK_EX) == 0);
    const auto start = std::chrono::steady_clock::now();
    look_for(2min);
    CHECK(std::chrono::steady_clock::now() - start < 1s); // the plugin has ten
    CHECK(reservations() == Names{"10.244.1.2"});
    CHECK(codes() == std::vector<std::string>{"reservations-abandoned"});
    REQUIRE(::flock(lock.fd(), LOCK_UN) == 0);
    look_for(0min);
    CHECK(reservations().empty());
}

TEST_CASE_METHOD(SweepFixture, "a node without the plugin's folder has nothing to sweep", "[kernel][cni]")
{
    look_for(60min);
    CHECK_FALSE(std::filesystem::exists(state()));
    CHECK(codes().empty());
}

TEST_CASE_METHOD(SweepFixture, "a folder that cannot be used is a finding until it can", "[kernel][cni]")
{
    lose("lost");
    std::filesystem::remove(state() / "lock");
    std::filesystem::create_directory(state() / "lock");
    look_for(10min);
    CHECK(codes() == std::vector<std::string>{"reservations-unchecked"});
    std::filesystem::remove(state() / "lock");
    look_for(0min);
    CHECK(codes().empty());
    CHECK(reservations().empty());
}
