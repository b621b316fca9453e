#include "controller/flight_recorder.h"

#include "base/file.h"
#include "cni/log_file.h"

#include <deque>
#include <ostream>
#include <sstream>

namespace routelet::controller {
namespace {

namespace fs = std::filesystem;

constexpr int is_shown = 0;
constexpr int is_missing = 1;

bool is_worth_keeping(const LogLine& line)
{
    return line.level() >= LogLevel::info || line.event().starts_with("kernel-");
}

} // namespace

std::function<void(const LogLine& line)> recorder_in(const fs::path& state_dir)
{
    return [file = state_dir / history_file](const LogLine& line) {
        if (is_worth_keeping(line))
            cni::append_to_log(file, line, history_limit);
    };
}

int show_history(const HistoryOptions& options, std::ostream& out, std::ostream& errors)
{
    const fs::path newer = options.state_dir / history_file;
    const fs::path older = newer.string() + ".1";
    std::deque<std::string> last;
    bool is_there = false;
    std::string why;
    for (const fs::path& file : {older, newer}) {
        const Result<std::string> content = read_regular_file(file);
        is_there = is_there || content;
        if (!content) {
            why = content.error().text();
            continue;
        }
        std::istringstream lines(*content);
        for (std::string line; std::getline(lines, line);) {
            if (line.find(options.match) == std::string::npos)
                continue;
            last.push_back(std::move(line));
            if (last.size() > options.lines)
                last.pop_front();
        }
    }
    if (!is_there) {
        errors << "routelet: there is no history here: " << why
               << "\nHas an agent run on this node since it booted, with the same --state-dir?\n";
        return is_missing;
    }
    for (const std::string& line : last)
        out << line << "\n";
    return is_shown;
}

} // namespace routelet::controller
