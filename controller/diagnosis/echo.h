#pragma once
#include "base/ip.h"
#include "base/result.h"

#include <chrono>
#include <cstddef>

namespace routelet::controller {

// One ICMP or ICMPv6 echo (RFC 792, RFC 4443), as ping(8) sends it.
struct Echo {
    IpAddress from; // an address of this machine
    IpAddress to;
    std::size_t packet = 84; // bytes of the whole IP packet, which is not fragmented; 84 at least
    std::chrono::milliseconds patience{1000};
};

// Whether an answer came; false also where the packet is too large for the link it leaves by. Fails where
// this process may not send echoes: with permission_denied where net.ipv4.ping_group_range does not have its
// group.
Result<bool> is_answered(const Echo& echo);

} // namespace routelet::controller
