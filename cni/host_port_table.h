#pragma once
#include "cni/host_port.h"
#include "netlink/nftables.h"

#include <vector>

namespace routelet::cni {

// The nftables table `inet routelet-hostports`, which leads the node's ports to pods. It is there from the
// first pod on that has one, and all of it is Routelet's.
inline constexpr const char* host_port_table_name = "routelet-hostports";

// The table for these records. Maps all4, all6 (ports of every address of the node) and some4, some6 (of a
// certain one), the set links, and chains that do this:
//
//     prerouting    packets to the node's own addresses, and to no others (CVE-2025-67499), to the pod.
//                   One that comes from where its pod is, is marked with 0x2000, as the plugin portmap does
//     output        the same for the node's own, but for ::1: Linux routes that to no other interface
//     postrouting   what is marked, and what comes from 127.0.0.0/8, gets an address of the node's for its
//                   source, since the answer would otherwise pass the node by
//     guard         127.0.0.0/8 from outside goes nowhere, though Linux would let it in by the links' setting
//                   route_localnet, which is for the node's own packets
//
// They come right behind kube-proxy's (priority dstnat + 1), so that no port takes a Service's packets
// (CVE-2019-9946). Of records that clash, the first has the port.
netlink::NftTable host_port_table(const std::vector<HostPortRecord>& records);

// What makes the kernel's table that of other records, for Socket::execute_atomically(): some twenty times
// faster than writing it anew, and with the same effect if it is that of `from`; else it fails, or leaves
// what was different before.
std::vector<netlink::Request> change_host_port_table(const std::vector<HostPortRecord>& from,
                                                     const std::vector<HostPortRecord>& to);

} // namespace routelet::cni
