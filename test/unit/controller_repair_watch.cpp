#include "controller/repair_watch.h"
#include "test/support/catch.h"

using namespace routelet;
using namespace routelet::controller;
using namespace routelet::test;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

const IpPrefix pods = "10.244.2.0/24"_net;
const IpPrefix others = "10.244.3.0/24"_net;

// When a route was lost, in seconds, and what came of it: the pause before its repair, 0 for none.
struct Loss {
    int at = 0;
    int pause = 0;
};

} // namespace

TEST_CASE(
    "a route that is lost now and then is put back at once, one that is fought over more and more slowly",
    "[repair]")
{
    const auto losses = GENERATE(values<std::vector<Loss>>({
        {{0, 0}, {1, 0}, {2, 0}, {3, 0}, {4, 1}, {6, 2}, {9, 4}, {14, 8}, {23, 16}, {40, 30}, {71, 30}},
        {{0, 0}, {100, 0}, {200, 0}, {300, 0}, {400, 0}, {500, 0}},   // once in a while
        {{0, 0}, {1, 0}, {2, 0}, {3, 0}, {4, 1}, {200, 0}, {201, 0}}, // over, and forgotten
    }));
    RepairWatch watch;
    const RepairWatch::Clock::time_point start(seconds(1000));
    for (const Loss& loss : losses) {
        CAPTURE(loss.at);
        const auto now = start + seconds(loss.at);
        (void)watch.take_due(now);
        const auto fight = watch.note_loss(pods, now);
        CHECK((fight ? fight->pause : milliseconds(0)) == seconds(loss.pause));
        CHECK(watch.holds(pods, now) == (loss.pause > 0));
        CHECK_FALSE(watch.holds(pods, now + seconds(loss.pause)));
        CHECK_FALSE(watch.holds(others, now));
    }
}

TEST_CASE("what waits is due in time, and once", "[repair]")
{
    RepairWatch watch;
    const RepairWatch::Clock::time_point start(seconds(1000));
    for (int i = 0; i < RepairWatch::usual_fight; ++i) {
        (void)watch.note_loss(pods, start);
        (void)watch.note_loss(others, start + milliseconds(300));
    }
    CHECK(watch.due() == start + seconds(1));
    CHECK(watch.take_due(start + milliseconds(999)).empty());
    CHECK(watch.take_due(start + seconds(1)) == std::vector{pods});
    CHECK(watch.due() == start + milliseconds(1300));
    CHECK(watch.take_due(start + seconds(2)) == std::vector{others});
    CHECK(watch.due() == std::nullopt);
}

TEST_CASE("what is lost with a link is no fight", "[repair]")
{
    RepairWatch watch;
    const RepairWatch::Clock::time_point now(seconds(1000));
    for (int i = 0; i < 20; ++i) {
        CHECK_FALSE(watch.note_loss(pods, now));
        watch.forgive();
    }
}
