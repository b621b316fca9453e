#pragma once
#include "controller/diagnosis/doctor.h"

#include <filesystem>
#include <string>

namespace routelet::controller {

struct MachineOptions {
    RouteIdentity identity{};
    std::string pod_bridge = "v-net-0";    // empty: a router, which has none
    std::filesystem::path cni_conf_dir{};  // empty: not looked at
    std::filesystem::path host_root = "/"; // where the machine's files are; empty: not looked at
    std::size_t probes = 0; // so many next hops are asked, which takes up to three seconds each
};

// What `routelet doctor` looks at: the kernel of this network namespace, /proc, and files. Changes nothing.
// Fails when there is no rtnetlink socket.
Result<MachineFacts> read_machine(const MachineOptions& options);

} // namespace routelet::controller
