#include "controller/metrics.h"

#include "base/file.h"
#include "base/version.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <map>
#include <sstream>
#include <tuple>
#include <utility>

namespace routelet::controller {
namespace {

double seconds_of(std::chrono::system_clock::time_point time)
{
    return std::chrono::duration<double>(time.time_since_epoch()).count();
}

void write_agent(Exposition& out, const Status& status)
{
    out.gauge("routelet_build_info", "The version that runs; always 1.");
    out.sample(1, {{"version", version()}, {"commit", commit()}});
    out.gauge("routelet_ready", "Whether pods can be run on this node, or a router has its routes.");
    out.sample(status.readiness.state == Readiness::State::ready ? 1 : 0);
    out.gauge("routelet_condition_met", "Whether each condition of readiness is met.");
    for (const Condition& condition : status.readiness.conditions)
        out.sample(condition.state == Condition::State::met ? 1 : 0, {{"condition", condition.name}});
    out.gauge("routelet_finding", "1 for each finding that lasts, by its code.");
    std::map<std::string, int> findings;
    for (const Finding& finding : status.findings)
        ++findings[finding.code];
    for (const auto& [code, count] : findings)
        out.sample(count, {{"code", code}});
}

void write_api(Exposition& out, const ApiState& api)
{
    out.gauge("routelet_api_up", "Whether the API server answered last.");
    out.sample(api.what == ApiState::What::working ? 1 : 0);
    out.gauge("routelet_api_state_since_timestamp_seconds", "Since when it has been so.");
    out.sample(seconds_of(api.since));
    out.gauge("routelet_watch_last_event_timestamp_seconds",
              "When the API server last said something of Nodes, be it only that there is nothing to say.");
    if (api.heard)
        out.sample(seconds_of(*api.heard));
}

constexpr std::array families = {IpFamily::v4, IpFamily::v6};

// Of a podCIDR as the Node has it; empty when it has none, or one that does not parse.
std::string_view family_of(const std::string& pod_cidr)
{
    const auto prefix = IpPrefix::parse(pod_cidr);
    return prefix ? to_string(prefix->family()) : std::string_view();
}

void write_pod_cidrs(Exposition& out, const Plan& plan)
{
    using Key = std::pair<NodeState, std::string_view>;
    std::map<Key, std::size_t> counts;
    for (const auto& [state, count] : count_states(plan)) // each state is there, at 0
        for (const IpFamily family : families)
            counts[{state, to_string(family)}] = 0;
    std::map<std::tuple<NodeState, Reason, std::string_view>, std::size_t> reasons;
    for (const PlannedRoute& route : plan.routes)
        ++counts[{NodeState::routed, to_string(route.destination.family())}];
    for (const Verdict& verdict : plan.verdicts) {
        const std::string_view family = family_of(verdict.destination);
        ++counts[{verdict.state, family}];
        if (verdict.reason != Reason::none)
            ++reasons[{verdict.state, verdict.reason, family}];
    }
    out.gauge("routelet_pod_cidrs", "podCIDRs of all nodes, by what becomes of them here.");
    for (const auto& [what, count] : counts)
        out.sample(static_cast<double>(count), {{"state", to_string(what.first)}, {"family", what.second}});
    out.gauge("routelet_pod_cidrs_without_route", "podCIDRs that are pending or refused, by reason.");
    for (const auto& [why, count] : reasons)
        out.sample(static_cast<double>(count), {{"state", to_string(std::get<NodeState>(why))},
                                                {"reason", to_string(std::get<Reason>(why))},
                                                {"family", std::get<std::string_view>(why)}});
}

// `family_of_one` gives the family of an element.
template <class Range, class FamilyOfOne>
void write_by_family(Exposition& out, const Range& range, FamilyOfOne family_of_one)
{
    for (const IpFamily family : families)
        out.sample(static_cast<double>(std::ranges::count(range, family, family_of_one)),
                   {{"family", to_string(family)}});
}

void write_routes(Exposition& out, const Status& status)
{
    out.gauge("routelet_routes_planned", "Routes to other nodes' pods that there should be.");
    write_by_family(out, status.plan.routes,
                    [](const PlannedRoute& route) { return route.destination.family(); });
    out.gauge("routelet_routes_in_place", "Of those, the ones that the kernel has.");
    for (const IpFamily family : families)
        out.sample(static_cast<double>(status.routes_in_place.of(family)), {{"family", to_string(family)}});
    out.gauge("routelet_routes_refused", "Routes that the kernel refuses now.");
    write_by_family(out, status.refusals, [](const auto& refusal) { return refusal.first.family(); });
}

// "route-added": "added".
std::string_view change_of(std::string_view event)
{
    return event.substr(event.find('-') + 1);
}

void write_counters(Exposition& out, const RouteCounters& routes)
{
    out.counter(
        "routelet_route_changes_total",
        "Routes changed in the kernel, as the log tells them. restored: somebody had removed or altered it.");
    for (const auto& [what, count] : routes.changes)
        out.sample(static_cast<double>(count), {{"change", change_of(what.first)}, {"cause", what.second}});
    out.counter("routelet_route_failures_total", "Changes that the kernel refused, each attempt.");
    out.sample(static_cast<double>(routes.failures));
    out.counter("routelet_kernel_overruns_total",
                "Notifications of the kernel were lost, and all was read again.");
    out.sample(static_cast<double>(routes.overruns));
    out.counter("routelet_kernel_read_failures_total",
                "Routes, links, addresses or notifications of them could not be read from the kernel.");
    out.sample(static_cast<double>(routes.unread));
    out.histogram("routelet_event_to_kernel_seconds",
                  "From an event's being read to the kernel's having the route, each route, by cause.");
    for (const auto& [cause, histogram] : routes.took)
        out.sample(histogram, {{"cause", cause}});
    out.histogram("routelet_reconciliation_seconds",
                  "Reconciliations, whether they changed anything or not, by cause.");
    for (const auto& [cause, histogram] : routes.reconciling)
        out.sample(histogram, {{"cause", cause}});
}

void write_ipam(Exposition& out, const std::vector<IpamUse>& ipam)
{
    out.gauge("routelet_ipam_addresses_reserved", "Addresses that pods of this node have.");
    for (const IpamUse& use : ipam)
        out.sample(static_cast<double>(use.reserved), {{"family", to_string(use.family)}});
    out.gauge("routelet_ipam_addresses", "Addresses that pods of this node can have.");
    for (const IpamUse& use : ipam)
        out.sample(use.capacity, {{"family", to_string(use.family)}});
}

// The names that all programs have for these.
void write_process(Exposition& out, const ProcessUse& process)
{
    out.counter("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.");
    out.sample(process.cpu_seconds);
    out.gauge("process_resident_memory_bytes", "Resident memory size in bytes.");
    out.sample(process.resident_bytes);
    out.gauge("process_open_fds", "Number of open file descriptors.");
    out.sample(process.open_fds);
    out.gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.");
    out.sample(process.start_time);
}

// The n-th word behind the program's name, which may have spaces, of /proc/self/stat; the state is the third.
std::vector<double> numbers_of(const std::string& stat)
{
    std::istringstream words(stat.substr(stat.rfind(')') + 1));
    std::string state;
    words >> state;
    std::vector<double> numbers(3, 0); // pid, name, state
    for (double number = 0; words >> number;)
        numbers.push_back(number);
    return numbers;
}

double count_files(const std::filesystem::path& folder)
{
    double count = 0;
    std::error_code failed;
    for (std::filesystem::directory_iterator file(folder, failed);
         !failed && file != std::filesystem::directory_iterator(); file.increment(failed))
        ++count;
    return count;
}

double boot_time()
{
    const Result<std::string> stat = read_file("/proc/stat");
    const std::size_t line = stat ? stat->find("\nbtime ") : std::string::npos;
    return line == std::string::npos ? 0 : std::strtod(stat->c_str() + line + 7, nullptr);
}

} // namespace

std::optional<ProcessUse> read_process()
{
    constexpr std::size_t utime = 13, stime = 14, starttime = 21, rss = 23; // counted from 0
    const Result<std::string> stat = read_file("/proc/self/stat");
    if (!stat)
        return std::nullopt;
    const std::vector<double> numbers = numbers_of(*stat);
    if (numbers.size() <= rss)
        return std::nullopt;
    const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
    const auto page = static_cast<double>(::sysconf(_SC_PAGESIZE));
    return ProcessUse{.cpu_seconds = (numbers[utime] + numbers[stime]) / ticks,
                      .resident_bytes = numbers[rss] * page,
                      .open_fds = count_files("/proc/self/fd"),
                      .start_time = boot_time() + numbers[starttime] / ticks};
}

std::string to_metrics(const MetricsInput& input)
{
    Exposition out;
    write_agent(out, input.status);
    write_api(out, input.status.api);
    write_pod_cidrs(out, input.status.plan);
    write_routes(out, input.status);
    write_counters(out, input.routes);
    if (!input.ipam.empty())
        write_ipam(out, input.ipam);
    if (input.process)
        write_process(out, *input.process);
    return out.text();
}

} // namespace routelet::controller
