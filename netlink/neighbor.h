#pragma once
#include "base/ip.h"
#include "netlink/link.h"

namespace routelet::netlink {

// Writes the neighbour entry (ip-neighbour(8)) for `address` on `link`, replacing a stale one of the
// address's previous owner; it ages like a learned one (NUD_STALE).
Request set_neighbor(IfIndex link, const IpAddress& address, const MacAddress& mac);
// The same, never asked about and never forgotten (NUD_PERMANENT).
Request pin_neighbor(IfIndex link, const IpAddress& address, const MacAddress& mac);

} // namespace routelet::netlink
