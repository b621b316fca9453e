#include "test/support/system_calls.h"

#include <elf.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <iterator>
#include <stdexcept>
#include <string>
#include <system_error>

namespace routelet::test {
namespace {

constexpr int syscall_stop = SIGTRAP | 0x80; // as PTRACE_O_TRACESYSGOOD marks it

template <class... Arguments>
long demand(__ptrace_request request, pid_t child, Arguments... arguments)
{
    const long answer = ::ptrace(request, child, arguments...);
    if (answer < 0)
        throw std::system_error(errno, std::generic_category(), "ptrace " + std::to_string(request));
    return answer;
}

int wait_for(pid_t child)
{
    int status = 0;
    while (::waitpid(child, &status, 0) != child)
        if (errno != EINTR)
            throw std::system_error(errno, std::generic_category(), "waitpid");
    return status;
}

#if defined(__x86_64__)
void skip_call(pid_t child)
{
    user_regs_struct registers = {};
    demand(PTRACE_GETREGS, child, nullptr, &registers);
    registers.orig_rax = ~0ULL; // no such call
    demand(PTRACE_SETREGS, child, nullptr, &registers);
}

void set_answer(pid_t child, long answer)
{
    user_regs_struct registers = {};
    demand(PTRACE_GETREGS, child, nullptr, &registers);
    registers.rax = static_cast<unsigned long long>(answer);
    demand(PTRACE_SETREGS, child, nullptr, &registers);
}
#elif defined(__aarch64__)
void skip_call(pid_t child)
{
    int none = -1;
    iovec part = {&none, sizeof none};
    demand(PTRACE_SETREGSET, child, NT_ARM_SYSTEM_CALL, &part);
}

void set_answer(pid_t child, long answer)
{
    user_regs_struct registers = {};
    iovec part = {&registers, sizeof registers};
    demand(PTRACE_GETREGSET, child, NT_PRSTATUS, &part);
    registers.regs[0] = static_cast<unsigned long long>(answer);
    demand(PTRACE_SETREGSET, child, NT_PRSTATUS, &part);
}
#else
#error "say here how a system call is skipped on this processor: see `man 2 ptrace`, PTRACE_GETREGSET"
#endif

} // namespace

bool be_traced() noexcept
{
    return ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0;
}

int trace(pid_t child, const std::function<Fate(const SystemCall&)>& decide)
{
    int status = wait_for(child); // the SIGTRAP of execve()
    if (!WIFSTOPPED(status))
        return status;
    demand(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);

    Fate fate;
    int signal = 0;
    for (;;) {
        demand(PTRACE_SYSCALL, child, nullptr, signal);
        status = wait_for(child);
        if (!WIFSTOPPED(status))
            return status;
        signal = WSTOPSIG(status) == syscall_stop ? 0 : WSTOPSIG(status);
        if (signal != 0)
            continue;

        __ptrace_syscall_info info = {};
        demand(PTRACE_GET_SYSCALL_INFO, child, sizeof info, &info);
        if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
            SystemCall call{static_cast<long>(info.entry.nr), {}};
            std::copy(std::begin(info.entry.args), std::end(info.entry.args), call.arguments.begin());
            fate = decide(call);
            if (fate.kind == Fate::Kind::fails)
                skip_call(child);
            if (fate.kind == Fate::Kind::kills) {
                (void)::kill(child, SIGKILL); // it is stopped and ours, so it is there
                return wait_for(child);
            }
        } else if (info.op == PTRACE_SYSCALL_INFO_EXIT && fate.error != 0) {
            set_answer(child, -fate.error);
            fate = {};
        }
    }
}

} // namespace routelet::test
