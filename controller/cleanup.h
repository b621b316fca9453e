#pragma once
#include "controller/kernel.h"

#include <filesystem>
#include <ostream>
#include <string>

namespace routelet::controller {

// What `routelet cleanup` was told.
struct CleanupOptions {
    std::filesystem::path cni_bin_dir = "/opt/cni/bin";
    std::filesystem::path cni_conf_dir = "/etc/cni/net.d";
    std::filesystem::path state_dir = "/run/routelet";
    std::string bridge = "v-net-0";
    RouteIdentity identity{};
    bool dry_run = false; // tell what would be done, and do nothing
    bool wait = false;    // once nothing is left, go on until a signal: a pod that ends is started again
    bool force = false;   // also what pods still use: they lose their network
};

// Takes everything of Routelet's off this node, and nothing else: the network configuration, the routes (both
// families), the nftables table, the bridge with what is left of the pods' interfaces, the state, the plugin.
// What it does not know by its own marks (name in the configuration, protocol and metric of a route, MAC
// address of the bridge, alias of an interface, text in the plugin) is not Routelet's and stays.
//
// While pods have interfaces on the bridge, their bridge, addresses and plugin stay too, unless forced: the
// runtime needs the plugin to take them down.
//
// Writes one line for each thing to `out`: "removed", "left" with the reason, "failed" with the error, "note"
// for settings that nobody can tell whose they are. Returns true when nothing is left and nothing failed. It
// is meant for after the agent is gone: one that still runs puts routes back, which is looked for at the end
// and told. Fails only where the kernel cannot be asked at all.
Result<bool> clean_up(const CleanupOptions& options, std::ostream& out);

} // namespace routelet::controller
