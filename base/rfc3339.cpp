#include "base/rfc3339.h"

#include <algorithm>
#include <array>
#include <charconv>
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

// Takes that many digits off the text's beginning.
std::optional<int> take_number(std::string_view& text, std::size_t digits)
{
    int number = 0;
    if (text.size() < digits || text.find_first_not_of("0123456789") < digits)
        return std::nullopt;
    std::from_chars(text.data(), text.data() + digits, number);
    text.remove_prefix(digits);
    return number;
}

bool take(std::string_view& text, std::string_view any_of)
{
    if (text.empty() || any_of.find(text.front()) == std::string_view::npos)
        return false;
    text.remove_prefix(1);
    return true;
}

// "Z", "+01:00".
std::optional<std::chrono::minutes> parse_offset(std::string_view text)
{
    if (text == "Z" || text == "z")
        return std::chrono::minutes(0);
    const bool is_behind = text.starts_with('-');
    if (!take(text, "+-"))
        return std::nullopt;
    const auto hours = take_number(text, 2);
    const bool has_colon = take(text, ":");
    const auto minutes = take_number(text, 2);
    if (!hours || !has_colon || !minutes || !text.empty())
        return std::nullopt;
    const auto offset = std::chrono::hours(*hours) + std::chrono::minutes(*minutes);
    return is_behind ? -offset : offset;
}

} // namespace

std::optional<std::chrono::system_clock::time_point> parse_rfc3339(std::string_view text)
{
    namespace chrono = std::chrono;
    const auto year = take_number(text, 4);
    const auto part = [&](std::string_view before) {
        return take(text, before) ? take_number(text, 2) : std::nullopt;
    };
    const auto month = part("-");
    const auto day = part("-");
    const auto hour = part("Tt ");
    const auto minute = part(":");
    const auto second = part(":");
    if (!year || !month || !day || !hour || !minute || !second)
        return std::nullopt;
    if (take(text, "."))
        text.remove_prefix(std::min(text.find_first_not_of("0123456789"), text.size()));
    const auto offset = parse_offset(text);
    const chrono::year_month_day date{chrono::year(*year), chrono::month(static_cast<unsigned>(*month)),
                                      chrono::day(static_cast<unsigned>(*day))};
    if (!offset || !date.ok() || *hour > 23 || *minute > 59 || *second > 60)
        return std::nullopt;
    using Clock = chrono::system_clock;
    const chrono::sys_seconds when = chrono::sys_days(date) + chrono::hours(*hour) +
                                     chrono::minutes(*minute) + chrono::seconds(*second) - *offset;
    return std::clamp(when, chrono::ceil<chrono::seconds>(Clock::time_point::min()),
                      chrono::floor<chrono::seconds>(Clock::time_point::max()));
}

std::string to_rfc3339(std::chrono::sys_seconds when)
{
    return date_and_time(when) + "Z";
}

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
