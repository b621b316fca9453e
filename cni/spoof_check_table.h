#pragma once
#include "base/ip.h"
#include "netlink/link.h"
#include "netlink/nftables.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace routelet::cni {

// The nftables tables `bridge routelet-spoof-check` and `inet routelet-spoof-check`, which drop what a pod
// sends from addresses that are not its own. They are there from the first such pod on, always both, and all
// of them is Routelet's.
inline constexpr const char* spoof_check_table_name = "routelet-spoof-check";

// What marks the host's ends of pods that are checked: their group (ip-link(8)), which goes with the link. So
// what the tables have to hold can always be told from the links. Large, since what others have in a group of
// these numbers would be checked as well, and dropped.
inline constexpr std::uint32_t checked_port_group = 8'200'082;  // a port of a bridge
inline constexpr std::uint32_t checked_route_group = 8'200'083; // the node routes to it (Mode::ptp)

// The addresses that pods may send from, as the sets addresses4 and addresses6 of the bridge's table hold
// them: a link's name and an address. Sorted.
struct PodSources {
    std::vector<netlink::NftElement> ipv4;
    std::vector<netlink::NftElement> ipv6;

    void add(const std::string& link, const IpAddress& address); // keeps them sorted; one that is there, once
};

const char* pod_source_set(IpFamily family); // the set's name

// The link of an element of those sets.
std::string link_in(const netlink::NftElement& element);

// On the bridge: of what ports of the group send, ARP and IPv4 have to be from the port's addresses, IPv6
// too, neighbour advertisements about them, and no router advertisement or redirect. Nothing else passes.
// The MAC address is the port's matter (netlink::lock_port()).
netlink::NftTable spoof_check_table(const PodSources& sources);
// Where the node routes: packets of links of the group that would be answered by another way.
netlink::NftTable routed_spoof_check_table();

// Changes the first, which has `from`, for Socket::execute_atomically(). Fails, changing nothing, when that
// is not so.
std::vector<netlink::Request> change_spoof_check_table(const PodSources& from, const PodSources& to);

// IPv6's link-local address of an interface with this MAC address (RFC 4291 appendix A), and back.
IpAddress link_local_of(const netlink::MacAddress& mac);
std::optional<netlink::MacAddress> mac_in(const IpAddress& link_local);

} // namespace routelet::cni
