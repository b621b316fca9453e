#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace routelet {

// A time in UTC as RFC 3339 writes it, in whole seconds, cut off: "2026-01-02T03:04:05Z". What metav1.Time
// holds.
std::string to_rfc3339(std::chrono::system_clock::time_point when);
std::string to_rfc3339(std::chrono::sys_seconds when); // also beyond the clock's last year

// The same with milliseconds: "2026-01-02T03:04:05.678Z".
std::string to_rfc3339_milliseconds(std::chrono::system_clock::time_point when);

// The time that such a text names; also with a fraction of any length and an offset:
// "2026-01-02T04:04:05.67+01:00". Of what the clock cannot hold, which ends in the year 2262, its first or
// last second.
std::optional<std::chrono::system_clock::time_point> parse_rfc3339(std::string_view text);

} // namespace routelet
