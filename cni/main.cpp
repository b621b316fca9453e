// routelet-cni: the CNI plugin. A runtime runs it for every pod, as root, in the host's network namespace.
#include "base/log_line.h"
#include "base/version.h"
#include "cni/config.h"
#include "cni/error.h"
#include "cni/log_file.h"
#include "cni/plugin.h"
#include "cni/report.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

namespace routelet::cni {
namespace {

constexpr std::string_view usage =
    "routelet-cni is a CNI plugin: a container runtime runs it, with CNI_COMMAND and its parameters in the\n"
    "environment and the network configuration on standard input.\n"
    "Called by the name loopback, it is the plugin that sets up a pod's lo.\n"
    "Commands: ADD DEL CHECK GC STATUS VERSION. CNI versions: 0.3.0 0.3.1 0.4.0 1.0.0 1.1.0.\n"
    "ROUTELET_CNI_LOG=FILE (or =stderr) logs one line for every call; in the configuration, \"logFile\" one "
    "for\n"
    "every failure, and with \"logLevel\": \"debug\" for every call.\n"
    "Options: --version, --help.\n";

constexpr std::size_t longest_problem = 4096; // bytes, of a log line: a configuration may be quoted in it

std::string variable(const char* name)
{
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

bool write_all(int fd, std::string_view text)
{
    while (!text.empty()) {
        const ssize_t written = ::write(fd, text.data(), text.size());
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

// A file that we open must not become 0, 1 or 2. What stands in for them can be neither read nor written.
void occupy_standard_descriptors()
{
    for (int fd = 0; fd <= STDERR_FILENO; ++fd)
        if (::fcntl(fd, F_GETFD) < 0)
            (void)::open("/dev/null", O_PATH | O_CLOEXEC); // takes the lowest free number, which is fd
}

using Clock = std::chrono::steady_clock;

bool has_input_before(Clock::time_point deadline)
{
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    struct pollfd standard_input = {STDIN_FILENO, POLLIN, 0};
    return ::poll(&standard_input, 1, static_cast<int>(std::max<std::int64_t>(left, 0))) > 0;
}

// Up to its end, or what has come until the deadline.
Result<std::string> read_standard_input(std::optional<Clock::time_point> deadline)
{
    std::string text;
    std::array<char, 16384> piece{};
    for (;;) {
        if (deadline && !has_input_before(*deadline))
            return text;
        const ssize_t got = ::read(STDIN_FILENO, piece.data(), piece.size());
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return failure(ErrorCode::io_failure,
                           last_errno("reading the network configuration from standard input").text());
        if (got == 0)
            return text;
        text.append(piece.data(), static_cast<std::size_t>(got));
        if (text.size() > config_limit)
            return failure(ErrorCode::decoding_failure,
                           "the network configuration on standard input is longer than 1 MiB");
    }
}

// VERSION has an answer without its input, and must not wait for somebody to type it or to close a pipe.
Result<std::string> input_for(const std::string& command)
{
    if (command != "VERSION")
        return read_standard_input({});
    if (::isatty(STDIN_FILENO) == 1)
        return std::string{};
    return read_standard_input(Clock::now() + std::chrono::seconds(1));
}

// The environment comes first, and wants every call; otherwise the configuration's word counts. It is read
// again for that, which the common case does without: a success, and no level named.
LogSettings log_of(const Result<std::string>& input, const Outcome& outcome)
{
    const std::string file = variable("ROUTELET_CNI_LOG");
    if (!file.empty())
        return {file, LogLevel::debug};
    const bool may_be_wanted =
        outcome.exit_code != 0 || (input && input->find("\"logLevel\"") != std::string::npos);
    return input && may_be_wanted ? asked_log(*input) : LogSettings{};
}

// A runtime asks STATUS every five seconds, and tells the answer itself: it would fill the log.
LogLevel level_of(const std::string& command, const Outcome& outcome)
{
    if (outcome.exit_code == 0)
        return LogLevel::debug;
    return command == "STATUS" ? LogLevel::info : LogLevel::error;
}

void log_call(const std::string& command, const LogSettings& log, const Outcome& outcome,
              std::chrono::steady_clock::duration took)
{
    const LogLevel level = level_of(command, outcome);
    if (log.file.empty() || level < log.level)
        return;
    LogLine line(level, outcome.exit_code == 0 ? "cni-done" : "cni-failed");
    line.add("command", command);
    line.add("container", variable("CNI_CONTAINERID"));
    line.add("interface", variable("CNI_IFNAME"));
    line.add("netns", variable("CNI_NETNS"));
    line.add("took_us", std::chrono::duration_cast<std::chrono::microseconds>(took).count());
    if (!outcome.problem.empty())
        line.add("err", std::string_view(outcome.problem).substr(0, longest_problem));
    if (log.file == "stderr")
        report_to_standard_error(line);
    else
        append_to_log(log.file, line);
}

// CNI_COMMAND is not set: a person is looking.
int run_by_hand(int count, char** arguments)
{
    const std::string_view option = count > 1 ? arguments[1] : "";
    if (option == "--version") {
        const std::string text =
            "routelet-cni " + std::string(version()) + " (" + std::string(commit()) + ")\n";
        return write_all(STDOUT_FILENO, text) ? 0 : 1;
    }
    if (option == "--help")
        return write_all(STDOUT_FILENO, usage) ? 0 : 1;
    (void)write_all(STDERR_FILENO, usage); // nobody left to tell when it fails
    return option.empty() ? 0 : 1;         // as the reference plugins do without an option
}

Plugin called_as(std::string_view program)
{
    return program.substr(program.rfind('/') + 1) == "loopback" ? Plugin::loopback : Plugin::routelet;
}

int run_as_plugin(Plugin plugin, const std::string& command)
{
    const auto start = std::chrono::steady_clock::now();
    const Result<std::string> input = input_for(command);
    const Outcome outcome = run(plugin, variable, input);
    const bool told = write_all(STDOUT_FILENO, outcome.output);
    log_call(command, log_of(input, outcome), outcome, std::chrono::steady_clock::now() - start);
    return told ? outcome.exit_code : 1;
}

} // namespace
} // namespace routelet::cni

int main(int count, char** arguments)
{
    using namespace routelet::cni;
    occupy_standard_descriptors();
    std::signal(SIGPIPE, SIG_IGN); // a runtime that went away is an error of write()
    const std::string command = variable("CNI_COMMAND");
    if (command.empty())
        return run_by_hand(count, arguments);
    return run_as_plugin(called_as(count > 0 ? arguments[0] : ""), command);
}
