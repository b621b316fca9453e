#pragma once
#include "controller/log.h"
#include "controller/options.h"
#include "k8sclient/config.h"

namespace routelet::controller {

// `routelet run`: watches Nodes and the kernel, reconciles, until SIGTERM or SIGINT, and leaves every route
// in place. Returns the exit status. Fails when the kernel or the configuration does not let it start; an API
// server that is away is waited for.
Result<int> run_agent(const RunOptions& options, const Log& log);

} // namespace routelet::controller
