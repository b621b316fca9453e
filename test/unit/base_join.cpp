#include "base/join.h"

#include "base/ip.h"
#include "test/support/catch.h"

#include <vector>

using namespace routelet;
using namespace routelet::test;

TEST_CASE("a list in one text has something between its items, and nowhere else", "[base]")
{
    using Texts = std::vector<std::string>;
    CHECK(joined(Texts{}).empty());
    CHECK(joined(Texts{"a"}) == "a");
    CHECK(joined(Texts{"a", "b", "c"}) == "a, b, c");
    CHECK(joined(Texts{"a", "b"}, "; ") == "a; b");
    CHECK(joined(std::vector{"10.244.1.0/24"_net, "fd00::/64"_net}, ",", &IpPrefix::to_string) ==
          "10.244.1.0/24,fd00::/64");

    std::string list;
    append_item(list, "a");
    CHECK(list == "a");
    append_item(list, "b");
    append_item(list, "c", ":");
    CHECK(list == "a, b:c");
}
