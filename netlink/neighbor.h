#pragma once
#include "base/ip.h"
#include "netlink/link.h"
#include "netlink/socket.h"

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace routelet::netlink {

// What the kernel knows of a neighbour (ip-neighbour(8)).
struct Neighbor {
    std::uint16_t state = 0; // NUD_REACHABLE, NUD_FAILED ... (linux/neighbour.h)
    std::optional<MacAddress> mac{};

    bool is_confirmed() const noexcept;           // it answered a while ago at most, or need not be asked
    bool is_being_asked() const noexcept;         // an answer may come yet
    std::string_view state_name() const noexcept; // as ip-neighbour(8) prints it: "REACHABLE"

    friend bool operator==(const Neighbor&, const Neighbor&) = default;
};

// Parses the payload of RTM_NEWNEIGH. Fails with bad_message.
Result<Neighbor> parse_neighbor(std::span<const std::uint8_t> payload);

// Empty when the kernel does not know it. Linux 5.0 and newer.
Result<std::optional<Neighbor>> find_neighbor(Socket& socket, IfIndex link, const IpAddress& address);

// Has the kernel ask the neighbour now whether it is there, by ARP or neighbour discovery, which takes it
// three seconds when no answer comes; find_neighbor() tells what became of it. Packets go on meanwhile.
Result<> ask_neighbor(Socket& socket, IfIndex link, const IpAddress& address);

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
