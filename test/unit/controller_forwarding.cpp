#include "base/file.h"
#include "controller/forwarding.h"
#include "test/support/catch.h"
#include "test/support/nodes.h"
#include "test/support/temporary_directory.h"

using namespace routelet;
using namespace routelet::controller;
using namespace routelet::test;

namespace {

// /proc/sys/net/ipv6/conf of a machine with two links.
struct Conf : TemporaryDirectory {
    Conf()
    {
        set("all/forwarding", "0");
        set("eth0/force_forwarding", "0");
        set("eth1/force_forwarding", "0");
    }
    void set(const std::string& setting, const std::string& value) const
    {
        std::filesystem::create_directories((path / setting).parent_path());
        REQUIRE(write_file_atomically(path / setting, value + "\n"));
    }
};

} // namespace

TEST_CASE("IPv6 forwarding that is off is a finding of a router", "[forwarding]")
{
    constexpr netlink::IfIndex eth0{2};
    constexpr netlink::IfIndex eth1{3};
    const LocalFacts local = {.addresses = {},
                              .networks = {{"192.168.1.0/24"_net, eth0, "eth0", false},
                                           {"fd00:192:168:1::/64"_net, eth0, "eth0", false},
                                           {"fd00:192:168:2::/64"_net, eth1, "eth1", false}},
                              .gateways = {}};
    const PlannedRoute ipv4 = {"10.244.1.0/24"_net, "192.168.1.11"_ip, eth0, named("node01")};
    const PlannedRoute ipv6 = {"fd00:10:244:1::/64"_net, "fd00:192:168:1::11"_ip, eth0, named("node01")};
    const PlannedRoute ipv6_far = {"fd00:10:244:3::/64"_net, "fd00:192:168:2::13"_ip, eth1, named("node03")};
    const Conf conf;
    const auto find = [&](const std::vector<PlannedRoute>& routes) {
        return find_forwarding_off({.routes = routes, .own_pod_cidrs = {}, .verdicts = {}}, local, conf.path);
    };

    const auto findings = find({ipv4, ipv6, ipv6_far});
    REQUIRE(findings.size() == 1);
    CHECK(findings[0].code == "forwarding-off");
    CHECK_THAT(findings[0].detail, has_text("through eth0, eth1 "));
    CHECK_THAT(findings[0].remedy, has_text("sysctl -w net.ipv6.conf.all.forwarding=1"));

    CHECK(find({ipv4}).empty()); // the agent switches that on itself

    SECTION("switched on for all")
    {
        conf.set("all/forwarding", "1");
        CHECK(find({ipv6, ipv6_far}).empty());
    }
    SECTION("forced for one link, for both")
    {
        conf.set("eth0/force_forwarding", "1");
        CHECK(find({ipv6}).empty());
        REQUIRE(find({ipv6, ipv6_far}).size() == 1);
        CHECK_THAT(find({ipv6, ipv6_far})[0].detail, has_text("through eth1 "));
        conf.set("eth1/force_forwarding", "1");
        CHECK(find({ipv6, ipv6_far}).empty());
    }
    SECTION("a kernel without IPv6 has nothing to say")
    {
        std::filesystem::remove_all(conf.path / "all");
        CHECK(find({ipv6}).empty());
    }
}
