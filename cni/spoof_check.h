#pragma once
#include "base/result.h"
#include "cni/netfilter.h"
#include "cni/spoof_check_table.h"
#include "netlink/link.h"
#include "netlink/socket.h"

#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace routelet::cni {

// Pods that can send from no address but their own ("spoofCheck"). Of a pod that is a port of the bridge, the
// port is locked to the pod's MAC address, and a table holds the addresses that it may send from; where the
// node routes, the table asks for the way back. What is checked, and as what, can be told from the links
// alone: their group says which are, and their further names the addresses (living_name()), IPv6's link-local
// one among them, which tells the MAC address. So nothing is kept besides, nothing goes with the pod but its
// link, and who finds the tables changed writes them anew. Elements of links that are gone harm nobody, since
// no other pod's link ever has the name; repair() removes them.
//
// Whoever changes the tables does it only if nobody has meanwhile, so ADD and the agent need no lock between
// them. Not thread-safe.
class SpoofCheck {
public:
    SpoofCheck();

    // Lets a port of checked_port_group send from these addresses, the link-local one of its MAC address
    // among them, and from no others. The link has the names already. Fails with try_again_later, as the next
    // does, only when others have changed rules all the time for ten seconds.
    Result<> admit(netlink::Socket& host, const std::string& link, const std::vector<IpAddress>& addresses);
    // Sees to it that links of checked_route_group are checked.
    Result<> admit_routed(netlink::Socket& host);

    // Makes everything as it should be: ports, tables. Returns what was different, in a few words; empty when
    // nothing was. Does nothing where no link is checked and no table is there. Waits for nobody: fails with
    // try_again_later when somebody changed rules meanwhile.
    Result<std::string> repair(netlink::Socket& host);

    // For CHECK: the same, changing nothing.
    Result<std::string> difference(netlink::Socket& host);

private:
    struct Found;
    Result<Found> look(netlink::Socket& host, std::string_view being_added);
    Result<std::string> repair(netlink::Socket& host, std::string_view being_added,
                               std::chrono::milliseconds patience);
    Result<std::string> repair_once(netlink::Socket& host, std::string_view being_added);

    Netfilter netfilter_;
};

// Whether the host's end is that of a pod that is checked.
bool is_checked(const netlink::Link& link) noexcept;

// The ports of a bridge that are checked by their group, but not locked to their MAC address: how to mend
// that. Of an ADD that is at work, none.
struct UnlockedPorts {
    std::size_t ports = 0;
    std::vector<netlink::Request> remedy;
};
Result<UnlockedPorts> find_unlocked_ports(netlink::Socket& host,
                                          const std::vector<netlink::NamedLink>& links);

// Attempts all; the first failure but that a pod, and with it its link, went meanwhile.
Result<> execute_on_pods(netlink::Socket& host, std::span<const netlink::Request> requests);

} // namespace routelet::cni
