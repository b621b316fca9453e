#pragma once
#include "k8sclient/event.h"

#include <chrono>
#include <cstddef>
#include <list>
#include <optional>
#include <set>
#include <string>

namespace routelet::k8s {

// Keeps what is told bounded, whatever happens, as client-go does (tools/record/events_cache.go): the same
// again counts on, much that is alike becomes one, and of one object no more than a few come in a time. Pure:
// time is passed in. Remembers a bounded number of things, those that were met last.
class EventCorrelator {
public:
    static constexpr std::size_t most_keys = 32;
    static constexpr std::size_t most_similar =
        10; // that differ in their message only, within `similar_time`
    static constexpr std::chrono::seconds similar_time{600};
    static constexpr unsigned burst = 25;                   // of one object
    static constexpr std::chrono::seconds refill_time{300}; // for one more

    // What to write: a new Event, or one that has the name of an earlier one and a higher count. Nothing when
    // there were too many of that object.
    std::optional<Event> observe(EventNote note, Moment now);

private:
    // Of what is alike but for the message: which messages there were.
    struct Similar {
        EventNote key; // its message is empty
        std::set<std::string> messages;
        std::chrono::steady_clock::time_point last;
    };
    struct Known {
        EventNote key; // what is combined has no message here
        Event event;
    };
    struct Bucket {
        std::string object_uid;
        double tokens = burst;
        std::chrono::steady_clock::time_point filled;
    };

    bool is_one_too_many(const EventNote& note, const EventNote& alike, Moment now);
    bool take_token(const std::string& object_uid, Moment now);

    // Each with what was met last in front.
    std::list<Similar> similar_;
    std::list<Known> known_;
    std::list<Bucket> buckets_;
};

} // namespace routelet::k8s
