// Watches the routes of a network namespace from outside of whoever keeps them, and disturbs them. Shares no
// code with what it measures, and measures Routelet and its peers alike.
//
//   routelet-bench-observer program --routes N -- COMMAND...   starts a command, until there are N routes
//   routelet-bench-observer repair --repetitions N             removes a route, until it is back
//   routelet-bench-observer flap --link L --repetitions N      sets a link down and up, until all routes are
//   back routelet-bench-observer listen [--pid P]                   counts what is written, until SIGTERM
//
// Routes are those to pods (rtnetlink.h). Prints JSON, one object a line:
//   {"what":"programmed","routes":..,"ms":..,"cpu_ms":..}   from before the fork; then the command goes on,
//   and
//                                                           is killed when this program is
//   {"what":"repaired","ms":..,"noticed_ms":..}             from before the request is sent until
//   RTM_NEWROUTE,
//                                                           and RTM_DELROUTE, have been read
//   {"what":"flapped","routes":..,"ms":..}                  from before the request that sets the link up is
//   sent
//   {"what":"listening"}                                    from now on nothing is missed
//   {"what":"routed","sequence":..,"ns":..}                 a route through that address of 198.18.0.0/15
//   {"what":"heard","seconds":..,"added":..,"removed":..,"cpu_ms":..}   by anybody but the kernel itself; CPU
//   of
//                                                           the process P meanwhile
// ns is CLOCK_MONOTONIC's; CPU is of all threads. Exit status: 0 only when all that was waited for has come.
#include "base/result.h"
#include "test/bench/rtnetlink.h"

#include <CLI/CLI.hpp>

#include <net/if.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>

namespace {

using namespace routelet;
using bench::Announcements;
using bench::Clock;
using bench::Route;
using bench::Rtnetlink;
using Milliseconds = std::chrono::duration<double, std::milli>;
using Seconds = std::chrono::duration<double>;

struct Options {
    std::size_t routes = 0;
    std::vector<std::string> command;
    unsigned repetitions = 1;
    double spread_ms = 0;
    std::string link = "eth0";
    double within_s = 60;
    pid_t pid = 0;
};

[[noreturn]] void fail(const std::string& what)
{
    throw std::runtime_error(last_errno(what).text());
}

Clock::time_point deadline_of(const Options& options)
{
    return Clock::now() + std::chrono::duration_cast<Clock::duration>(Seconds(options.within_s));
}

// Of different lengths, so that what happens every so often is met at any moment.
void pause_before(unsigned repetition, const Options& options)
{
    std::this_thread::sleep_for(
        Milliseconds((2 * repetition + 1) * options.spread_ms / (2 * options.repetitions)));
}

double cpu_ms_of(pid_t pid)
{
    clockid_t clock{};
    timespec used{};
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0)
        fail("the CPU time of process " + std::to_string(pid));
    return static_cast<double>(used.tv_sec) * 1e3 + static_cast<double>(used.tv_nsec) / 1e6;
}

// It is killed when this program ends.
pid_t start(std::vector<std::string> command)
{
    std::vector<char*> words;
    for (std::string& word : command)
        words.push_back(word.data());
    words.push_back(nullptr);
    const pid_t child = fork();
    if (child < 0)
        fail("fork");
    if (child > 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(STDERR_FILENO, STDOUT_FILENO); // standard output is for figures
    execvp(words[0], words.data());
    std::cerr << "routelet-bench-observer: " << last_errno(command[0]) << '\n';
    _exit(1);
}

void program(const Options& options)
{
    Announcements announcements;
    std::set<IpPrefix> there;
    for (const Route& route : bench::list_routes())
        there.insert(route.destination);
    const auto started = Clock::now();
    const pid_t child = start(options.command);
    const auto note = [&](const Route& route, bool removed) {
        if (removed)
            there.erase(route.destination);
        else if (route.leads_to_pods())
            there.insert(route.destination);
    };
    announcements.read_until([&] { return there.size() >= options.routes; }, deadline_of(options), note);
    std::printf("{\"what\":\"programmed\",\"routes\":%zu,\"ms\":%.3f,\"cpu_ms\":%.3f}\n", there.size(),
                Milliseconds(Clock::now() - started).count(), cpu_ms_of(child));
    std::fflush(stdout);
    waitpid(child, nullptr, 0);
    throw std::runtime_error(options.command.front() + " has ended");
}

void repair(const Options& options)
{
    constexpr std::size_t stride = 7919; // a prime: all over the table
    const std::vector<Route> routes = bench::list_routes();
    if (routes.empty())
        throw std::runtime_error("there is no route to remove");
    Announcements announcements;
    Rtnetlink kernel(0);
    for (unsigned i = 0; i < options.repetitions; ++i) {
        const Route& victim = routes[i * stride % routes.size()];
        std::optional<Clock::time_point> noticed;
        std::optional<Clock::time_point> repaired;
        const auto note = [&](const Route& route, bool removed) {
            if (route.destination != victim.destination)
                return;
            if (removed)
                noticed = Clock::now();
            else if (noticed && route.gateway == victim.gateway)
                repaired = Clock::now();
        };
        pause_before(i, options);
        const auto started = Clock::now();
        bench::remove_route(kernel, victim);
        announcements.read_until([&] { return repaired.has_value(); }, deadline_of(options), note);
        std::printf("{\"what\":\"repaired\",\"ms\":%.4f,\"noticed_ms\":%.4f}\n",
                    Milliseconds(*repaired - started).count(), Milliseconds(*noticed - started).count());
        std::fflush(stdout);
    }
}

void flap(const Options& options)
{
    constexpr auto down_for = std::chrono::milliseconds(200);
    const unsigned index = if_nametoindex(options.link.c_str());
    if (index == 0)
        fail(options.link);
    const std::size_t routes = bench::list_routes().size();
    Announcements announcements;
    Rtnetlink kernel(0);
    for (unsigned i = 0; i < options.repetitions; ++i) {
        std::set<IpPrefix> back;
        const auto note = [&](const Route& route, bool removed) {
            if (route.leads_to_pods() && !removed)
                back.insert(route.destination);
        };
        pause_before(i, options);
        bench::set_link(kernel, index, false);
        std::this_thread::sleep_for(down_for);
        const auto started = Clock::now();
        bench::set_link(kernel, index, true);
        announcements.read_until([&] { return back.size() >= routes; }, deadline_of(options), note);
        std::printf("{\"what\":\"flapped\",\"routes\":%zu,\"ms\":%.3f}\n", back.size(),
                    Milliseconds(Clock::now() - started).count());
        std::fflush(stdout);
    }
}

// The number that an address of 198.18.0.0/15 (RFC 2544, benchmarking) stands for, as in informer/sequence.
std::optional<unsigned> sequence_of(const Route& route)
{
    if (!route.gateway || route.gateway->family() != IpFamily::v4)
        return std::nullopt;
    const auto bytes = route.gateway->bytes();
    if (bytes[0] != 198 || (bytes[1] & 0xfeU) != 18)
        return std::nullopt;
    return (bytes[1] & 1U) << 16U | static_cast<unsigned>(bytes[2]) << 8U | bytes[3];
}

void print_routed(unsigned sequence)
{
    const std::chrono::nanoseconds now = Clock::now().time_since_epoch();
    std::printf("{\"what\":\"routed\",\"sequence\":%u,\"ns\":%lld}\n", sequence,
                static_cast<long long>(now.count()));
    std::fflush(stdout);
}

// Reads everything up to SIGTERM or SIGINT; what was announced before the signal comes first.
void read_until_stopped(Announcements& announcements, const Announcements::Take& take)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, nullptr);
    const UniqueFd stopped(signalfd(-1, &signals, SFD_CLOEXEC));
    std::puts("{\"what\":\"listening\"}");
    std::fflush(stdout);
    std::array<pollfd, 2> ready = {pollfd{.fd = announcements.fd(), .events = POLLIN, .revents = 0},
                                   pollfd{.fd = stopped.fd(), .events = POLLIN, .revents = 0}};
    for (;;) {
        if (poll(ready.data(), ready.size(), -1) < 0)
            fail("waiting for notifications");
        if ((ready[0].revents & POLLIN) == 0)
            return;
        announcements.read(take);
    }
}

void listen(const Options& options)
{
    Announcements announcements;
    std::size_t added_routes = 0;
    std::size_t removed_routes = 0;
    const auto started = Clock::now();
    const double cpu_before = options.pid != 0 ? cpu_ms_of(options.pid) : 0;
    read_until_stopped(announcements, [&](const Route& route, bool removed) {
        if (route.protocol == RTPROT_KERNEL)
            return;
        ++(removed ? removed_routes : added_routes);
        if (const auto sequence = sequence_of(route); sequence && !removed)
            print_routed(*sequence);
    });
    std::printf("{\"what\":\"heard\",\"seconds\":%.3f,\"added\":%zu,\"removed\":%zu,\"cpu_ms\":%.3f}\n",
                Seconds(Clock::now() - started).count(), added_routes, removed_routes,
                options.pid != 0 ? cpu_ms_of(options.pid) - cpu_before : 0);
}

} // namespace

int main(int argc, char** argv)
try {
    Options options;
    CLI::App app("Watches a network namespace's routes, and disturbs them, for script/bench");
    app.require_subcommand(1);
    app.add_option("--within", options.within_s, "seconds that anything may take")->capture_default_str();
    const auto add_repetitions = [&](CLI::App* command) {
        command->add_option("--repetitions", options.repetitions)->check(CLI::PositiveNumber);
        command->add_option("--spread", options.spread_ms, "the longest pause before one, in milliseconds");
    };

    CLI::App* const command = app.add_subcommand("program", "start a command, until there are its routes");
    command->add_option("--routes", options.routes, "how many")->required();
    command->add_option("command", options.command, "behind --")->required();
    command->callback([&] { program(options); });

    CLI::App* const repairing = app.add_subcommand("repair", "remove a route, until it is back");
    add_repetitions(repairing);
    repairing->callback([&] { repair(options); });

    CLI::App* const flapping =
        app.add_subcommand("flap", "set a link down and up, until all routes are back");
    add_repetitions(flapping);
    flapping->add_option("--link", options.link)->capture_default_str();
    flapping->callback([&] { flap(options); });

    CLI::App* const listening = app.add_subcommand("listen", "count what is written, until SIGTERM");
    listening->add_option("--pid", options.pid, "of a process whose CPU time is told");
    listening->callback([&] { listen(options); });

    CLI11_PARSE(app, argc, argv);
} catch (const std::exception& error) {
    std::cerr << "routelet-bench-observer: " << error.what() << '\n';
    return 1;
}
