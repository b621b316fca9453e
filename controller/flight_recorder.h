#pragma once
#include "base/log_line.h"
#include "base/result.h"

#include <cstddef>
#include <filesystem>
#include <functional>
#include <iosfwd>
#include <string>

namespace routelet::controller {

// The flight recorder: what happened to routes, nodes, links and addresses that matter here, by the agent's
// own doing and by others', in the state directory: a restart of the agent keeps it, a reboot takes it. It
// has the log's lines from level info on, whatever level the log itself shows, and besides what the kernel
// announced (events "kernel-...", level debug).
inline constexpr const char* history_file = "history.log"; // of the state directory; and history.log.1
inline constexpr std::size_t history_limit = 256U << 10U;  // bytes, of each of the two files

// What keeps lines in that folder, for Log::record_to(). A folder that is not there is not made, and what
// cannot be written is lost: the agent has more to do.
std::function<void(const LogLine& line)> recorder_in(const std::filesystem::path& state_dir);

// `routelet history`: the last lines, oldest first.
struct HistoryOptions {
    std::filesystem::path state_dir = "/run/routelet";
    std::size_t lines = 50;
    std::string match{}; // only lines with this text
};
// The exit status: 0, or 1 when there is no history.
int show_history(const HistoryOptions& options, std::ostream& out, std::ostream& errors);

} // namespace routelet::controller
