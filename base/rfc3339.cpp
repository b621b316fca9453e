#include "base/rfc3339.h"

#include <array>
#include <cstdio>
#include <ctime>

namespace routelet {
namespace {

// Without the zone.
std::string date_and_time(std::chrono::sys_seconds when)
{
    const std::time_t time = when.time_since_epoch().count();
    std::tm utc{};
    ::gmtime_r(&time, &utc);
    std::array<char, 48> text{};
    return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &utc)};
}

} // namespace

std::string to_rfc3339(std::chrono::system_clock::time_point when)
{
    return date_and_time(std::chrono::floor<std::chrono::seconds>(when)) + "Z";
}

std::string to_rfc3339_milliseconds(std::chrono::system_clock::time_point when)
{
    const auto milliseconds = std::chrono::floor<std::chrono::milliseconds>(when);
    const auto seconds = std::chrono::floor<std::chrono::seconds>(milliseconds);
    std::array<char, 16> fraction{};
    std::snprintf(fraction.data(), fraction.size(), ".%03dZ",
                  static_cast<int>((milliseconds - seconds).count()));
    return date_and_time(seconds) + fraction.data();
}

} // namespace routelet
