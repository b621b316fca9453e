#pragma once
#include "base/ip.h"
#include "netlink/message.h"
#include "netlink/socket.h"

#include <vector>

namespace routelet::netlink {

// An address of an interface (ip-address(8)).
struct InterfaceAddress {
    IfIndex link{};
    IpAddress address;       // IFA_LOCAL: ours, also on point-to-point links
    unsigned length = 0;     // bits of the prefix
    std::uint32_t flags = 0; // IFA_F_TENTATIVE, IFA_F_NOPREFIXROUTE, IFA_F_SECONDARY ...
    std::uint8_t protocol =
        0; // IFA_PROTO, who made it, as rtm_protocol has it; 0: not told (Linux before 5.18)

    IpPrefix network() const noexcept { return IpPrefix::of(address, length); }

    friend bool operator==(const InterfaceAddress&, const InterfaceAddress&) = default;
};

// Parses the payload of RTM_NEWADDR or RTM_DELADDR. Fails with bad_message.
Result<InterfaceAddress> parse_address(std::span<const std::uint8_t> payload);

// All addresses, or those of one link. Both families.
Result<std::vector<InterfaceAddress>> list_addresses(Socket& socket);
Result<std::vector<InterfaceAddress>> list_addresses(Socket& socket, IfIndex link);

// RTM_NEWADDR with CREATE|EXCL (EEXIST when it is there). IPv4 gets the broadcast address of its network,
// IPv6 is usable at once (IFA_F_NODAD): in a podCIDR nobody but us gives out addresses.
Request add_address(const InterfaceAddress& address);
Request delete_address(const InterfaceAddress& address);

} // namespace routelet::netlink
