#pragma once
#include "base/result.h"
#include "cni/config.h"
#include "cni/environment.h"

#include <string>

namespace routelet::cni {

// Takes back the host ports that the plugin portmap gave a pod of the network before ours
// (`ipam.importFrom`), by a DEL of that plugin. With iptables it names a pod's chain after network and
// container: as part of our network, chained behind us, it does not find the chain, and the port would go on
// leading to an address that nobody has, or the next pod.
//
// Nothing is done where `plugin_path` (CNI_PATH) has no portmap. The child gets our environment, so this is
// for a DEL of ours, in the host's namespace. Fails with what portmap said.
Result<> remove_imported_ports(const AttachmentId& id, const Network& network,
                               const std::string& plugin_path);

} // namespace routelet::cni
