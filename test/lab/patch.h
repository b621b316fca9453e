#pragma once
#include "test/lab/json.h"

#include <string>

namespace routelet::lab {

// The object that a PATCH body makes of `object`, by its content type: application/merge-patch+json
// (RFC 7396), application/json-patch+json (RFC 6902) or application/strategic-merge-patch+json.
//
// Throws Refusal: 415 for another type, 400 for a body that is no patch, 422 for one that does not apply,
// 500 for a strategic patch whose list item lacks its key, as the real server does.
Json patched(const Json& object, const std::string& content_type, const std::string& body);

// The strategic merge for Nodes and Events (k8s.io/apimachinery/pkg/util/strategicpatch). Lists merge by key:
// status.conditions and status.addresses by type, spec.taints by key, metadata.ownerReferences by uid;
// metadata.finalizers and spec.podCIDRs are sets; any other list is replaced. Understands $patch: replace and
// delete, and $deleteFromPrimitiveList; $setElementOrder and $retainKeys are accepted and have no effect.
Json strategic_merge(const Json& object, const Json& patch);

} // namespace routelet::lab
