#include "controller/route_counters.h"

namespace routelet::controller {

void RouteCounters::count(std::string_view event, std::string_view cause, std::uint64_t times,
                          double took_seconds)
{
    if (times == 0)
        return;
    changes[{std::string(event), std::string(cause)}] += times;
    of(took, cause).observe(took_seconds, times);
}

Histogram& RouteCounters::of(std::map<std::string, Histogram, std::less<>>& histograms,
                             std::string_view cause)
{
    const auto known = histograms.find(cause);
    return known != histograms.end() ? known->second : histograms[std::string(cause)];
}

} // namespace routelet::controller
