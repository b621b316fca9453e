#pragma once
#include "base/log_line.h"

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>

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

    // Is given every line, of whatever level.
    using Recorder = std::function<void(const LogLine& line)>;
    void record_to(Recorder recorder) { recorder_ = std::move(recorder); }

    void write(const LogLine& line) const;
    bool shows(LogLevel level) const noexcept { return level >= least_; }

private:
    bool put(const LogLine& line) const;

    LogFormat format_;
    LogLevel least_;
    Sink sink_;
    Recorder recorder_; // may be empty
    mutable std::size_t dropped_ = 0;
};

// Keeps what happens to thousands at once short: of each event the first lines are written, and then one that
// says how many more there were. A log that shows debug has all of them.
class LogBurst {
public:
    static constexpr std::size_t most = 100; // lines of an event

    explicit LogBurst(const Log& log) : log_(log) {}

    // Whether the next line of this event is to be written; it is counted when not.
    bool has_room(LogLevel level, std::string_view event);
    // The burst is over: "event=route-added more=4900".
    void end();

private:
    struct Count {
        LogLevel level = LogLevel::info;
        std::size_t lines = 0;
    };

    const Log& log_;
    std::map<std::string, Count, std::less<>> counts_;
};

} // namespace routelet::controller
