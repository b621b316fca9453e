#pragma once
#include "controller/command_line/options.h"
#include "controller/log.h"
#include "k8sclient/config.h"

namespace routelet::controller {

// `routelet run`: watches Nodes and the kernel, reconciles, until SIGTERM or SIGINT ends the process with
// status 0 and every route in place. Returns only with an error: the configuration or the kernel does not let
// it start. An API server that is away is waited for.
Result<> run_agent(const RunOptions& options, const Log& log);

} // namespace routelet::controller
