// Runs a command and says what it took. `script/bench` starts every subject with it, so that time is counted
// alike: from before the fork, which is before exec and dynamic linking.
//
// Usage: routelet-bench-measure COMMAND [ARGUMENT...]
//
// The command finds that moment in ROUTELET_BENCH_STARTED, in nanoseconds of CLOCK_MONOTONIC. Once it has
// ended, one line of JSON is added to standard output:
//   {"what":"ended","ms":812.402,"cpu_ms":95.210,"rss_kb":9216}
// Exit status: the command's; 128 + N when signal N ended it; 1 when it could not be run. It is killed when
// its parent is.
#include "base/result.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>

namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

double to_ms(const timeval& time)
{
    return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_usec) / 1e3;
}

[[noreturn]] void become(char** command)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execvp(command[0], command);
    std::cerr << "routelet-bench-measure: " << routelet::last_errno(command[0]) << '\n';
    _exit(1);
}

} // namespace

int main(int argc, char** argv)
{
    if (argc < 2) {
        std::cerr << "usage: routelet-bench-measure COMMAND [ARGUMENT...]\n";
        return 2;
    }
    const Clock::time_point started = Clock::now();
    setenv("ROUTELET_BENCH_STARTED", std::to_string(started.time_since_epoch().count()).c_str(), 1);
    const pid_t child = fork();
    if (child == 0)
        become(argv + 1);

    int status = 0;
    rusage used{};
    if (child < 0 || wait4(child, &status, 0, &used) != child) {
        std::cerr << "routelet-bench-measure: " << routelet::last_errno("running " + std::string(argv[1]))
                  << '\n';
        return 1;
    }
    std::printf("{\"what\":\"ended\",\"ms\":%.3f,\"cpu_ms\":%.3f,\"rss_kb\":%ld}\n",
                Milliseconds(Clock::now() - started).count(), to_ms(used.ru_utime) + to_ms(used.ru_stime),
                used.ru_maxrss);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
