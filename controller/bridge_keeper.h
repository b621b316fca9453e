#pragma once
#include "base/ip.h"
#include "controller/cause.h"
#include "controller/finding.h"
#include "controller/log.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace routelet::controller {

// Gives pods their bridge back when somebody deleted it, set it down or took them off it. ADD would make the
// bridge, but none comes: STATUS says that the pods are cut off, and so the node is NotReady. Nothing is done
// while no pod is. One thread.
class BridgeKeeper {
public:
    using Clock = Cause::Clock;
    struct Options {
        std::string bridge;
        std::filesystem::path folder; // the network's, in the plugin's dataDir
    };

    BridgeKeeper(Options options, const Log& log) : options_(std::move(options)), log_(log) {}

    // Call it as often as you like: it looks every ten seconds, and once a second while there is no bridge.
    // `pod_cidrs` and `mtu` are what the network configuration has.
    void look(const std::vector<IpPrefix>& pod_cidrs, std::uint32_t mtu, Clock::time_point now);

    const std::vector<Finding>& findings() const noexcept { return findings_; }

private:
    Options options_;
    const Log& log_;
    std::optional<Clock::time_point> looked_at_;
    std::vector<Finding> findings_; // of the last look
};

} // namespace routelet::controller
