#pragma once
#include "base/ip.h"
#include "netlink/message.h"
#include "netlink/socket.h"

#include <cstdint>
#include <optional>
#include <ostream>
#include <vector>

namespace routelet::netlink {

// Who made a route: rtm_protocol (linux/rtnetlink.h, /etc/iproute2/rt_protos).
enum class RouteProtocol : std::uint8_t {};

constexpr std::uint8_t to_int(RouteProtocol protocol) noexcept
{
    return static_cast<std::uint8_t>(protocol);
}

// The name that iproute2 prints for it, or the number: "kernel", "static", "82".
std::string to_string(RouteProtocol protocol);

// One route of one table (ip-route(8)). Multipath routes hold their first next hop, and is_multipath is set:
// we never write one, so that is enough to tell that it is not ours as we wrote it.
struct Route {
    IpPrefix destination;
    std::optional<IpAddress> gateway{}; // RTA_GATEWAY; none for a connected route
    IfIndex oif{};                      // RTA_OIF; 0 for unreachable and blackhole
    std::uint32_t table = 254;          // RT_TABLE_MAIN
    std::uint32_t metric = 0;           // RTA_PRIORITY; IPv6 turns 0 into 1024
    RouteProtocol protocol{};
    std::uint8_t type = 1;     // RTN_UNICAST, RTN_UNREACHABLE ...
    std::uint8_t scope = 0;    // RT_SCOPE_UNIVERSE; the kernel's for IPv6
    bool is_multipath = false; // RTA_MULTIPATH, or a nexthop object (RTA_NH_ID)
    std::uint32_t flags = 0;   // RTNH_F_LINKDOWN, RTNH_F_DEAD ...

    friend bool operator==(const Route&, const Route&) = default;
    // As ip-route(8) prints it, without the interface's name: "10.244.2.0/24 via 192.168.1.12 proto 82 metric
    // 8200"
    friend std::ostream& operator<<(std::ostream& out, const Route& route);
};

// Parses the payload of RTM_NEWROUTE or RTM_DELROUTE. Fails with bad_message on anything malformed, and on
// families other than IPv4 and IPv6. Cached and cloned routes (RTM_F_CLONED) fail with not_supported.
Result<Route> parse_route(std::span<const std::uint8_t> payload);

// All routes of one table, both families. IPv6's local and multicast ones live in other tables.
Result<std::vector<Route>> list_routes(Socket& socket, std::uint32_t table = 254);

// RTM_NEWROUTE: CREATE|EXCL, for a destination at our metric where nobody has a route; EEXIST otherwise.
Request create_route(const Route& route);
// RTM_NEWROUTE: CREATE|REPLACE. Replaces whatever has this destination, table and metric, whoever made it:
// call it only for a route that was read back as ours.
Request replace_route(const Route& route);
// RTM_DELROUTE with destination, table, metric, protocol, type and next hop together, so that it can remove
// no other than this: IPv4 may have several that differ in the next hop alone. Of several next hops none is
// named. Somebody else's having been faster (ESRCH) is for the caller to take as success.
Request delete_route(const Route& route);

// The route that packets to `address` would take now, as its table holds it (RTM_GETROUTE with
// RTM_F_FIB_MATCH, as `ip route get fibmatch`). Fails with what a packet would meet: network_unreachable
// where no route matches, host_unreachable at an unreachable one.
Result<Route> route_to(Socket& socket, const IpAddress& address);

} // namespace routelet::netlink
