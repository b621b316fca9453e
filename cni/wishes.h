#pragma once
// Private to cni/: what a network configuration has of one pod's own.
#include "base/result.h"
#include "cni/config.h"
#include "cni/environment.h"

#include <nlohmann/json_fwd.hpp>

namespace routelet::cni {

// The addresses and the MAC address that the caller wants by name (CNI_ARGS, args.cni, runtimeConfig), from
// the weakest source to the strongest; all addresses count. `pod` has its ranges already.
Result<> parse_wishes(const nlohmann::json& document, const CniArgs& args, PodNetwork& pod);

// runtimeConfig.portMappings.
Result<> parse_port_mappings(const nlohmann::json& document, PodNetwork& pod);

} // namespace routelet::cni
