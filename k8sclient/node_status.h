#pragma once
#include "base/result.h"
#include "k8sclient/config.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

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

// The strategic merge patch that sets this one condition, as having changed at `now`, and leaves all others.
std::string condition_patch(const NodeCondition& condition, std::chrono::system_clock::time_point now);

// Writes to the status of Nodes, over a connection of its own beside the watch's. Needs RBAC "patch" on
// nodes/status. Stay on its executor.
class NodeStatus {
public:
    NodeStatus(boost::asio::any_io_executor executor, ClusterConfig config);
    ~NodeStatus();

    // One attempt; the error's text names the RBAC rule when it was refused for that.
    boost::asio::awaitable<Result<>> set_condition(std::string node, NodeCondition condition);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace routelet::k8s
