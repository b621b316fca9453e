#pragma once
#include "controller/kernel.h"
#include "controller/kernel_mirror.h"
#include "controller/plan.h"

#include <string>

namespace routelet::controller {

// What a plan would change in the kernel, for people. Pure.

// The routes, each with what becomes of it in front, then the podCIDRs that get none, with the reason and
// what to do, and a line of numbers:
//
//     + 10.244.3.0/24 via 192.168.1.13 dev eth0    node03
//     ~ 10.244.4.0/24 via 192.168.1.14 dev eth0    node04; now via 192.168.1.44 dev eth0
//     - 10.244.9.0/24 via 192.168.1.19 dev eth0    nobody's any more
//       10.244.2.0/24 via 192.168.1.12 dev eth0    node02
//     ! 10.244.5.0/24 of node05: refused, overlaps-node (...); delete the Node that is wrong; ...
//     1 to add, 1 to change, 1 to remove, 1 in place; 1 refused, 0 pending, 0 left to the gateway
std::string plan_as_text(const Plan& plan, const KernelMirror& mirror, const RouteIdentity& identity);

// The changes as commands for a shell, one a line: "ip route add 10.244.3.0/24 via 192.168.1.13 dev eth0
// proto 82 metric 8461". Nothing when there is nothing to do.
std::string plan_as_commands(const Plan& plan, const KernelMirror& mirror, const RouteIdentity& identity);

// One JSON object: changes, each with what, destination, gateway, link, node; verdicts; counts.
std::string plan_as_json(const Plan& plan, const KernelMirror& mirror, const RouteIdentity& identity);

} // namespace routelet::controller
