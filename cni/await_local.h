#pragma once
#include "base/ip.h"
#include "netlink/socket.h"

#include <vector>

namespace routelet::cni {

// Waits until the kernel delivers what comes for these addresses, which were just added in the namespace of
// `socket`. An IPv6 address comes into effect by a worker thread, also one without duplicate address
// detection (addrconf_dad_work), as a rule before it is asked for here; until then packets for it are
// dropped. Gives up after 100 ms: on a machine that is so slow the address comes a little later. Of IPv4
// nothing is asked.
void await_local(netlink::Socket& socket, const std::vector<IpAddress>& addresses);

} // namespace routelet::cni
