#pragma once
#include "base/result.h"
#include "controller/log.h"

#include <filesystem>

namespace routelet::controller {

// What `routelet install` was told.
struct InstallOptions {
    std::filesystem::path plugin; // the routelet-cni to install
    std::filesystem::path cni_bin_dir = "/opt/cni/bin";
    std::filesystem::path state_dir = "/run/routelet";
};

// Puts the plugin into the runtime's folder and writes STATE_DIR/plugins.json: which of the plugins that a
// network configuration of ours chains are there, and which CNI versions each speaks.
//
//     {"plugins":[{"type":"routelet-cni","cniVersions":["0.3.0","1.1.0"]},{"type":"portmap","cniVersions":[]}]}
//
// A plugin that could not be asked has no versions; one that is not there is left out.
//
// Where there is no plugin "loopback", which runtimes need for each pod, a link of that name to ours is made.
//
// Whenever it is killed, and whoever runs the plugin meanwhile, the folder has the old plugin or the new one
// and never a part. Bytes that are there already are not written again; what a killed run left is removed.
// Folders that are missing are made. Fails, naming the file and what to do, when one of the two files could
// not be written, and with resource_unavailable_try_again while another install is at work in the same
// folder.
Result<> install(const InstallOptions& options, const Log& log);

} // namespace routelet::controller
