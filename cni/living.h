#pragma once
#include "base/ip.h"
#include "base/result.h"
#include "cni/environment.h"
#include "netlink/link.h"
#include "netlink/socket.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace routelet::cni {

// What the kernel says of an address although files say nothing: that a pod has it. The host's end of each
// pod's link carries the pod's addresses as further names, which no two links of a namespace can share, and
// which go with the link: `ip link show pod-10.244.1.7`. So a reservation that got lost endangers nobody.
std::string living_name(const IpAddress& address); // "pod-10.244.1.7"
std::optional<IpAddress> address_in(std::string_view living_name);

// Whether a link is the host's end of a complete attachment: it has the alias of one, and the name that goes
// with it.
bool is_host_end(const netlink::Link& link);

// Who has an address: the attachment, or none when it is not known, as on another network's bridge.
struct LivingPod {
    std::optional<AttachmentId> id;
};
using LivingLookup = std::function<Result<std::optional<LivingPod>>(const IpAddress&)>;

// Looks in the kernel, one request an address. `bridge` is the one of the network's pods; 0 when the node
// routes to them. Kernels before 5.5 know no further names, and show nobody.
LivingLookup living_on(netlink::Socket& host, netlink::IfIndex bridge);

} // namespace routelet::cni
