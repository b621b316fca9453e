#pragma once
#include "netlink/neighbor.h"

#include <cstdint>
#include <memory>
#include <vector>

struct mnl_socket;

namespace routelet::netlink {

// What the kernel announced of a neighbour (RTNLGRP_NEIGH): it answered, or did not, or somebody set or
// removed it.
struct NeighborChanged {
    IfIndex link{};
    IpAddress address;
    Neighbor neighbor;
    // Whose request it was: the port id of that netlink socket, mostly its process's id; 0: the kernel's own
    // doing. Removing one is announced as NUD_FAILED, too.
    std::uint32_t port = 0;
};

// Notifications about the neighbours of IPv4 and IPv6 that the kernel is sure of: that there is one at this
// MAC address (NUD_REACHABLE, NUD_STALE, NUD_PERMANENT), or none (NUD_FAILED). What happens on the way there,
// which is most, and what bridges learn, does not wake the reader: the kernel filters it (SO_ATTACH_FILTER).
//
// In the network namespace that the calling thread was in at open(). Not thread-safe. Only messages from the
// kernel itself (nl_pid 0) are believed. Some may be lost; the next ones are as true.
class NeighborMonitor {
public:
    static Result<NeighborMonitor> open();

    // Readable when there is something to read; non-blocking. Owned by the monitor.
    int fd() const noexcept;

    // Some hundred of those that wait now, in the kernel's order; empty when none do.
    Result<std::vector<NeighborChanged>> read();

private:
    struct Close {
        void operator()(mnl_socket* socket) const noexcept;
    };
    explicit NeighborMonitor(mnl_socket* socket) : socket_(socket) {}

    std::unique_ptr<mnl_socket, Close> socket_;
    std::vector<std::uint8_t> buffer_;
};

} // namespace routelet::netlink
