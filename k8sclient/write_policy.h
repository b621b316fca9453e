#pragma once
#include "k8sclient/reflector_policy.h"

#include <chrono>

// What is done after a write that failed. Pure.
namespace routelet::k8s {

// After a patch of a Node's status.
enum class AfterPatch {
    again_at_once, // somebody else wrote in the same moment
    back_off,      // the server, or the way to it
    wait_for_node, // the Node is gone, or is another one: the watch will tell
    wait_long,     // a right is missing, or the patch is wrong: what time alone does not heal
};
AfterPatch after_status_patch(const Failure& failure);

// How long the next patch of a status waits after which failure.
class PatchPacing {
public:
    static constexpr unsigned most_conflicts = 5; // one after the other, that are answered at once
    static constexpr std::chrono::minutes long_wait{5};

    // `jitter` is from [1, 2).
    std::chrono::milliseconds after(const Failure& failure, double jitter);
    void succeeded() { *this = {}; }

private:
    unsigned conflicts_ = 0;
    Backoff backoff_{std::chrono::seconds(1), std::chrono::seconds(60)};
};

// After an Event that was not accepted.
enum class AfterEvent {
    back_off,    // the server, or the way to it
    is_there,    // an earlier attempt arrived, and its answer did not
    create_anew, // what was to be counted on is gone: Events live for an hour
    drop,        // it will never be accepted
};
struct EventAttempt {
    bool is_patch = false; // of an Event that was created before
    unsigned tries = 1;    // so far, this one included

    static constexpr unsigned most_tries = 12;
};
AfterEvent after_event(const Failure& failure, EventAttempt attempt);

} // namespace routelet::k8s
