#include "controller/nearby_search.h"
#include "test/support/catch.h"

#include <random>
#include <vector>

using namespace routelet::controller;

TEST_CASE("whatever was looked for before, it finds what a search from nowhere finds", "[plan]")
{
    std::minstd_rand random(7); // the same numbers each time
    const auto below = [&](std::size_t bound) { return random() % bound; };
    NearbySearch search;
    for (std::size_t round = 0; round < 2000; ++round) {
        std::vector<std::size_t> sorted(below(20)); // and another size than the last one's
        for (std::size_t& number : sorted)
            number = below(40);
        std::ranges::sort(sorted);
        std::size_t wanted = below(40);
        for (std::size_t i = 0; i < 10; ++i) {
            wanted = below(2) == 0 ? wanted + below(3) : below(42); // in order for a while, then anywhere
            CAPTURE(round, i, wanted, sorted);
            const auto found = search(sorted, [&](std::size_t number) { return number < wanted; });
            REQUIRE(found == std::ranges::lower_bound(sorted, wanted));
        }
    }
}
