// Many events, and a client that has no time for them.
#include "test/lab/wire.h"

#include <thread>

using namespace routelet;
using namespace routelet::test;

namespace {

constexpr std::size_t burst = 100;

// As a kubelet reports: nothing of it matters to routing.
void send_heartbeats(Lab& lab, std::size_t count)
{
    static unsigned sent = 0;
    for (std::size_t i = 0; i < count; ++i) {
        Json beating = node("node01", "10.244.1.0/24");
        beating["status"]["conditions"] = {
            {{"type", "Ready"}, {"status", "True"}, {"message", std::to_string(++sent)}}};
        lab.put(beating);
    }
}

} // namespace

TEST_CASE("thousands of heartbeats are kept up with, on one watch", "[k8sclient][lab][F77]")
{
    constexpr std::size_t bursts = 30;
    const k8s::ReflectorOptions options = GENERATE(from_range(every_way()));
    Lab lab;
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::watching));
    const std::size_t requests = lab.server->requests().size();
    for (std::size_t i = 0; i < bursts; ++i) {
        send_heartbeats(lab, burst);
        reflection.loop.poll();
    }
    lab.put("node03", "10.244.3.0/24");
    CHECK(reflection.sees_truth());
    CHECK(reflection.seen.upserts == bursts * burst + 1); // none is lost, none comes twice
    CHECK(lab.server->requests().size() == requests);
    reflection.expect_healed();
}

TEST_CASE("what happens while nobody reads is read afterwards, also on another watch",
          "[k8sclient][lab][F78]")
{
    const k8s::ReflectorOptions options = GENERATE(from_range(every_way()));
    const bool is_dropped = GENERATE(false, true); // as a server does to a client that is too slow for it
    CAPTURE(is_dropped);
    Lab lab;
    if (is_dropped)
        inject_watching(lab, options, {.what = Fault::What::end, .times = 1, .after_frames = burst});
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::watching));
    lab.remove("node02");
    send_heartbeats(lab, 3 * burst);
    lab.put("node03", "10.244.3.0/24");
    std::this_thread::sleep_for(300ms); // the time in which the server sends
    CHECK(reflection.sees_truth());
    CHECK(reflection.seen.count(What::closed) == (is_dropped ? 1 : 0));
    CHECK(reflection.seen.upserts == 3 * burst + 1);
    CHECK(reflection.seen.replacements == 1);
    reflection.expect_healed();
}
