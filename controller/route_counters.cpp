#include "controller/route_counters.h"

#include <array>

namespace routelet::controller {
namespace {

constexpr std::array<const char*, 5> causes = {"start", "node", "kernel", "check", "retry"};

} // namespace

void RouteCounters::count(std::string_view event, std::string_view cause, std::uint64_t times,
                          double took_seconds)
{
    if (times == 0)
        return;
    changes[{std::string(event), std::string(cause)}] += times;
    of(took, cause).observe(took_seconds, times);
}

std::map<std::pair<std::string, std::string>, std::uint64_t> RouteCounters::none_yet()
{
    std::map<std::pair<std::string, std::string>, std::uint64_t> none;
    for (const char* event : {"route-added", "route-replaced", "route-removed", "route-restored"})
        for (const char* cause : causes)
            none[{event, cause}] = 0;
    return none;
}

RouteCounters::Histograms RouteCounters::empty_histograms()
{
    Histograms none;
    for (const char* cause : causes)
        none[cause] = {};
    return none;
}

Histogram& RouteCounters::of(Histograms& histograms, std::string_view cause)
{
    const auto known = histograms.find(cause);
    return known != histograms.end() ? known->second : histograms[std::string(cause)];
}

} // namespace routelet::controller
