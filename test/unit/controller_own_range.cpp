#include "controller/own_range.h"
#include "test/support/catch.h"

using namespace routelet;
using namespace routelet::controller;
using namespace routelet::test;

TEST_CASE("a range that the bridge still has after the podCIDR changed is a finding", "[own-range]")
{
    constexpr netlink::IfIndex eth0{2};
    constexpr netlink::IfIndex bridge{4};
    const OnLinkNetwork lan = {"192.168.1.0/24"_net, eth0, "eth0", false};
    const OnLinkNetwork old_range = {"10.244.1.0/24"_net, bridge, "v-net-0", true};
    const OnLinkNetwork new_range = {"10.244.21.0/24"_net, bridge, "v-net-0", true};
    const auto codes = [&](const std::vector<OnLinkNetwork>& networks, const std::vector<IpPrefix>& own) {
        const Plan plan{.routes = {}, .own_pod_cidrs = own, .verdicts = {}};
        return find_old_ranges(plan, {.addresses = {}, .networks = networks, .gateways = {}}, "node01");
    };

    CHECK(codes({lan}, {"10.244.21.0/24"_net}).empty());
    CHECK(codes({lan, new_range}, {"10.244.21.0/24"_net}).empty());
    CHECK(codes({lan, old_range}, {}).empty()); // the Node is away for a moment

    const auto findings = codes({lan, old_range, new_range}, {"10.244.21.0/24"_net});
    REQUIRE(findings.size() == 1);
    CHECK(findings[0].code == "pod-cidr-changed");
    CHECK_THAT(findings[0].detail, has_text("v-net-0 has 10.244.1.0/24"));
    CHECK_THAT(findings[0].detail, has_text("10.244.21.0/24 now"));
    CHECK_THAT(findings[0].remedy, has_text("spec.nodeName=node01"));
}
