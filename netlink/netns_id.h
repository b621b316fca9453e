#pragma once
#include "netlink/socket.h"

#include <vector>

namespace routelet::netlink {

// By which number one network namespace knows another (ip-netns(8), "nsid"). The kernel gives it once a link
// leads there, and takes it back when that namespace is gone, not when the link is.
enum class NetnsId : int {};

// All the namespaces that the socket's one knows so. Linux 4.0 has them.
Result<std::vector<NetnsId>> list_netns_ids(Socket& socket);

} // namespace routelet::netlink
