#include "controller/log.h"

#include <poll.h>
#include <unistd.h>

namespace routelet::controller {
namespace {

// A pipe that is said to be writable takes PIPE_BUF bytes without blocking (pipe(7)), more than a line has.
bool write_to_stderr(const std::string& line)
{
    pollfd descriptor{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
    if (::poll(&descriptor, 1, 0) != 1 || (descriptor.revents & POLLOUT) == 0)
        return false;
    const std::string whole = line + "\n";
    return ::write(STDERR_FILENO, whole.data(), whole.size()) > 0;
}

} // namespace

Log::Log(LogFormat format, LogLevel least) : Log(format, least, write_to_stderr) {}

void Log::write(const LogLine& line) const
{
    if (recorder_)
        recorder_(line);
    if (line.level() < least_)
        return;
    if (dropped_ > 0 && put(LogLine(LogLevel::warn, "log-dropped").with("lines", dropped_)))
        dropped_ = 0;
    if (!put(line))
        ++dropped_;
}

bool Log::put(const LogLine& line) const
{
    const auto now = std::chrono::system_clock::now();
    return sink_(format_ == LogFormat::text ? to_logfmt(line, now) : to_json(line, now));
}

bool LogBurst::has_room(LogLevel level, std::string_view event)
{
    auto count = counts_.find(event);
    if (count == counts_.end())
        count = counts_.emplace(event, Count{.level = level}).first;
    return ++count->second.lines <= most || log_.shows(LogLevel::debug);
}

void LogBurst::end()
{
    if (!log_.shows(LogLevel::debug))
        for (const auto& [event, count] : counts_)
            if (count.lines > most)
                log_.write(LogLine(count.level, event).with("more", count.lines - most));
    counts_.clear();
}

} // namespace routelet::controller
