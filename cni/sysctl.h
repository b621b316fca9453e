#pragma once
#include "base/result.h"
#include "netlink/link.h"

#include <string_view>

namespace routelet::cni {

// The few settings of /proc/sys/net that netlink has no message for, in the network namespace that the
// calling thread is in. A value that is known to be right is not written: /proc/sys may be read-only. What a
// link has is in what the kernel tells of it, which costs nothing to look at.

// The node routes IPv6. An interface that learns its default route from router advertisements goes on doing
// so: forwarding would end that, unless accept_ra is 2 (Linux Documentation/networking/ip-sysctl.rst).
// Fails with the errno of the write, naming the setting.
Result<> turn_on_ipv6_forwarding();

// No pod makes itself the node's IPv6 router through this interface (CVE-2020-10749). Without IPv6, or where
// /proc/sys is read-only, nothing happens: forwarding, which is on, has the kernel ignore them as well.
void ignore_router_advertisements(const netlink::Link& interface);
void ignore_router_advertisements(std::string_view new_interface);

// The interface's IPv6 addresses outlive its being set down and up again, as IPv4 ones do anyway: pods have
// the bridge's as their default gateway. Where /proc/sys is read-only, nothing happens.
void keep_addresses_on_down(const netlink::Link& interface);

// Clears disable_ipv6, which some runtimes set in new namespaces.
Result<> enable_ipv6(std::string_view interface);

} // namespace routelet::cni
