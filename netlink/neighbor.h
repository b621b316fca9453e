#pragma once
#include "base/ip.h"
#include "netlink/link.h"
#include "netlink/socket.h"

#include <vector>

namespace routelet::netlink {

// Writes the neighbour entry (ip-neighbour(8)) for `address` on `link`, replacing a stale one of the
// address's previous owner; it ages like a learned one (NUD_STALE).
Request set_neighbor(IfIndex link, const IpAddress& address, const MacAddress& mac);
// The same, never asked about and never forgotten (NUD_PERMANENT).
Request pin_neighbor(IfIndex link, const IpAddress& address, const MacAddress& mac);

// A MAC address that a bridge expects at one port only, and at no other whatever it hears (`bridge fdb add
// MAC dev PORT master static sticky`). Goes with the port.
struct PinnedMac {
    IfIndex port{};
    MacAddress mac;

    friend auto operator<=>(const PinnedMac&, const PinnedMac&) = default;
};
// Fails with EOPNOTSUPP when the port is on no bridge. Linux 5.0 and newer.
Request pin_mac(const PinnedMac& pinned);

// Of all bridges, in the order of the ports.
Result<std::vector<PinnedMac>> list_pinned_macs(Socket& socket);

} // namespace routelet::netlink
