#pragma once
#include "base/log_line.h"

#include <functional>
#include <string>

namespace routelet::controller {

enum class LogFormat { text, json };

// Where the agent's log lines go: standard error, one write(2) a line, unless a test takes them.
class Log {
public:
    using Sink = std::function<void(const std::string& line)>; // without the newline

    Log(LogFormat format, LogLevel least);
    Log(LogFormat format, LogLevel least, Sink sink) : format_(format), least_(least), sink_(std::move(sink))
    {
    }

    void write(const LogLine& line) const;

private:
    LogFormat format_;
    LogLevel least_;
    Sink sink_;
};

} // namespace routelet::controller
