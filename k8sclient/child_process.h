#pragma once
#include "base/result.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace routelet::k8s {

// A program to run.
struct ChildRequest {
    std::string program;                  // a path, or a name to be looked for in PATH
    std::vector<std::string> arguments;   // without the program's name
    std::vector<std::string> environment; // all of it, each "NAME=value"
    std::chrono::milliseconds patience{30'000};
    std::size_t output_limit = 1U << 20U; // bytes; of the errors 4 KiB are kept and the rest is dropped
};

// How it ended by itself.
struct ChildEnd {
    int exit_status = 0; // 128 + n when it was ended by signal n, as shells have it
    std::string output;
    std::string errors;
};

// Runs a program to its end without blocking the executor: in a process group of its own, with nothing to
// read and no descriptor of ours. The whole group is killed at the deadline, when there is more output than
// the limit, and when the coroutine is cancelled. Fails with the errno of starting it (ENOENT: there is no
// such program), timed_out or file_too_large; the context does not name the program. Linux 5.3 or newer
// (pidfd).
boost::asio::awaitable<Result<ChildEnd>> run_child(boost::asio::any_io_executor executor,
                                                   ChildRequest request);

} // namespace routelet::k8s
