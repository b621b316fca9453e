#pragma once
#include "base/log_line.h"
#include "cni/report.h"

#include <cstddef>
#include <filesystem>
#include <string_view>

namespace routelet::cni {

// Where calls are logged, and from which level on: failures are errors, what was mended is a warning, success
// is at debug.
struct LogSettings {
    std::filesystem::path file{}; // absolute; empty: nowhere
    LogLevel level = LogLevel::warn;
};

inline constexpr std::size_t log_limit = 1U << 20U; // bytes

// Appends one line with its time, in one write(2), so that lines of calls at the same time do not mix. A file
// of `limit` bytes is renamed to <file>.1 first, over the one before, by whoever has its lock; nobody waits
// for that, so a line may still go to the renamed file, and none is lost. Made when missing, mode 0600, its
// folder never. A call does not fail by its log: what cannot be written is dropped. Only a plain file is
// written to; reached through a link at its last name, it is none.
void append_to_log(const std::filesystem::path& file, const LogLine& line, std::size_t limit = log_limit);

// To standard error, and to the log if the level is one that goes there.
Report report_to(LogSettings log);

} // namespace routelet::cni
