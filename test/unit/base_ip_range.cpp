#include "base/ip_range.h"
#include "test/support/catch.h"

#include <algorithm>

using namespace routelet;
using namespace routelet::test;

using Ranges = std::vector<IpRange>;

TEST_CASE("prefixes that overlap or touch become one range", "[base]")
{
    CHECK(merged({}).empty());
    CHECK(merged({"10.244.1.0/24"_net}) == Ranges{{"10.244.1.0"_ip, "10.244.1.255"_ip}});
    CHECK(merged({"10.244.0.0/16"_net, "10.244.1.0/24"_net, "10.244.0.0/16"_net}) ==
          Ranges{{"10.244.0.0"_ip, "10.244.255.255"_ip}});
    CHECK(merged({"10.244.1.0/24"_net, "10.244.2.0/24"_net}) == Ranges{{"10.244.1.0"_ip, "10.244.2.255"_ip}});
    CHECK(merged({"fd00::/64"_net, "fd00:0:0:1::/64"_net}) ==
          Ranges{{"fd00::"_ip, "fd00::1:ffff:ffff:ffff:ffff"_ip}});
}

TEST_CASE("prefixes with a gap between them stay apart", "[base]")
{
    CHECK(merged({"10.244.3.0/24"_net, "10.244.1.0/24"_net}) ==
          Ranges{{"10.244.1.0"_ip, "10.244.1.255"_ip}, {"10.244.3.0"_ip, "10.244.3.255"_ip}});
}

TEST_CASE("a prefix inside another one does not shorten it", "[base]")
{
    CHECK(merged({"10.0.0.0/8"_net, "10.1.0.0/16"_net, "10.200.0.0/16"_net}) ==
          Ranges{{"10.0.0.0"_ip, "10.255.255.255"_ip}});
}

TEST_CASE("the top of a family's space neither wraps to its bottom nor runs into the other family", "[base]")
{
    CHECK(merged({"0.0.0.0/8"_net, "255.0.0.0/8"_net}) ==
          Ranges{{"0.0.0.0"_ip, "0.255.255.255"_ip}, {"255.0.0.0"_ip, "255.255.255.255"_ip}});
    CHECK(merged({"240.0.0.0/4"_net, "255.255.255.255/32"_net, "::/8"_net}) ==
          Ranges{{"240.0.0.0"_ip, "255.255.255.255"_ip},
                 {"::"_ip, "00ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"_ip}});
    CHECK(merged({"0.0.0.0/0"_net, "::/0"_net, "ff00::/8"_net}) ==
          Ranges{{"0.0.0.0"_ip, "255.255.255.255"_ip},
                 {"::"_ip, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"_ip}});
}

TEST_CASE("the order of prefixes does not matter", "[base]")
{
    std::vector<IpPrefix> prefixes = {"10.0.0.0/24"_net, "10.0.1.0/24"_net, "10.0.0.0/23"_net,
                                      "10.0.4.0/24"_net};
    const Ranges expected = {{"10.0.0.0"_ip, "10.0.1.255"_ip}, {"10.0.4.0"_ip, "10.0.4.255"_ip}};
    std::ranges::sort(prefixes);
    do
        CHECK(merged(prefixes) == expected);
    while (std::ranges::next_permutation(prefixes).found);
}
