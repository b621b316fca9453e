#pragma once
#include "base/ip.h"
#include "base/result.h"
#include "cni/environment.h"
#include "cni/host_ports.h"
#include "cni/ipam.h"
#include "netlink/socket.h"

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <vector>

namespace routelet::cni {

// What a network's folder says against what the node has. A runtime that gives up a DEL, or is killed with
// its pods, leaves addresses that nobody has.
struct Presence {
    // Of these containers no attachment has its interface on the host, though the folder has an index of it.
    std::vector<AttachmentId> abandoned;
    // Namespaces that the host once had a link to and has none now. Such a one may be a living pod's whose
    // interface was deleted by hand: nobody else may get its address, because the cluster still has it for
    // that pod's.
    std::size_t cut_off_namespaces = 0;
};

// `host` is of the host's namespace, `folder` the network's. Takes no lock; what comes or goes meanwhile may
// be shown wrong, so nothing may be freed on one look alone.
Result<Presence> look_for_abandoned(netlink::Socket& host, const std::filesystem::path& folder);

// Frees what the attachment has, its ports of the node first and its addresses with the rest that each freed
// address gets, if it still has no interface and was written at least that long ago. Returns what was freed.
// Waits for nobody: try_again_later when another process has the lock. What another plugin reserved
// (ipam.importFrom) is never touched.
Result<std::vector<IpAddress>> free_abandoned(netlink::Socket& host, const std::filesystem::path& folder,
                                              HostPorts& ports, const AttachmentId& id,
                                              std::chrono::seconds at_least);

} // namespace routelet::cni
