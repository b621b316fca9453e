#pragma once
#include "netlink/message.h"
#include "netlink/netns_id.h"
#include "netlink/socket.h"

#include <array>
#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace routelet::netlink {

// An Ethernet address. Prints and parses as "0a:58:0a:f4:01:02".
struct MacAddress {
    std::array<std::uint8_t, 6> bytes{};

    static Result<MacAddress> parse(std::string_view text);
    std::string to_string() const;

    friend auto operator<=>(const MacAddress&, const MacAddress&) = default;
    friend std::ostream& operator<<(std::ostream& out, const MacAddress& mac)
    {
        return out << mac.to_string();
    }
};

// A network interface (ip-link(8)).
struct Link {
    IfIndex index{};
    std::string name{};
    std::string kind{}; // IFLA_INFO_KIND: "bridge", "veth"; empty for hardware
    std::string alias{};
    std::optional<MacAddress> mac{};
    std::uint32_t mtu = 0;         // bytes
    unsigned flags = 0;            // IFF_UP, IFF_LOOPBACK, IFF_LOWER_UP (linux/if.h)
    IfIndex master{};              // the bridge that it is a port of
    IfIndex peer{};                // IFLA_LINK: a veth's other end, an index in its own namespace
    std::uint32_t group = 0;       // IFLA_GROUP; 0: default
    std::optional<bool> hairpin{}; // bridge ports only (IFLA_BRPORT_MODE)
    bool is_locked = false;        // bridge ports only: as lock_port() makes it
    bool routes_localnet = false;  // net.ipv4.conf.<link>.route_localnet, likewise
    bool forwards_ipv4 = false;    // net.ipv4.conf.<link>.forwarding; not known of a link without IPv4
    // Of net.ipv6.conf.<link>; not known of a link without IPv6.
    bool accepts_router_advertisements = false; // accept_ra is not 0
    bool keeps_ipv6_addresses = false;          // keep_addr_on_down is 1
    std::optional<bool> disables_ipv6{};        // disable_ipv6 is not 0

    // The namespace that `peer` is in, if another (IFLA_LINK_NETNSID).
    std::optional<NetnsId> peer_netns{};

    bool is_up() const noexcept;
    bool has_carrier() const noexcept; // IFF_LOWER_UP
    bool is_loopback() const noexcept;

    friend bool operator==(const Link&, const Link&) = default;
};

// Parses the payload of RTM_NEWLINK or RTM_DELLINK. Fails with bad_message.
Result<Link> parse_link(std::span<const std::uint8_t> payload);

Result<std::vector<Link>> list_links(Socket& socket);
// By name, or by index; empty when there is none. One request, never a dump.
Result<std::optional<Link>> find_link(Socket& socket, std::string_view name);
Result<std::optional<Link>> find_link(Socket& socket, IfIndex index);

// By a name that add_alternative_name() gave. Kernels before 5.5 have none.
Result<std::optional<Link>> find_link_by_alternative_name(Socket& socket, std::string_view name);

// A link with the names that add_alternative_name() gave it.
struct NamedLink {
    Link link;
    std::vector<std::string> further_names;
};
Result<std::vector<NamedLink>> list_named_links(Socket& socket);

// A bridge, up, with its address fixed so that it does not follow its ports, and without multicast snooping:
// nobody queries on a bridge of pods, and without a querier Linux sends multicast to all ports all the same,
// but works for it with each packet and at each change of a port. EEXIST when the name is taken.
struct NewBridge {
    std::string name{};
    MacAddress mac;
    std::uint32_t mtu = 0; // bytes; 0: the kernel's default. Once it has ports: the smallest of theirs
};
Request make_bridge(const NewBridge& bridge);

// A veth pair in one request: `host_name` here as a port of `bridge`, `pod_name` already inside the pod's
// namespace. The end here is up; the pod's is not, since IFF_UP on the peer fails with ENOTCONN (measured on
// 6.18), and with it carrier comes.
struct NewVeth {
    std::string host_name;
    MacAddress host_mac;
    std::string pod_name;
    MacAddress pod_mac;
    int pod_netns_fd = -1;
    IfIndex bridge{};        // 0: none
    std::uint32_t mtu = 0;   // bytes; 0: the kernel's default
    std::uint32_t group = 0; // of the end here
};
Request make_veth(const NewVeth& veth);

// Sets a bridge port up, with an alias that says whose it is, and hairpin mode, in one request.
struct PortSettings {
    IfIndex port{};
    std::string alias{}; // IFLA_IFALIAS, at most 255 bytes
    bool hairpin = true;
};
Request set_port_up(const PortSettings& settings);

// Lets a bridge port take frames only from the MAC addresses that pin_mac() gave it, and learn none
// (bridge(8): locked on, learning off). Kernels before 5.18 pass over it without an error, so read it back.
Request lock_port(IfIndex port);

// IFLA_IFALIAS, at most 255 bytes.
Request set_alias(IfIndex link, std::string_view alias);

// A further name of at most 127 bytes, which belongs to one link of the namespace only, and goes with it
// (`ip link property add dev LINK altname NAME`). EOPNOTSUPP before Linux 5.5.
Request add_alternative_name(IfIndex link, std::string_view name);

Request set_link_up(IfIndex link);
// Makes it a port of that bridge.
Request set_master(IfIndex link, IfIndex bridge);
// Deletes by name or by index; ENODEV when there is none.
Request delete_link(std::string_view name);
Request delete_link(IfIndex link);
// net.ipv4.conf.<link>.forwarding = 1, which needs CAP_NET_ADMIN only, where /proc/sys is read-only
// (IFLA_AF_SPEC, AF_INET, IFLA_INET_CONF).
Request enable_ipv4_forwarding(IfIndex link);
// net.ipv4.conf.<link>.route_localnet = 1, likewise: the node may send to the link with a source in
// 127.0.0.0/8, and take what comes from there for 127.0.0.0/8.
Request route_localnet(IfIndex link);

} // namespace routelet::netlink
