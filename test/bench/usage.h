#pragma once
// What a benchmark's program says of itself.
#include <sys/resource.h>

#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace routelet::bench {

// Of all threads, user and system.
inline double cpu_ms()
{
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    const auto ms = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_usec) / 1e3;
    };
    return ms(used.ru_utime) + ms(used.ru_stime);
}

// A line of /proc/self/status (proc(5)): VmRSS:, what is in memory now; VmHWM:, the most that ever was.
inline long status_kb(std::string_view name)
{
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;)
        if (long kb = 0; word == name && status >> kb)
            return kb;
    throw std::runtime_error("no " + std::string(name) + " in /proc/self/status");
}

} // namespace routelet::bench
