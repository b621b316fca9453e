// Calls CNI plugins as a container runtime does, and says how long they took: from before the fork to the
// plugin's end and the end of its output, which libcni waits for, too.
//
//   routelet-bench-runtime cycle OPTIONS -- PLUGIN [ARGUMENT...]   one pod after the other: ADD, DEL
//   routelet-bench-runtime batch OPTIONS -- PLUGIN [ARGUMENT...]   many pods at once: all ADDs, then all DELs
//
// Pods are network namespaces that it makes beforehand. The plugin runs in the network namespace of the
// caller, with its configuration on standard input. Prints one line of JSON:
//   {"what":"cycled","add_ms":2.104,"add_p99_ms":3.310,"del_ms":1.804,"del_p99_ms":2.511,"rss_kb":3120}
//   {"what":"batched","add_ms":1.402,"del_ms":0.911}
// cycled: median and 99th percentile of a call; rss_kb: the most memory of any. batched: the whole's time by
// the number of pods. Exit status: 0 only when every call was a success; what one printed otherwise is on
// standard error.
#include "base/result.h"
#include "base/unique_fd.h"

#include <CLI/CLI.hpp>

#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace routelet;
using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

struct Options {
    std::string config;
    std::string cni_path = "/nonexistent";
    std::size_t calls = 100;   // cycle: pods, one after the other
    std::size_t attached = 0;  // cycle: that have their interfaces meanwhile
    std::size_t pods = 50;     // batch
    std::size_t parallel = 50; // batch
    std::vector<std::string> plugin;
};

[[noreturn]] void fail(const std::string& what)
{
    throw std::runtime_error(last_errno(what).text());
}

UniqueFd open_file(const std::string& path)
{
    UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file)
        fail(path);
    return file;
}

// Each pod takes a descriptor.
void allow_many_files()
{
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0)
        fail("getrlimit");
    limit.rlim_cur = limit.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0)
        fail("setrlimit");
}

// A new network namespace; the calling thread goes on in its own.
UniqueFd make_namespace()
{
    const UniqueFd here = open_file("/proc/thread-self/ns/net");
    if (::unshare(CLONE_NEWNET) != 0)
        fail("making a network namespace");
    UniqueFd made = open_file("/proc/thread-self/ns/net");
    if (::setns(here.fd(), CLONE_NEWNET) != 0)
        fail("going back to the first network namespace");
    return made;
}

struct Call {
    Milliseconds took{};
    long rss_kb = 0;
};

class Runtime {
public:
    explicit Runtime(const Options& options) : options_(options) {}

    Call call(const std::string& command, std::size_t pod, const UniqueFd& netns) const
    {
        const std::vector<std::string> environment = {
            "CNI_COMMAND=" + command, "CNI_CONTAINERID=pod" + std::to_string(pod), "CNI_IFNAME=eth0",
            "CNI_NETNS=/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(netns.fd()),
            "CNI_PATH=" + options_.cni_path};
        const UniqueFd input = open_file(options_.config);
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) != 0)
            fail("pipe2");
        const UniqueFd reads(ends[0]);
        UniqueFd writes(ends[1]);

        const Clock::time_point started = Clock::now();
        const pid_t child = spawn(environment, input, writes);
        writes.reset();
        const std::string output = read_all(reads);
        int status = 0;
        rusage used{};
        if (::wait4(child, &status, 0, &used) != child)
            fail("wait4");
        const Call done{Clock::now() - started, used.ru_maxrss};
        if (status != 0)
            throw std::runtime_error(options_.plugin.front() + " " + command + ": " + output);
        return done;
    }

private:
    static std::vector<char*> pointers(const std::vector<std::string>& texts)
    {
        std::vector<char*> all;
        for (const std::string& text : texts)
            all.push_back(const_cast<char*>(text.c_str()));
        all.push_back(nullptr);
        return all;
    }

    pid_t spawn(const std::vector<std::string>& environment, const UniqueFd& input,
                const UniqueFd& output) const
    {
        posix_spawn_file_actions_t actions{};
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, input.fd(), STDIN_FILENO);
        posix_spawn_file_actions_adddup2(&actions, output.fd(), STDOUT_FILENO);
        pid_t child = -1;
        const int failed = ::posix_spawn(&child, options_.plugin.front().c_str(), &actions, nullptr,
                                         pointers(options_.plugin).data(), pointers(environment).data());
        posix_spawn_file_actions_destroy(&actions);
        if (failed != 0)
            throw std::runtime_error(
                options_.plugin.front() + ": " +
                boost::system::error_code(failed, boost::system::system_category()).message());
        return child;
    }

    static std::string read_all(const UniqueFd& pipe)
    {
        std::string text;
        std::array<char, 4096> piece{};
        for (;;) {
            const ssize_t got = ::read(pipe.fd(), piece.data(), piece.size());
            if (got < 0)
                fail("reading the plugin's output");
            if (got == 0)
                return text;
            text.append(piece.data(), static_cast<std::size_t>(got));
        }
    }

    const Options& options_;
};

// Nearest rank, as test/bench/report.jq has it.
double rank(std::vector<double> values, double percent)
{
    std::ranges::sort(values);
    const auto position = static_cast<std::size_t>(
        std::max(0.0, std::ceil(static_cast<double>(values.size()) * percent / 100) - 1));
    return values[position];
}

void cycle(const Options& options)
{
    const Runtime runtime(options);
    std::vector<UniqueFd> others;
    for (std::size_t i = 0; i < options.attached; ++i) {
        others.push_back(make_namespace());
        (void)runtime.call("ADD", options.calls + i, others.back());
    }
    const UniqueFd netns = make_namespace();
    std::vector<double> added;
    std::vector<double> deleted;
    long rss_kb = 0;
    for (std::size_t i = 0; i < options.calls; ++i) {
        const Call add = runtime.call("ADD", i, netns);
        const Call del = runtime.call("DEL", i, netns);
        added.push_back(add.took.count());
        deleted.push_back(del.took.count());
        rss_kb = std::max(rss_kb, add.rss_kb);
    }
    for (std::size_t i = 0; i < options.attached; ++i)
        (void)runtime.call("DEL", options.calls + i, others[i]);
    std::printf("{\"what\":\"cycled\",\"add_ms\":%.3f,\"add_p99_ms\":%.3f,\"del_ms\":%.3f,\"del_p99_ms\":%."
                "3f,\"rss_kb\":%ld}\n",
                rank(added, 50), rank(added, 99), rank(deleted, 50), rank(deleted, 99), rss_kb);
}

// All pods' calls of one command, so many at a time; the time of all by their number.
double all_at_once(const Runtime& runtime, const Options& options, const std::string& command,
                   const std::vector<UniqueFd>& pods)
{
    std::atomic<std::size_t> next = 0;
    std::atomic<bool> failed = false;
    const auto work = [&] {
        try {
            for (std::size_t i = next++; i < pods.size(); i = next++)
                (void)runtime.call(command, i, pods[i]);
        } catch (const std::exception& error) {
            std::cerr << "routelet-bench-runtime: " << error.what() << '\n';
            failed = true;
        }
    };
    const Clock::time_point started = Clock::now();
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < options.parallel; ++i)
        threads.emplace_back(work);
    for (std::thread& thread : threads)
        thread.join();
    const Milliseconds took = Clock::now() - started;
    if (failed)
        throw std::runtime_error("not all calls were a success");
    return took.count() / static_cast<double>(pods.size());
}

void batch(const Options& options)
{
    const Runtime runtime(options);
    std::vector<UniqueFd> pods;
    for (std::size_t i = 0; i < options.pods; ++i)
        pods.push_back(make_namespace());
    const double added = all_at_once(runtime, options, "ADD", pods);
    const double deleted = all_at_once(runtime, options, "DEL", pods);
    std::printf("{\"what\":\"batched\",\"add_ms\":%.3f,\"del_ms\":%.3f}\n", added, deleted);
}

} // namespace

int main(int argc, char** argv)
try {
    Options options;
    CLI::App app("Calls CNI plugins as a container runtime does, for script/bench");
    app.require_subcommand(1);
    const auto add = [&](const char* name, const char* text) {
        CLI::App* const command = app.add_subcommand(name, text);
        command->add_option("--config", options.config, "what the plugin reads")->required();
        command->add_option("--cni-path", options.cni_path, "where it finds others")->capture_default_str();
        command->add_option("plugin", options.plugin, "its program, and arguments")->required();
        return command;
    };
    CLI::App* const cycles = add("cycle", "one pod after the other");
    cycles->add_option("--calls", options.calls, "so many")->check(CLI::Range(1U, 1'000'000U));
    cycles->add_option("--attached", options.attached, "pods that have their interfaces meanwhile");
    CLI::App* const batches = add("batch", "many pods at once");
    batches->add_option("--pods", options.pods, "so many")->check(CLI::Range(1U, 10'000U));
    batches->add_option("--parallel", options.parallel, "calls at a time")->check(CLI::Range(1U, 1'000U));
    CLI11_PARSE(app, argc, argv);
    allow_many_files();
    cycles->parsed() ? cycle(options) : batch(options);
} catch (const std::exception& error) {
    std::cerr << "routelet-bench-runtime: " << error.what() << '\n';
    return 1;
}
