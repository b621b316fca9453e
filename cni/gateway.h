#pragma once
#include "base/ip.h"
#include "cni/config.h"

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

} // namespace routelet::cni
