#pragma once
#include "base/result.h"
#include "k8sclient/config.h"
#include "k8sclient/event.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>

namespace routelet::k8s {

// What became of the notes so far. Every one is in exactly one of these, or waits still.
struct EventCounts {
    std::size_t sent = 0;     // created, or counted on; also together with a later one of its Event
    std::size_t too_many = 0; // of one object in a time (EventCorrelator)
    std::size_t no_room = 0;  // so many waited already
    std::size_t refused = 0;  // the API server will not have it
    std::size_t given_up = 0; // after so many tries

    friend bool operator==(const EventCounts&, const EventCounts&) = default;
};

struct EventRecorderOptions {
    EventSource source;
    std::chrono::milliseconds backoff_first{1'000};
    std::chrono::milliseconds backoff_most{30'000};
    std::chrono::milliseconds patience{15'000}; // for an answer
    std::size_t most_waiting = 64;
};

// Tells Events in namespace "default", where those about objects without namespace are. One request at a
// time, over a connection of its own, so that nothing else waits for it; what cannot be told is dropped and
// counted. Needs RBAC "create" and "patch" on events. Stay on its executor.
class EventRecorder {
public:
    EventRecorder(boost::asio::any_io_executor executor, ClusterConfig config, EventRecorderOptions options);
    ~EventRecorder();

    // Returns at once.
    void record(EventNote note);

    // To be told from then on of what was dropped because the API server did not take it.
    void on_dropped(std::function<void(const EventNote&, const Error&)> told);

    // Sends. Never returns; ends by cancellation.
    boost::asio::awaitable<void> run();

    EventCounts counts() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace routelet::k8s
