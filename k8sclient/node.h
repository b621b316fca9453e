#pragma once
#include <cstddef>
#include <string>
#include <vector>

namespace routelet::k8s {

// What an object may take in what the API server sends; etcd refuses those of more than about 1.5 MB.
inline constexpr std::size_t object_limit = 4U << 20U; // bytes

// What an entry of a Node's status.conditions says (core/v1 NodeCondition). Both empty: there is no such
// entry.
struct ConditionState {
    std::string status = {}; // "True", "False", "Unknown"
    std::string reason = {}; // CamelCase

    friend bool operator==(const ConditionState&, const ConditionState&) = default;
};

// The part of a Node (core/v1) that the agent needs, as the API server sent it: nothing here is checked,
// since a kubelet may write almost all of it. Absent fields are empty.
struct Node {
    std::string name = {};                   // metadata.name
    std::string uid = {};                    // metadata.uid; another one under the same name is another node
    std::string created = {};                // metadata.creationTimestamp, RFC 3339 in UTC: sorts as text
    std::vector<std::string> pod_cidrs = {}; // spec.podCIDRs, else spec.podCIDR
    std::vector<std::string> internal_ips = {}; // status.addresses of type InternalIP, in their order
    ConditionState network_unavailable = {};    // status.conditions of type NetworkUnavailable
    // The object is larger than object_limit, and of its fields only the name is known. It concerns no other
    // node, and what was known of it before is the best there is.
    bool is_oversized = false;

    friend bool operator==(const Node&, const Node&) = default;
};

} // namespace routelet::k8s
