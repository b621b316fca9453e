#include "test/kernel/cni_call.h"

#include "base/file.h"
#include "test/support/catch.h"
#include "test/support/netns_fixture.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <utility>
#include <vector>

namespace routelet::test {
namespace {

UniqueFd memory_file(const std::string& content)
{
    UniqueFd file(::memfd_create("cni-call", MFD_CLOEXEC));
    REQUIRE(file);
    REQUIRE(::write(file.fd(), content.data(), content.size()) == static_cast<ssize_t>(content.size()));
    REQUIRE(::lseek(file.fd(), 0, SEEK_SET) == 0);
    return file;
}

std::string content_of(const UniqueFd& file)
{
    return need(read_file("/proc/self/fd/" + std::to_string(file.fd())));
}

} // namespace

CniCall::CniCall(const std::map<std::string, std::string>& environment, const std::string& input,
                 const How& how)
    : input_(memory_file(input)), output_(memory_file("")), errors_(memory_file(""))
{
    std::vector<std::string> texts;
    for (const auto& [variable, value] : environment)
        texts.push_back(variable + "=" + value);
    std::vector<char*> variables;
    for (std::string& text : texts)
        variables.push_back(text.data());
    std::string no_leak_check = "ASAN_OPTIONS=detect_leaks=0"; // LeakSanitizer traces, too: one at a time
    if (how.is_traced)
        variables.push_back(no_leak_check.data());
    variables.push_back(nullptr);
    std::string name = how.called_as;
    char* const arguments[] = {name.data(), nullptr};

    child_ = ::fork();
    REQUIRE(child_ >= 0);
    if (child_ == 0) {
        ::dup2(input_.fd(), STDIN_FILENO);
        ::dup2(output_.fd(), STDOUT_FILENO);
        ::dup2(errors_.fd(), STDERR_FILENO);
        if (how.is_traced && !be_traced())
            ::_exit(126);
        ::execve(how.program.c_str(), arguments, variables.data());
        ::_exit(127);
    }
}

CniCall::CniCall(CniCall&& other) noexcept
    : child_(std::exchange(other.child_, -1)), input_(std::move(other.input_)),
      output_(std::move(other.output_)), errors_(std::move(other.errors_))
{
}

CniCall::~CniCall()
{
    if (child_ < 0)
        return;
    kill();
    (void)::waitpid(child_, nullptr, 0);
}

void CniCall::kill() const
{
    (void)::kill(child_, SIGKILL); // it may have ended by itself
}

CniReply CniCall::wait()
{
    int status = 0;
    REQUIRE(::waitpid(std::exchange(child_, -1), &status, 0) > 0);
    return reply(status);
}

CniReply CniCall::wait_asking(const std::function<Fate(const SystemCall&)>& decide)
{
    const int status = trace(child_, decide);
    child_ = -1;
    return reply(status);
}

CniReply CniCall::reply(int status) const
{
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, content_of(output_), content_of(errors_)};
}

std::string PodNetns::path() const
{
    return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(netns.fd());
}

PodNetns make_pod_netns()
{
    return {another_netns()};
}

} // namespace routelet::test
