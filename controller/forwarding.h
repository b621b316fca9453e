#pragma once
#include "controller/finding.h"
#include "controller/plan.h"

#include <filesystem>
#include <vector>

namespace routelet::controller {

// "forwarding-off" while this machine has IPv6 routes to pods and its kernel passes no IPv6 packets on from
// the links that they go out by. Netlink has no message that would switch it on, as there is for IPv4; on a
// node the plugin does.
//
// `conf` is /proc/sys/net/ipv6/conf; what cannot be read there counts as being right.
std::vector<Finding> find_forwarding_off(const Plan& plan, const LocalFacts& local,
                                         const std::filesystem::path& conf);

} // namespace routelet::controller
