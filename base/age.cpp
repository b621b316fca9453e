#include "base/age.h"

#include <algorithm>

namespace routelet {
namespace {

using namespace std::chrono_literals;
using Seconds = std::chrono::seconds;

constexpr Seconds day = 24h;
constexpr Seconds year = 365 * day;

std::string whole(Seconds duration, Seconds unit, const char* name)
{
    return std::to_string(duration / unit) + name;
}

// "5m30s", and "5m" where nothing is left.
std::string with_rest(Seconds duration, Seconds unit, const char* name, Seconds part, const char* part_name)
{
    const Seconds rest = duration % unit;
    return whole(duration, unit, name) + (rest / part == 0 ? "" : whole(rest, part, part_name));
}

} // namespace

std::string to_age(std::chrono::seconds duration)
{
    duration = std::max(duration, 0s);
    if (duration < 2min)
        return whole(duration, 1s, "s");
    if (duration < 10min)
        return with_rest(duration, 1min, "m", 1s, "s");
    if (duration < 3h)
        return whole(duration, 1min, "m");
    if (duration < 8h)
        return with_rest(duration, 1h, "h", 1min, "m");
    if (duration < 2 * day)
        return whole(duration, 1h, "h");
    if (duration < 8 * day)
        return with_rest(duration, day, "d", 1h, "h");
    if (duration < 2 * year)
        return whole(duration, day, "d");
    if (duration < 8 * year)
        return with_rest(duration, year, "y", day, "d");
    return whole(duration, year, "y");
}

} // namespace routelet
