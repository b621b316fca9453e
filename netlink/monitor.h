#pragma once
#include "base/result.h"
#include "netlink/address.h"
#include "netlink/link.h"
#include "netlink/route.h"

#include <cstdint>
#include <memory>
#include <variant>
#include <vector>

struct mnl_socket;

namespace routelet::netlink {

// What the kernel announced (rtnetlink(7)). It does not announce everything: IPv4 routes that vanish with
// their link or address go silently, which is why links and addresses are watched too.
struct RouteChanged {
    Route route;
    bool removed = false;
    // Whose request it was: the port id of that netlink socket, mostly its process's id; 0: the kernel's own
    // doing.
    std::uint32_t port = 0;
};
struct LinkChanged {
    Link link;
    bool removed = false;
};
struct AddressChanged {
    InterfaceAddress address;
    bool removed = false;
};
// net.ipv4.conf.<link>.forwarding was written in /proc/sys, which no LinkChanged tells (RTM_NEWNETCONF,
// linux/netconf.h); not what was written for all links or for new ones.
struct ForwardingChanged {
    IfIndex link{};
    bool forwards = false;
};
// Notifications were lost (ENOBUFS): nothing that was learned from them holds, dump again.
struct Overrun {};

using KernelEvent = std::variant<RouteChanged, LinkChanged, AddressChanged, ForwardingChanged, Overrun>;

// Notifications about routes, links and addresses of both families, and IPv4 forwarding, in the network
// namespace that the calling thread was in at open(). Open it before the first dump, so that nothing falls in
// between. Not thread-safe. Only messages from the kernel itself (nl_pid 0) are believed.
class Monitor {
public:
    static Result<Monitor> open();

    // Readable when there is something to read; non-blocking. Owned by the monitor.
    int fd() const noexcept;

    // Everything that waits now, in the kernel's order; empty when nothing does. Messages that do not parse
    // are dropped. At most some hundred at a time: call again until it is empty.
    Result<std::vector<KernelEvent>> read();

private:
    struct Close {
        void operator()(mnl_socket* socket) const noexcept;
    };
    explicit Monitor(mnl_socket* socket) : socket_(socket) {}

    std::unique_ptr<mnl_socket, Close> socket_;
    std::vector<std::uint8_t> buffer_;
};

} // namespace routelet::netlink
