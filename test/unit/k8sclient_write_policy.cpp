#include "k8sclient/write_policy.h"
#include "test/support/catch.h"

using namespace routelet;
using namespace routelet::k8s;
using namespace routelet::test;
using namespace std::chrono_literals;

namespace {

Failure refused(int code, std::string message = "no", std::optional<std::chrono::seconds> retry_after = {})
{
    Failure failure;
    failure.why = Failure::Why::refused;
    failure.status = {.code = code, .message = std::move(message)};
    failure.retry_after = retry_after;
    return failure;
}

Failure other(Failure::Why why)
{
    Failure failure;
    failure.why = why;
    return failure;
}

} // namespace

TEST_CASE("what a failed patch of a status leads to", "[k8sclient][F80][F81][F82][F83][F84][F85]")
{
    struct Row {
        Failure failure;
        AfterPatch next;
    };
    const auto row = GENERATE(values<Row>({
        {other(Failure::Why::transport), AfterPatch::back_off},
        {other(Failure::Why::undecodable), AfterPatch::back_off},
        {other(Failure::Why::ignored), AfterPatch::back_off},
        {refused(409), AfterPatch::again_at_once},
        {refused(409, "Precondition failed: UID in precondition: a, UID in object meta: b"),
         AfterPatch::wait_for_node},
        {refused(404), AfterPatch::wait_for_node},
        {refused(422, "Node \"a\" is invalid: metadata.uid: Invalid value: \"b\": field is immutable"),
         AfterPatch::wait_for_node},
        {refused(422, "Node \"a\" is invalid: status"), AfterPatch::wait_long},
        {refused(400), AfterPatch::wait_long},
        {refused(403), AfterPatch::wait_long},
        {refused(405), AfterPatch::wait_long},
        {refused(413), AfterPatch::wait_long},
        {refused(415), AfterPatch::wait_long},
        {refused(401), AfterPatch::back_off},
        {refused(408), AfterPatch::back_off},
        {refused(429), AfterPatch::back_off},
        {refused(500), AfterPatch::back_off},
        {refused(503), AfterPatch::back_off},
        {refused(301), AfterPatch::back_off},
    }));
    CAPTURE(row.failure.status.code, row.failure.status.message);
    CHECK(after_status_patch(row.failure) == row.next);
}

TEST_CASE("patches wait as long as their failures say", "[k8sclient][F80]")
{
    PatchPacing pacing;
    SECTION("conflicts are tried again at once, a few times")
    {
        for (unsigned i = 0; i < PatchPacing::most_conflicts; ++i)
            CHECK(pacing.after(refused(409), 1.5) == 7ms);
        CHECK(pacing.after(refused(409), 1.5) == 1500ms);
        CHECK(pacing.after(refused(409), 1.5) == 3s);
        pacing.succeeded();
        CHECK(pacing.after(refused(409), 1) == 5ms);
    }
    SECTION("another failure between them begins the count anew")
    {
        for (int i = 0; i < 20; ++i) {
            CHECK(pacing.after(refused(409), 1) == 5ms);
            (void)pacing.after(refused(404), 1);
        }
    }
    SECTION("a server in trouble is waited for longer and longer, and as long as it asks")
    {
        CHECK(pacing.after(other(Failure::Why::transport), 1) == 1s);
        CHECK(pacing.after(refused(500), 1) == 2s);
        CHECK(pacing.after(refused(429, "", 30s), 1) == 30s);
        for (int i = 0; i < 10; ++i)
            (void)pacing.after(refused(500), 1);
        CHECK(pacing.after(refused(500), 1) == 60s);
        CHECK(pacing.after(refused(429, "", 99999s), 1) == 60s);
        pacing.succeeded();
        CHECK(pacing.after(refused(500), 1) == 1s);
    }
    SECTION("what time does not heal waits for minutes")
    {
        CHECK(pacing.after(refused(403), 1) == PatchPacing::long_wait);
        CHECK(pacing.after(refused(404), 1) == PatchPacing::long_wait);
        CHECK(pacing.after(refused(415), 1) == PatchPacing::long_wait);
    }
}

TEST_CASE("what becomes of an Event that was not accepted", "[k8sclient][F88]")
{
    struct Row {
        Failure failure;
        EventAttempt attempt;
        AfterEvent next;
    };
    const auto row = GENERATE(values<Row>({
        {other(Failure::Why::transport), {}, AfterEvent::back_off},
        {other(Failure::Why::transport), {.tries = 11}, AfterEvent::back_off},
        {other(Failure::Why::transport), {.tries = 12}, AfterEvent::drop},
        {other(Failure::Why::undecodable), {}, AfterEvent::back_off},
        {refused(429), {}, AfterEvent::back_off},
        {refused(429), {.tries = 12}, AfterEvent::drop},
        {refused(401), {}, AfterEvent::back_off},
        {refused(500), {}, AfterEvent::back_off},
        {refused(504), {.is_patch = true}, AfterEvent::back_off},
        {refused(403), {}, AfterEvent::drop},
        {refused(403), {.is_patch = true}, AfterEvent::drop},
        {refused(404), {}, AfterEvent::drop}, // the namespace
        {refused(404), {.is_patch = true}, AfterEvent::create_anew},
        {refused(409), {}, AfterEvent::drop},
        {refused(409), {.tries = 2}, AfterEvent::is_there},
        {refused(409), {.is_patch = true, .tries = 2}, AfterEvent::drop},
        {refused(400), {}, AfterEvent::drop},
        {refused(413), {}, AfterEvent::drop},
        {refused(415), {}, AfterEvent::drop},
        {refused(422), {}, AfterEvent::drop},
    }));
    CAPTURE(row.failure.status.code, row.attempt.is_patch, row.attempt.tries);
    CHECK(after_event(row.failure, row.attempt) == row.next);
}
