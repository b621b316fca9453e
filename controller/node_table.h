#pragma once
#include "base/ip.h"
#include "k8sclient/node.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace routelet::controller {

// A text of a Node object and what it parses to; the text is kept for the message when it does not.
template <class Value>
struct Claimed {
    std::string text;
    std::optional<Value> value;
    std::string error; // why there is no value

    friend bool operator==(const Claimed&, const Claimed&) = default;
};

// What a Node says of itself, parsed once. Nothing of it is trusted: a kubelet may write nearly all of it.
struct NodeClaim {
    std::string name;
    std::string uid;
    std::string created; // RFC 3339 in UTC: sorts as text; empty counts as newest
    std::vector<Claimed<IpPrefix>> pod_cidrs;
    std::vector<Claimed<IpAddress>> internal_ips;

    // At most so many of each are looked at; a real Node has two and a handful.
    static constexpr std::size_t most_claims = 16;

    static NodeClaim of(const k8s::Node& node);

    friend bool operator==(const NodeClaim&, const NodeClaim&) = default;
};

// The Nodes of the cluster as the API server last told them. Each call says whether anything changed that
// matters to routing: nearly every update of a Node is a heartbeat that does not.
class NodeTable {
public:
    bool replace(const std::vector<k8s::Node>& nodes);
    bool upsert(const k8s::Node& node);
    bool erase(const std::string& name);

    const std::map<std::string, NodeClaim>& nodes() const noexcept { return nodes_; }
    bool contains(const std::string& name) const { return nodes_.contains(name); }

private:
    std::map<std::string, NodeClaim> nodes_; // by name
};

} // namespace routelet::controller
