#pragma once
#include "base/ip.h"
#include "k8sclient/node.h"

#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace routelet::controller {

// A text of a Node object that does not parse, and why.
struct Unreadable {
    std::string text;
    std::string error;

    friend bool operator==(const Unreadable&, const Unreadable&) = default;
};

struct NodeClaim;
// Never null, except where it says so.
using NodeRef = boost::intrusive_ptr<const NodeClaim>;

// What a Node says of itself, parsed once. Nothing of it is trusted: a kubelet may write nearly all of it.
//
// Never changes: a Node that says something else is another NodeClaim. So tables and plans share it, and one
// that is out of date still names the node. One thread.
struct NodeClaim : boost::intrusive_ref_counter<NodeClaim, boost::thread_unsafe_counter> {
    // What does not parse; rare, so it takes no room where there is none.
    struct Bad {
        std::vector<Unreadable> pod_cidrs;
        std::vector<Unreadable> internal_ips;

        friend bool operator==(const Bad&, const Bad&) = default;
    };

    std::string name;
    std::chrono::sys_seconds created; // its age is its right; none, or one that is no time, counts as newest
    std::vector<IpPrefix> pod_cidrs;  // those that parse, in their order
    std::vector<IpAddress> internal_ips;
    std::unique_ptr<const Bad> bad; // null where all parse

    // At most so many of each are looked at; a real Node has two and a handful.
    static constexpr std::size_t most_claims = 16;

    static NodeRef of(const k8s::Node& node);

    const std::vector<Unreadable>& bad_pod_cidrs() const noexcept;
    const std::vector<Unreadable>& bad_internal_ips() const noexcept;

    friend bool operator==(const NodeClaim& a, const NodeClaim& b) noexcept;
};

// The older of two nodes has the better right; of the same age, the name decides.
bool is_older(const NodeClaim& a, const NodeClaim& b) noexcept;

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
    bool erase(std::string_view name);

    const std::vector<NodeRef>& nodes() const noexcept { return nodes_; } // by name
    bool contains(std::string_view name) const { return find(name) != nullptr; }
    NodeRef find(std::string_view name) const; // null when there is none

    // Nodes that came and that went since the last call, in that order.
    struct Membership {
        std::vector<NodeRef> joined;
        std::vector<NodeRef> left;
    };
    Membership take_membership() { return std::exchange(membership_, {}); }

    // Of all nodes that have changed since the last call, what they claimed and what they claim; none when
    // that is more than `most_changed` claims, since then it is not worth knowing.
    static constexpr std::size_t most_changed = 32;
    std::optional<std::vector<NodeRef>> take_changed();

private:
    using Nodes = std::vector<NodeRef>;

    Nodes::const_iterator position_of(std::string_view name) const;
    void sort_listed();
    bool replace_by(Nodes listed);
    void leave(const NodeRef& node);
    void note_changed(const NodeRef& claim);

    Nodes nodes_;
    Nodes listed_; // of the list that has begun
    Membership membership_;
    std::vector<NodeRef> changed_; // one more than the most means that there were more
};

} // namespace routelet::controller
