#pragma once
#include <optional>
#include <string>

namespace routelet::cni {

inline constexpr int most_bridge_ports = 1023; // BR_MAX_PORTS, less the number 0 (net/bridge/br_private.h)

// How many ports a bridge of the thread's network namespace has, by the one request that does not list each
// with all its attributes (BRCTL_GET_PORT_LIST, linux/if_bridge.h): microseconds, however many there are.
// Empty when the kernel does not tell, as without such a bridge.
std::optional<int> count_bridge_ports(const std::string& bridge);

} // namespace routelet::cni
