#pragma once
#include "base/result.h"
#include "netlink/message.h"
#include "netlink/socket.h"

namespace routelet::cni {

// Deletes a link of the network namespace that `host` and the calling thread are in, and returns when it is
// out of the kernel's tables: neither its name nor its addresses are in use any more. Having none is success.
//
// Whoever deletes a link is kept in the kernel until each processor has passed a grace period (rcu_barrier()
// in netdev_run_todo(), net/core/dev.c), some 15 ms in which nothing is left to do. A child process waits in
// our stead. It holds no file but its own socket and a pipe to us, ends by itself, and its new parent, as a
// rule the machine's init, reaps it. Where no process can be made we wait ourselves.
Result<> remove_link(netlink::Socket& host, netlink::IfIndex link);

} // namespace routelet::cni
