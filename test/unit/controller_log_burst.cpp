#include "controller/log.h"
#include "test/support/catch.h"

#include <vector>

using namespace routelet;
using namespace routelet::controller;

namespace {

// What a burst of `lines` of one event leaves in a log that shows `least`, as events with their counts.
std::vector<std::string> written(LogLevel least, std::size_t lines)
{
    std::vector<std::string> out;
    const Log log{LogFormat::text, least, [&](const std::string& line) {
                      out.push_back(line.substr(line.find("event=")));
                      return true;
                  }};
    LogBurst burst(log);
    for (std::size_t i = 0; i < lines; ++i)
        if (burst.has_room(LogLevel::info, "route-added"))
            log.write(LogLine(LogLevel::info, "route-added"));
    if (burst.has_room(LogLevel::info, "route-removed")) // each event for itself
        log.write(LogLine(LogLevel::info, "route-removed"));
    burst.end();
    burst.end();
    return out;
}

} // namespace

TEST_CASE("of a burst the log has the first lines, and how many more there were", "[log]")
{
    CHECK(written(LogLevel::info, 3) == std::vector<std::string>{"event=route-added", "event=route-added",
                                                                 "event=route-added", "event=route-removed"});
    CHECK(written(LogLevel::info, LogBurst::most).size() == LogBurst::most + 1);
    const auto long_one = written(LogLevel::info, LogBurst::most + 7);
    CHECK(long_one.size() == LogBurst::most + 2);
    CHECK(long_one.back() == "event=route-added more=7");
    CHECK(written(LogLevel::warn, LogBurst::most + 7).empty());
}

TEST_CASE("a log that shows debug has all lines of a burst", "[log]")
{
    CHECK(written(LogLevel::debug, LogBurst::most + 7).size() == LogBurst::most + 8);
}
