#include "k8sclient/write_policy.h"

#include <string_view>

namespace routelet::k8s {
namespace {

bool says(const Failure& failure, std::string_view words)
{
    return failure.status.message.find(words) != std::string::npos;
}

// A patch with another uid than the Node's is one of an immutable field.
bool is_about_another_node(const Failure& failure)
{
    return (failure.status.code == 422 && says(failure, "metadata.uid")) ||
           (failure.status.code == 409 && says(failure, "UID in precondition"));
}

} // namespace

AfterPatch after_status_patch(const Failure& failure)
{
    if (failure.why != Failure::Why::refused)
        return AfterPatch::back_off;
    if (failure.status.code == 404 || is_about_another_node(failure))
        return AfterPatch::wait_for_node;
    switch (failure.status.code) {
    case 409:
        return AfterPatch::again_at_once;
    case 400:
    case 403:
    case 405:
    case 406:
    case 413:
    case 415:
    case 422:
        return AfterPatch::wait_long;
    default:
        return AfterPatch::back_off;
    }
}

std::chrono::milliseconds PatchPacing::after(const Failure& failure, double jitter)
{
    constexpr double between_conflicts = 5; // ms, doubled by the jitter

    AfterPatch next = after_status_patch(failure);
    conflicts_ = next == AfterPatch::again_at_once ? conflicts_ + 1 : 0;
    if (conflicts_ > most_conflicts)
        next = AfterPatch::back_off;
    switch (next) {
    case AfterPatch::again_at_once:
        return std::chrono::milliseconds(static_cast<std::int64_t>(between_conflicts * jitter));
    case AfterPatch::back_off:
        break;
    case AfterPatch::wait_for_node:
    case AfterPatch::wait_long:
        return long_wait;
    }
    return backoff_.next(jitter, failure.retry_after);
}

AfterEvent after_event(const Failure& failure, EventAttempt attempt)
{
    const bool is_spent = attempt.tries >= EventAttempt::most_tries;
    const AfterEvent later = is_spent ? AfterEvent::drop : AfterEvent::back_off;
    if (failure.why != Failure::Why::refused)
        return later;
    const int code = failure.status.code;
    if (code == 409 && !attempt.is_patch && attempt.tries > 1)
        return AfterEvent::is_there;
    if (code == 404 && attempt.is_patch)
        return AfterEvent::create_anew;
    if (code == 401 || code == 408 || code == 429 || code >= 500)
        return later;
    return AfterEvent::drop;
}

} // namespace routelet::k8s
