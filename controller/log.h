#pragma once
#include "base/log_line.h"

#include <functional>
#include <string>

namespace routelet::controller {

enum class LogFormat { text, json };

// Where the agent's log lines go: standard error, one write(2) a line, unless a test takes them. A log that
// nobody reads does not stop the agent: lines that cannot be written at once are dropped, counted, and the
// count is logged.
class Log {
public:
    // Takes a line without its newline; false when it could not, and the line is lost.
    using Sink = std::function<bool(const std::string& line)>;

    Log(LogFormat format, LogLevel least);
    Log(LogFormat format, LogLevel least, Sink sink) : format_(format), least_(least), sink_(std::move(sink))
    {
    }

    void write(const LogLine& line) const;

private:
    bool put(const LogLine& line) const;

    LogFormat format_;
    LogLevel least_;
    Sink sink_;
    mutable std::size_t dropped_ = 0;
};

} // namespace routelet::controller
