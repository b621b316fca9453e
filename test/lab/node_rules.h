#pragma once
#include "test/lab/json.h"

namespace routelet::lab {

// What the API server itself does to and demands of a Node (kubernetes pkg/apis/core validation and
// defaults). Each throws Refusal 422.

// Fills spec.podCIDRs from spec.podCIDR and back, where only one is there or they differ: podCIDR wins.
void default_pod_cidrs(Json& node);
// Name, and podCIDRs: at most one of each family, in the sloppy notation that Go accepts ("10.001.0.5/24").
void check_new_node(const Json& node);
// podCIDRs and providerID are immutable once set; addresses hold no exact duplicates.
void check_node_update(const Json& before, const Json& after);

} // namespace routelet::lab
