#pragma once
#include "base/result.h"
#include "cni/config.h"

namespace routelet::cni {

// STATUS (CNI SPEC 1.1.0, section 4): whether an ADD could be served now. Fails with
// - not_available when it could not: no free address, no port left on the bridge, its name taken by something
//   else, a state folder that cannot be used, or an agent that has not set up the node since it booted,
// - limited_connectivity when pods that are there have no network either: their bridge is gone or down.
// The message says what to do.
//
// Runtimes ask every five seconds, and a failure makes the node NotReady, where only pods of the host's
// network are started. So nothing here needs a pod to become right again. It changes nothing and waits for no
// lock. A fresh node, without bridge and folder, is fine: ADD makes both.
Result<> check_status(const Config& config);

} // namespace routelet::cni
