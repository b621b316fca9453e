#pragma once
#include "base/result.h"
#include "cni/config.h"
#include "cni/environment.h"

#include <string>

namespace routelet::cni {

// One call of the plugin "loopback", which container runtimes run for each pod beside the network's own
// plugin, at the same time: ADD sets the pod's lo up, and hands back its addresses or what plugins before it
// did; CHECK fails when it is down. DEL leaves it up, as it goes with its namespace. GC and STATUS have
// nothing to do. Errors are those of the network's plugin.
//
// `input` is the configuration that `config` was read from; of it, only prevResult is looked at.
Result<std::string> run_loopback(const Environment& call, const Config& config, const std::string& input);

} // namespace routelet::cni
