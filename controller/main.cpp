#include "base/file.h"
#include "controller/agent.h"
#include "controller/command_line/options.h"

#include <linux/capability.h>

#include <charconv>
#include <csignal>
#include <iostream>

using namespace routelet;
using namespace routelet::controller;

namespace {

// CapEff of /proc/self/status (proc(5)); where that cannot be read, the kernel will say no later.
bool may_change_routes()
{
    constexpr std::string_view label = "CapEff:\t";
    const auto status = read_file("/proc/self/status");
    const auto start = status ? status->find(label) : std::string::npos;
    if (start == std::string::npos)
        return true;
    const char* digits = status->data() + start + label.size();
    std::uint64_t effective = 0;
    std::from_chars(digits, digits + 16, effective, 16);
    return (effective >> CAP_NET_ADMIN & 1U) != 0;
}

bool check_capability()
{
    if (may_change_routes())
        return true;
    std::cerr << "routelet: changing routes needs CAP_NET_ADMIN: run it as root, or give the container that "
                 "capability\n";
    return false;
}

int run(const RunOptions& options)
{
    if (!check_capability())
        return exit_failed;
    std::signal(SIGPIPE, SIG_IGN);
    Log log(options.log_format, options.log_level);
    log.record_to(recorder_in(options.life.state_dir));
    const auto ended = run_agent(options, log);
    std::cerr << "routelet: " << ended.error() << "\n";
    return exit_failed;
}

int run(const InstallOptions& options)
{
    const auto installed = install(options, Log(LogFormat::text, LogLevel::info));
    if (installed)
        return exit_ok;
    std::cerr << "routelet: " << installed.error() << "\n";
    return exit_failed;
}

// The first process of a container ignores signals that it has not asked for.
void wait_for_end()
{
    std::cout << "nothing is left; waiting to be ended" << std::endl;
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigprocmask(SIG_BLOCK, &ends, nullptr);
    int signal = 0;
    (void)sigwait(&ends, &signal);
}

int run(const CleanupOptions& options)
{
    if (!check_capability())
        return exit_failed;
    const auto clean = clean_up(options, std::cout);
    if (!clean)
        std::cerr << "routelet: " << clean.error() << "\n";
    if (!clean || !*clean)
        return exit_failed;
    if (options.wait)
        wait_for_end();
    return exit_ok;
}

} // namespace

int main(int argc, char** argv)
try {
    const CommandLine command = parse_command_line(argc, argv);
    if (command.run)
        return run(*command.run);
    if (command.status)
        return show_status(*command.status, std::cout, std::cerr);
    if (command.doctor)
        return show_diagnosis(*command.doctor, std::cout, std::cerr);
    if (command.explain)
        return show_explanation(*command.explain, std::cout, std::cerr);
    if (command.history)
        return show_history(*command.history, std::cout, std::cerr);
    if (command.plan)
        return show_plan(*command.plan, std::cin, std::cout, std::cerr);
    if (command.install)
        return run(*command.install);
    if (command.cleanup)
        return run(*command.cleanup);
    return command.exit_status;
} catch (const std::exception& error) {
    std::cerr << "routelet: " << error.what() << "\n";
    return exit_failed;
}
