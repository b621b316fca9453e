#pragma once
#include <chrono>
#include <string>

namespace routelet {

// A time in UTC as RFC 3339 writes it, in whole seconds, cut off: "2026-01-02T03:04:05Z". What metav1.Time
// holds.
std::string to_rfc3339(std::chrono::system_clock::time_point when);

// The same with milliseconds: "2026-01-02T03:04:05.678Z".
std::string to_rfc3339_milliseconds(std::chrono::system_clock::time_point when);

} // namespace routelet
