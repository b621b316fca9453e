#pragma once
#include "controller/diagnosis/machine.h"
#include "controller/finding.h"

#include <chrono>
#include <vector>

namespace routelet::controller {

// What `routelet doctor` would find on this machine, for the agent: at its start, and now and then. Without
// what others of the agent's look at more often (forwarding, the network configuration), what only the
// machine's files tell, and echoes to other nodes. One thread.
class MachineWatch {
public:
    MachineWatch(RouteIdentity identity, std::string pod_bridge, std::chrono::seconds interval)
        : options_{.identity = identity,
                   .pod_bridge = std::move(pod_bridge),
                   .cni_conf_dir = {},
                   .host_root = {}},
          interval_(interval)
    {
    }

    // Reads the machine if that was long enough ago.
    void look(std::chrono::steady_clock::time_point now);
    const std::vector<Finding>& findings() const noexcept { return findings_; }

private:
    MachineOptions options_;
    std::chrono::seconds interval_;
    std::optional<std::chrono::steady_clock::time_point> looked_;
    std::vector<Finding> findings_;
};

} // namespace routelet::controller
