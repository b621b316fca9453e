#pragma once
#include "base/result.h"
#include "controller/diagnosis/host_settings.h"
#include "controller/diagnosis/look.h"
#include "controller/finding.h"
#include "controller/kernel.h"
#include "netlink/legacy_table.h"
#include "netlink/link.h"
#include "netlink/listed_chain.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace routelet::controller {

// `routelet doctor`: what of this machine, beside Routelet's own doing, loses pods' packets or will. All here
// is pure; controller/diagnosis/machine.h reads the machine.

// A link that packets of pods of other nodes, or of the world outside, come in and leave by.
struct Uplink {
    std::string name;
    std::uint32_t mtu = 0;     // bytes
    bool forwards_ipv4 = true; // net.ipv4.conf.<link>.forwarding
    bool is_rp_filter_strict = false;
};

// The table of neighbours (arp(7)), of one family: how many it must hold, and may.
struct NeighborRoom {
    IpFamily family = IpFamily::v4;
    std::size_t needed = 0;
    std::size_t most = 0; // gc_thresh3
};

// What became of echoes to a node's address.
struct NodeProbe {
    IpAddress node;
    Result<bool> answers;       // to this machine's own address
    bool answers_pods = false;  // to this machine's address on the pods' bridge
    bool answers_large = false; // to a packet as large as the link's MTU
    std::uint32_t mtu = 0;      // that link's, bytes
    IpAddress asked_as_pod{};   // the bridge's address; 0.0.0.0: it has none
};

struct MachineFacts {
    std::string pod_bridge; // empty: a router, which has none
    bool bridge_forwards_ipv4 = true;
    bool is_bridge_used = true; // it is there, and no pod has a link that is not its port
    std::vector<Uplink> uplinks{};
    std::optional<bool> forwards_ipv6{}; // none: there are no IPv6 routes to pods
    std::uint64_t rp_filter_drops = 0;   // packets since boot (TcpExtIPReversePathFilter)
    Result<std::vector<netlink::ListedChain>> forward_chains{std::vector<netlink::ListedChain>{}};
    // Of the families that there are routes to pods of; IPv4 while there are none.
    Result<std::vector<netlink::LegacyTable>> legacy_tables{std::vector<netlink::LegacyTable>{}};
    std::vector<NeighborRoom> neighbors{}; // families whose limits could be read
    std::uint32_t largest_pod_mtu = 0;     // bytes; 0: there are no pods
    std::size_t pods_with_it = 0;
    std::vector<std::string> foreign_links{};  // of other networks' plugins that are known by name
    std::vector<std::string> foreign_chains{}; // likewise: "FLANNEL-FWD of nftables table ip filter"
    std::optional<std::vector<std::string>> conflists_before{}; // none: the folder is not there
    NetworkdSettings networkd{};
    NetworkManagerSettings network_manager{};
    std::vector<NodeProbe> probes{};
};

// Each look has the finding's code if it is broken; docs/troubleshooting.md has them all.
std::vector<Look> examine(const MachineFacts& machine);
// Of those that are broken and have a code: what the agent tells.
std::vector<Finding> findings_of(const std::vector<Look>& looks);

// Whether a link of that name is one that another network's plugin makes: "cni0", "flannel.1", "cilium_host".
bool is_of_other_plugin(const netlink::Link& link);
// Whether nftables' chain of that name is another pod network's: "FLANNEL-POSTRTG", "KIND-MASQ-AGENT". Not
// those of who does network policy, which a cluster may have beside Routelet.
bool is_chain_of_other_network(std::string_view table, std::string_view name);

} // namespace routelet::controller
