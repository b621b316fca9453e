// What a network does to a watch, in a network namespace of the test's own.
#include "test/lab/reflection.h"
#include "test/support/netns_fixture.h"

#include <sched.h>
#include <sys/mount.h>

#include <fstream>
#include <string>

using namespace routelet;
using namespace routelet::test;

namespace {

// A file of hosts(5) that only this thread, and those that it starts, see as /etc/hosts.
class PrivateHosts {
public:
    PrivateHosts()
    {
        write("127.0.0.1 localhost");
        REQUIRE(::unshare(CLONE_NEWNS) == 0);
        REQUIRE(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0);
        REQUIRE(::mount(file_.c_str(), "/etc/hosts", nullptr, MS_BIND, nullptr) == 0);
    }
    // In place: what is mounted is this file, and none that takes its name.
    void write(const std::string& line) const { std::ofstream(file_) << line << "\n"; }

private:
    TemporaryDirectory directory_;
    std::filesystem::path file_ = directory_.path / "hosts";
};

} // namespace

TEST_CASE_METHOD(NetnsFixture, "a watch whose packets are lost is noticed within 35 seconds, and resumed",
                 "[kernel][k8sclient][F9]")
{
    Lab lab;
    Reflection reflection(lab, quick(Encoding::protobuf, true));
    REQUIRE(reflection.sees_notice(What::watching));
    REQUIRE(reflection.sees_truth());

    run("nft 'table inet lost { chain input { type filter hook input priority 0; iifname lo drop; }; }'");
    const auto lost = std::chrono::steady_clock::now();
    lab.put("node03", "10.244.3.0/24");
    REQUIRE(reflection.sees([&] { return reflection.seen.count(What::failed) > 0; }, 60s));
    CHECK(std::chrono::steady_clock::now() - lost < 35s);
    CHECK(reflection.seen.nodes == both);

    run("nft delete table inet lost");
    CHECK(reflection.sees_truth());
    CHECK(lab.lists() == 0);
    CHECK(reflection.seen.replacements == 1);
    reflection.expect_healed();
}

TEST_CASE_METHOD(NetnsFixture,
                 "a server is looked for under its name again each time, and may be gone meanwhile",
                 "[kernel][k8sclient][F15]")
{
    const PrivateHosts hosts;
    Lab lab({.names = {"api.example.com"}});
    const std::string port = std::to_string(lab.server->port());
    k8s::ClusterConfig config = lab.config();
    need(k8s::override_servers(config, {"https://api.example.com:" + port}));
    hosts.write("127.0.0.1 api.example.com");
    Reflection reflection(lab, std::move(config), quick(Encoding::protobuf, true));
    REQUIRE(reflection.sees_truth());

    hosts.write("127.0.0.1 localhost");
    lab.restart();
    REQUIRE(reflection.sees_notice(What::failed, 2));
    CHECK_THAT(reflection.seen.trouble(), has_text("api.example.com"));
    CHECK(reflection.seen.nodes == both);

    lab.server.reset();
    lab.options.listen = "127.0.0.3:" + port;
    lab.server.emplace(lab.options);
    hosts.write("127.0.0.3 api.example.com");
    lab.put("node03", "10.244.3.0/24");
    CHECK(reflection.sees_truth());
    reflection.expect_healed();
}
