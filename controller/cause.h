#pragma once
#include <chrono>
#include <cmath>
#include <string_view>

namespace routelet::controller {

// Why the kernel is looked at now, and since when: log lines tell both.
struct Cause {
    using Clock = std::chrono::steady_clock;

    std::string_view what;   // "start", "node", "kernel", "check", "retry"
    Clock::time_point since; // when the event was read

    // Milliseconds until now; three decimals are microseconds: what a repair takes.
    double took_ms() const
    {
        const std::chrono::duration<double, std::milli> passed = Clock::now() - since;
        return std::round(passed.count() * 1000) / 1000;
    }
};

} // namespace routelet::controller
