#include "controller/log.h"

#include <unistd.h>

namespace routelet::controller {
namespace {

// A log that cannot be written is no reason to stop routing, so a failed write is let go.
void write_to_stderr(const std::string& line)
{
    const std::string whole = line + "\n";
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, whole.data(), whole.size());
}

} // namespace

Log::Log(LogFormat format, LogLevel least) : Log(format, least, write_to_stderr) {}

void Log::write(const LogLine& line) const
{
    if (line.level() < least_)
        return;
    const auto now = std::chrono::system_clock::now();
    sink_(format_ == LogFormat::text ? to_logfmt(line, now) : to_json(line, now));
}

} // namespace routelet::controller
