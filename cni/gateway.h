#pragma once
#include "base/ip.h"
#include "base/result.h"
#include "cni/config.h"
#include "netlink/address.h"
#include "netlink/socket.h"

#include <vector>

namespace routelet::cni {

// Where a pod's packets go first: an address of the node, in the subnet of the pod's own.
struct Gateway {
    IpAddress address;
    unsigned length = 0; // bits, of the subnet
};

// Of all ranges, each once.
std::vector<Gateway> gateways(const PodNetwork& network);

bool has_family(const std::vector<Gateway>& gateways, IpFamily family);

// Gives links addresses that they may have already; all are in effect afterwards, as await_local() says.
Result<> ensure_addresses(netlink::Socket& host, const std::vector<netlink::InterfaceAddress>& addresses);

} // namespace routelet::cni
