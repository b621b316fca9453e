#pragma once
#include "controller/log.h"

#include <string>
#include <vector>

namespace routelet::test {

// A log whose lines are kept; a base of fixtures.
struct LogLines {
    std::vector<std::string> lines;
    controller::Log log;

    explicit LogLines(LogLevel level = LogLevel::info)
        : log(controller::LogFormat::text, level, [this](const std::string& line) {
              lines.push_back(line);
              return true;
          })
    {
    }
    LogLines(const LogLines&) = delete;
    LogLines& operator=(const LogLines&) = delete;
};

} // namespace routelet::test
