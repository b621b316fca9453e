#include "controller/plugin_version.h"

#include "base/unique_fd.h"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <string_view>

namespace routelet::controller {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::string_view question = R"({"cniVersion":"1.1.0"})";
constexpr std::size_t answer_limit = 64U << 10U; // bytes

// A child process, with all that it starts itself: a process group, which is ended with this object.
class Child {
public:
    explicit Child(pid_t pid) : pid_(pid) {}
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child()
    {
        (void)::kill(-pid_, SIGKILL); // it may have ended by itself
        while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
        }
    }

private:
    pid_t pid_;
};

// The question as a file, so that nobody has to wait until the plugin reads it.
Result<UniqueFd> question_file()
{
    UniqueFd file(::memfd_create("question", MFD_CLOEXEC));
    if (!file ||
        ::write(file.fd(), question.data(), question.size()) != static_cast<ssize_t>(question.size()) ||
        ::lseek(file.fd(), 0, SEEK_SET) != 0)
        return last_errno("making the plugin's input");
    return file;
}

Result<pid_t> start(const std::filesystem::path& plugin, int input, int output)
{
    posix_spawn_file_actions_t files;
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
    posix_spawnattr_t attributes;
    ::posix_spawnattr_init(&attributes);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP); // a group of its own

    std::string program = plugin.string();
    std::string variable = "CNI_COMMAND=VERSION";
    char* const arguments[] = {program.data(), nullptr};
    char* const environment[] = {variable.data(), nullptr};
    pid_t pid = -1;
    const int failed = ::posix_spawn(&pid, program.c_str(), &files, &attributes, arguments, environment);
    ::posix_spawn_file_actions_destroy(&files);
    ::posix_spawnattr_destroy(&attributes);
    if (failed != 0)
        return Error{{failed, boost::system::generic_category()}, "starting " + program};
    return pid;
}

Result<std::string> read_answer(int fd, Clock::time_point deadline, const std::string& plugin)
{
    std::string answer;
    std::array<char, 4096> piece{};
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
        pollfd readable{.fd = fd, .events = POLLIN, .revents = 0};
        const int ready = ::poll(&readable, 1, static_cast<int>(std::max<std::int64_t>(left, 0)));
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready == 0)
            return make_error(boost::system::errc::timed_out, "asking " + plugin + " for its CNI versions");
        const ssize_t got = ::read(fd, piece.data(), piece.size());
        if (got < 0)
            return last_errno("reading the answer of " + plugin);
        if (got == 0)
            return answer;
        answer.append(piece.data(), static_cast<std::size_t>(got));
        if (answer.size() > answer_limit)
            return make_error(boost::system::errc::bad_message, "the answer of " + plugin + " does not end");
    }
}

Result<std::vector<std::string>> parse_answer(const std::string& answer, const std::string& plugin)
{
    const auto document = nlohmann::json::parse(answer, nullptr, false);
    const auto versions = document.is_object() ? document.find("supportedVersions") : document.end();
    const bool is_answer = document.is_object() && versions != document.end() && versions->is_array() &&
                           std::ranges::all_of(*versions, [](const auto& one) { return one.is_string(); });
    if (!is_answer)
        return make_error(boost::system::errc::bad_message,
                          plugin + " does not say which CNI versions it speaks");
    return versions->get<std::vector<std::string>>();
}

} // namespace

Result<std::vector<std::string>> ask_cni_versions(const std::filesystem::path& plugin,
                                                  std::chrono::milliseconds patience)
{
    const auto deadline = Clock::now() + patience;
    const Result<UniqueFd> input = question_file();
    if (!input)
        return input.error();
    std::array<int, 2> ends{-1, -1};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
        return last_errno("making a pipe");
    const UniqueFd output(ends[0]);
    UniqueFd childs_end(ends[1]);

    const Result<pid_t> pid = start(plugin, input->fd(), childs_end.fd());
    if (!pid)
        return pid.error();
    const Child child(*pid);
    childs_end.reset();
    const Result<std::string> answer = read_answer(output.fd(), deadline, plugin.string());
    if (!answer)
        return answer.error();
    return parse_answer(*answer, plugin.string());
}

} // namespace routelet::controller
