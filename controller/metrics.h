#pragma once
#include "controller/route_counters.h"
#include "controller/status.h"

#include <cstdint>
#include <optional>
#include <string>

namespace routelet::controller {

// Addresses of pods on this node.
struct IpamUse {
    IpFamily family = IpFamily::v4;
    std::size_t reserved = 0;
    double capacity = 0; // of the own podCIDR, without its own, the gateway's and the broadcast address
};

// What the kernel says of this process (proc(5)).
struct ProcessUse {
    double cpu_seconds = 0;
    double resident_bytes = 0;
    double open_fds = 0;
    double start_time = 0; // seconds since 1970
};
std::optional<ProcessUse> read_process();

struct MetricsInput {
    const Status& status;
    const RouteCounters& routes;
    const std::vector<IpamUse>& ipam;
    const std::optional<ProcessUse>& process;
};

// /metrics: docs/metrics.md has them all. No label names a node or an address of another: their number does
// not grow with the cluster.
std::string to_metrics(const MetricsInput& input);

} // namespace routelet::controller
