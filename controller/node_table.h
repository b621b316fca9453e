#pragma once
#include "base/ip.h"
#include "k8sclient/node.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace routelet::controller {

// A text of a Node object that does not parse, and why.
struct Unreadable {
    std::string text;
    std::string error;

    friend bool operator==(const Unreadable&, const Unreadable&) = default;
};

// What a Node says of itself, parsed once. Nothing of it is trusted: a kubelet may write nearly all of it.
struct NodeClaim {
    std::string name = {};
    std::string uid = {};
    std::string created = {};             // RFC 3339 in UTC: sorts as text; empty counts as newest
    std::vector<IpPrefix> pod_cidrs = {}; // those that parse, in their order
    std::vector<IpAddress> internal_ips = {};
    std::vector<Unreadable> bad_pod_cidrs = {};
    std::vector<Unreadable> bad_internal_ips = {};

    // At most so many of each are looked at; a real Node has two and a handful.
    static constexpr std::size_t most_claims = 16;

    static NodeClaim of(const k8s::Node& node);

    friend bool operator==(const NodeClaim&, const NodeClaim&) = default;
};

// The Nodes of the cluster as the API server last told them. Each call says whether anything changed that
// matters to routing: nearly every update of a Node is a heartbeat that does not.
//
// Of an oversized Node only the name is known: what was known of it before stays.
class NodeTable {
public:
    // A new list, node by node. It counts once all of it is there: end_list() forgets the nodes that are not
    // in it. Beginning anew drops a list that was interrupted. Between the two nothing else may change the
    // table.
    void begin_list();
    void list(const k8s::Node& node);
    bool end_list();

    bool upsert(const k8s::Node& node);
    bool erase(const std::string& name);

    const std::map<std::string, NodeClaim>& nodes() const noexcept { return nodes_; }
    bool contains(const std::string& name) const { return nodes_.contains(name); }

private:
    using Nodes = std::map<std::string, NodeClaim>; // by name

    Nodes nodes_;
    Nodes listed_;                       // of the list that has begun: new or changed
    std::vector<const NodeClaim*> same_; // of the list that has begun: those in nodes_ that stay as they are
};

} // namespace routelet::controller
