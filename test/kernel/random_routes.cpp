// Thousands of random things that happen to nodes, to the machine's network and to the agent, on the real
// kernel. After each, the routes must be those that a plain restatement of the rules wants, nobody else's may
// have changed, and packets of nodes that did not change must not have been lost for a moment.
//
// The seeds are always the same; ROUTELET_RANDOM_SEED=N takes that one only, ROUTELET_RANDOM_STEPS=N as many
// steps.
#include "test/kernel/random_run.h"
#include "test/support/catch.h"
#include "test/support/environment.h"

#include <cstdlib>

using namespace routelet;
using namespace routelet::test;

namespace {

std::vector<std::uint64_t> seeds()
{
    if (std::getenv("ROUTELET_RANDOM_SEED") != nullptr)
        return {number_in_environment("ROUTELET_RANDOM_SEED", 0)};
    return {1, 2, 3, 4, 5, 6, 7, 8};
}

} // namespace

TEST_CASE("whatever happens, our routes are the planned ones, and nobody else's have changed",
          "[kernel][random]")
{
    const std::uint64_t steps = number_in_environment("ROUTELET_RANDOM_STEPS", 400);
    std::size_t overruns = 0;
    std::size_t holds = 0;
    for (const std::uint64_t seed : seeds()) {
        const auto began = random_run::Clock::now();
        random_run::RandomRun run(seed);
        run.go(steps);
        overruns += run.overruns();
        holds += run.holds();
        CHECK(run.most_routes() > 4);
        const auto took =
            std::chrono::duration_cast<std::chrono::milliseconds>(random_run::Clock::now() - began);
        UNSCOPED_INFO("seed " << seed << ": " << took.count() << " ms, " << run.route_events()
                              << " route events, " << run.restarts() << " starts, " << run.overruns()
                              << " overruns, " << run.holds() << " holds");
    }
    // Otherwise some of this has not been tried.
    if (seeds().size() > 1) {
        CHECK(overruns > 0);
        CHECK(holds > 0);
    }
}
