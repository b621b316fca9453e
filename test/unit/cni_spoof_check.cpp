#include "cni/living.h"
#include "cni/spoof_check_table.h"
#include "test/support/catch.h"

using namespace routelet;
using namespace routelet::cni;
using namespace routelet::test;
using netlink::MacAddress;

TEST_CASE("a MAC address and its link-local address tell each other", "[cni][spoof-check]")
{
    const auto [mac, address] = GENERATE(table<std::string, std::string>({
        {"0a:58:0a:f4:01:07", "fe80::858:aff:fef4:107"}, // the bit for "universal" is turned
        {"00:00:00:00:00:00", "fe80::200:ff:fe00:0"},
        {"fe:ff:ff:ff:ff:ff", "fe80::fcff:ffff:feff:ffff"},
    }));
    const auto parsed = need(MacAddress::parse(mac));
    CHECK(link_local_of(parsed) == need(IpAddress::parse(address)));
    CHECK(mac_in(need(IpAddress::parse(address))) == parsed);
}

TEST_CASE("an address that is made of no MAC address tells none", "[cni][spoof-check]")
{
    const auto address = GENERATE("10.244.1.7", "::", "fe80::1", "fd00::858:aff:fef4:107",
                                  "fe80:1::858:aff:fef4:107", "fe80::858:aff:fff4:107");
    CAPTURE(address);
    CHECK_FALSE(mac_in(need(IpAddress::parse(address))).has_value());
}

TEST_CASE("further names of a link tell a pod's addresses", "[cni][spoof-check]")
{
    const auto address = GENERATE("10.244.1.7", "fd00:1::7", "fe80::858:aff:fef4:107");
    CAPTURE(address);
    CHECK(address_in(living_name(need(IpAddress::parse(address)))) == need(IpAddress::parse(address)));
    for (const char* other : {"", "pod-", "pod", "pod-web", "eth0", "10.244.1.7", "pod-10.244.1.7/24"})
        CHECK_FALSE(address_in(other).has_value());
}

TEST_CASE("addresses that pods may send from are a link and an address, each once and in order",
          "[cni][spoof-check]")
{
    PodSources sources;
    sources.add("vethb", "10.244.1.8"_ip);
    sources.add("vetha", "10.244.1.9"_ip);
    sources.add("vethb", "10.244.1.8"_ip);
    sources.add("vethb", "fd00::8"_ip);

    REQUIRE(sources.ipv4.size() == 2);
    CHECK(sources.ipv4[0].key ==
          std::vector<std::uint8_t>{'v', 'e', 't', 'h', 'a', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 244, 1, 9});
    CHECK(link_in(sources.ipv4[1]) == "vethb");
    REQUIRE(sources.ipv6.size() == 1);
    CHECK(sources.ipv6[0].key.size() == 32);
    CHECK(link_in({.key = std::vector<std::uint8_t>(16, 'x')}) == "xxxxxxxxxxxxxxxx"); // no end: all of it
}

TEST_CASE("only what differs is changed", "[cni][spoof-check]")
{
    PodSources one;
    one.add("vetha", "10.244.1.7"_ip);
    PodSources two = one;
    CHECK(change_spoof_check_table(one, two).empty());
    two.add("vetha", "fd00::7"_ip);
    CHECK(change_spoof_check_table(one, two).size() == 1);
    CHECK(change_spoof_check_table({}, two).size() == 2);
}
