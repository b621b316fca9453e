#pragma once
#include "base/result.h"
#include "cni/config.h"
#include "netlink/link.h"
#include "netlink/socket.h"

#include <cstddef>
#include <filesystem>
#include <limits>
#include <optional>
#include <vector>

namespace routelet::cni {

// The host's ends of a network's pods that have no connection, although they are up: they are ports of the
// bridge, which is down, or of none, because the bridge was deleted or they were taken off it. `bridge` is
// what the kernel shows of it, `folder` the network's. A port of another bridge is where somebody put it, and
// a pod that the node routes to needs none (Mode::ptp). Looks no further once it has found `most`.
inline constexpr std::size_t all_links = std::numeric_limits<std::size_t>::max();
Result<std::vector<netlink::Link>> cut_off_links(netlink::Socket& host, const std::filesystem::path& folder,
                                                 const std::optional<netlink::Link>& bridge,
                                                 std::size_t most);

// Gives them their connection back: makes the bridge as ADD does, or sets it up, and plugs them in. Returns
// how many there were; changes nothing where there are none, nor where the bridge's name is another
// interface's.
Result<std::size_t> repair_bridge(netlink::Socket& host, const PodNetwork& network,
                                  const std::filesystem::path& folder);

} // namespace routelet::cni
