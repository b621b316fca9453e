#pragma once
#include "base/ip.h"
#include "controller/exposition.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace routelet::controller {

// A change of a route that took effect.
struct LastChange {
    std::chrono::system_clock::time_point when{};
    std::string event; // as in the log, "route-added"
    IpPrefix destination;
    std::string cause;
};

// What the reconciler has done since the agent's start, for status and metrics.
struct RouteCounters {
    // By log event ("route-added") and cause ("node"); guards count. Each is there from the start, at 0:
    // Prometheus' rate() and increase() do not see a step that a series begins with.
    std::map<std::pair<std::string, std::string>, std::uint64_t> changes = none_yet();
    std::uint64_t failures = 0; // changes that the kernel refused, each time
    std::uint64_t overruns = 0; // notifications were lost
    std::uint64_t unread = 0;   // reading routes, links or addresses from the kernel failed
    std::optional<LastChange> last{};
    // By cause; each is there from the start, too.
    using Histograms = std::map<std::string, Histogram, std::less<>>;
    Histograms took = empty_histograms();        // from the event's being read to the kernel's having it
    Histograms reconciling = empty_histograms(); // each reconciliation, whether it changed anything or not

    // A batch of changes that took effect together.
    void count(std::string_view event, std::string_view cause, std::uint64_t times, double took_seconds);
    static std::map<std::pair<std::string, std::string>, std::uint64_t> none_yet();
    static Histograms empty_histograms();
    static Histogram& of(Histograms& histograms, std::string_view cause);
};

} // namespace routelet::controller
