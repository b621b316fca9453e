#pragma once
#include "base/result.h"
#include "cni/config.h"
#include "cni/ipam.h"
#include "netlink/link.h"
#include "netlink/message.h"
#include "netlink/socket.h"

#include <optional>
#include <string>
#include <vector>

namespace routelet::cni {

// Mode::ptp. No bridge, and no limit of 1,023 pods: the host end of each pod's veth pair is a link of its
// own, with a route to the pod's address alone, and the node forwards between them. The gateways' addresses
// are on lo, once for all pods, so that a pod more costs the same whatever their number, and none of it is
// news for the agent, which plans by links and addresses.
//
// In the pod it looks as with the plugin ptp: the address has its subnet's length but no connected route, and
// the subnet is behind the gateway, which is on the link. The gateway's neighbour entry never ages: Linux
// answers for an IPv6 address on lo on no other link.

// By what `routelet cleanup` knows the gateways' addresses (IFA_PROTO).
inline constexpr std::uint8_t gateway_protocol = 82;

// The gateways' addresses, and IPv6 forwarding. Anybody may do the same at the same time.
Result<> ensure_gateways(netlink::Socket& host, const PodNetwork& network);

// What the pod's interface, which is up and has its addresses, needs to reach its gateways.
std::vector<netlink::Request> ways_to_gateways(netlink::IfIndex in_pod, const netlink::MacAddress& host_mac,
                                               const std::vector<PodAddress>& addresses);

// What the host end needs, which is up, to be the way to the pod.
std::vector<netlink::Request> ways_to_pod(netlink::IfIndex host_end,
                                          const std::vector<PodAddress>& addresses);

// What of the node's side is not as those two left it, with the remedy; nothing is the usual answer.
Result<std::optional<std::string>> find_fault(netlink::Socket& host, const netlink::Link& host_end,
                                              const std::vector<ResultAddress>& addresses);

} // namespace routelet::cni
