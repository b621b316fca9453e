#pragma once
#include "base/result.h"
#include "k8sclient/config.h"
#include "k8sclient/reflector_policy.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/system/result.hpp>

#include <chrono>
#include <memory>
#include <string>

namespace routelet::k8s {

// An entry of a Node's status.conditions (core/v1 NodeCondition).
struct NodeCondition {
    std::string type;    // "NetworkUnavailable"
    std::string status;  // "True", "False", "Unknown"
    std::string reason;  // CamelCase
    std::string message; // for people

    friend bool operator==(const NodeCondition&, const NodeCondition&) = default;
};

// What is to become of a Node's condition.
struct ConditionChange {
    NodeCondition condition;
    std::string node_uid;      // of the Node that is meant: one of the same name that was made anew is not
    bool is_transition = true; // its status is another than before
};

// The strategic merge patch that sets this one condition, as at `now`, and leaves all others. It says nothing
// of a resourceVersion: who writes other conditions at the same time is no conflict.
std::string condition_patch(const ConditionChange& change, std::chrono::system_clock::time_point now);

// Writes to the status of Nodes, over a connection of its own beside the watch's. Needs RBAC "patch" on
// nodes/status. Stay on its executor.
class NodeStatus {
public:
    NodeStatus(boost::asio::any_io_executor executor, ClusterConfig config);
    ~NodeStatus();

    // One attempt. The failure's text names the RBAC rule when it was refused for that; a server that says
    // yes, and then shows the Node without the condition, is one too (Failure::Why::ignored). What comes next
    // is said by after_status_patch().
    boost::asio::awaitable<boost::system::result<void, Failure>> set_condition(std::string node,
                                                                               ConditionChange change);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace routelet::k8s
