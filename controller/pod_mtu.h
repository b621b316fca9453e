#pragma once
#include "controller/plan.h"

#include <cstdint>

namespace routelet::controller {

// The largest packet that pods may send, in bytes: what goes through each link that packets for other nodes'
// pods, and for the world outside, leave by. 0 when no such link is known, or none says its MTU. Pure.
//
// A pod whose MTU is larger than its node's sends packets that are dropped on the way, and whether it is told
// depends on who drops them (RFC 1191, RFC 8201: path MTU discovery).
std::uint32_t pod_mtu(const Plan& plan, const LocalFacts& local);

} // namespace routelet::controller
