#pragma once
#include <sys/types.h>

#include <array>
#include <cstdint>
#include <functional>

namespace routelet::test {

// A system call that a process is about to make.
struct SystemCall {
    long number = -1;                         // SYS_... of <sys/syscall.h>
    std::array<std::uint64_t, 6> arguments{}; // as the process gave them: addresses are its own
};

// What is to become of it.
struct Fate {
    enum class Kind { happens, fails, is_belied, kills };
    Kind kind = Kind::happens;
    int error = 0; // errno that the process is told

    static Fate failing(int error) { return {Kind::fails, error}; } // the kernel does nothing of it
    static Fate belied(int error)
    {
        return {Kind::is_belied, error};
    }                                                  // it happens, and is told to have failed
    static Fate killing() { return {Kind::kills, 0}; } // SIGKILL in its place
};

// For a child between fork() and execve(): its parent will trace() it. False when that is not allowed.
bool be_traced() noexcept;

// Runs a child that called be_traced() to its end, asking before every system call from execve() on
// (ptrace(2)), and returns its wait status. Processes that the child forks are not traced. Throws
// std::runtime_error when tracing is refused.
int trace(pid_t child, const std::function<Fate(const SystemCall&)>& decide);

} // namespace routelet::test
