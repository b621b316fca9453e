#pragma once
#include "base/result.h"
#include "cni/config.h"
#include "cni/environment.h"
#include "cni/ipam.h"
#include "netlink/link.h"
#include "netlink/netns.h"
#include "netlink/socket.h"

#include <optional>
#include <string>
#include <vector>

namespace routelet::cni {

// The two network namespaces that an attachment joins, and a socket in each. The calling thread stays in the
// host's, which is the one that it was in at open().
struct Sides {
    netlink::NetNamespace host_netns;
    netlink::NetNamespace pod_netns;
    netlink::Socket host;
    netlink::Socket pod;

    // Fails with invalid_netns when the path is no network namespace, or is the one we are in: the pod's
    // interface would become the node's.
    static Result<Sides> open(const std::string& netns);
};

// The host's end of an attachment: the same name for the same attachment, so that nothing has to be
// remembered to delete it.
std::string host_interface_name(const AttachmentId& id); // "veth0123456789a"
// Its alias; set by the last step of attach(), so whoever carries it, and is up, is complete.
std::string host_interface_alias(const AttachmentId& id); // "<container>/<interface>"

// 0a:58 and the IPv4 address, as other bridge plugins make it: who gets the address next has the same MAC,
// and no neighbour's memory is wrong. Without IPv4 the address's hash takes its place.
netlink::MacAddress mac_for(const std::vector<IpAddress>& addresses);

// What all pods of the node have in common: the gateways' addresses, and forwarding. In Mode::bridge the
// bridge has them, and is returned; it is made when there is none, up, and what others configured on it
// stays. Anybody may do the same at the same time. Fails with invalid_config when the bridge's name is that
// of another kind of interface.
Result<std::optional<netlink::Link>> ensure_network(netlink::Socket& host, const PodNetwork& network);

// Makes way for attach(): removes what a killed ADD of the same attachment left. Fails with already_attached
// when the attachment is complete, or the pod has another interface of that name.
Result<> clear_unfinished(Sides& sides, const AttachmentId& id);

// The interfaces of a complete attachment, and the routes that were made for it: a default route only where
// the pod had none.
struct Attached {
    std::optional<netlink::Link> bridge; // Mode::bridge
    netlink::Link host;                  // index, name, MAC address and MTU
    netlink::MacAddress pod_mac;
    std::vector<ResultRoute> routes;
};
// Makes the pod's interface and its host end, with addresses and routes, and sets both up. A failure may
// leave parts: detach() removes them.
Result<Attached> attach(Sides& sides, const AttachmentId& id, const PodNetwork& network,
                        const std::optional<netlink::Link>& bridge, const std::vector<PodAddress>& addresses);

// Deletes the attachment's host end, and the pod's end with it; having none is success. Fails when the host
// end has another alias than ours: nothing says whose it is, and its addresses are in use.
Result<> detach(netlink::Socket& host, const AttachmentId& id);

// Deletes the pod's interface from inside, which finds one whose host end has another name, or another alias,
// than ours; but none of another attachment. Whatever is wrong with the namespace means that the interface is
// gone with it.
Result<> delete_pod_interface(const std::string& netns, const AttachmentId& id);

} // namespace routelet::cni
