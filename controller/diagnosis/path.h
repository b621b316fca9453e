#pragma once
#include "controller/diagnosis/explain.h"

#include <filesystem>
#include <string>

namespace routelet::controller {

struct PathOptions {
    RouteIdentity identity{};
    std::string pod_bridge = "v-net-0"; // empty: a router, which has none
    std::filesystem::path state_dir = "/run/routelet";
};

// What the kernel of this network namespace, and the plugin's state, say of the way to a subject's address,
// which it must have. Changes nothing, but has the kernel ask the neighbour, which takes up to three and a
// half seconds where none answers. Fails when there is no rtnetlink socket.
Result<PathFacts> read_path(const Subject& subject, const PathOptions& options);

} // namespace routelet::controller
