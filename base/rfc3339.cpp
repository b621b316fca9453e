#include "base/rfc3339.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

namespace routelet {
namespace {

// Without the zone. gmtime(3) would read the machine's time zone first.
std::string date_and_time(std::chrono::sys_seconds when)
{
    const auto day = std::chrono::floor<std::chrono::days>(when);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss time(when - day);
    std::array<char, 48> text{};
    const int length =
        std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d",
                      static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                      static_cast<unsigned>(date.day()), static_cast<int>(time.hours().count()),
                      static_cast<int>(time.minutes().count()), static_cast<int>(time.seconds().count()));
    return {text.data(), static_cast<std::size_t>(length)};
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
