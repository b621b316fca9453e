#pragma once
#include "controller/finding.h"
#include "controller/log.h"
#include "controller/readiness.h"
#include "k8sclient/node_status.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace routelet::controller {

// When to tell Kubernetes what: the condition NetworkUnavailable of the own Node, while it is "True" of which
// the scheduler sends no pods here. Pure but for what it remembers.
class NetworkConditionPolicy {
public:
    using Clock = std::chrono::steady_clock;

    // So long a node has to be unready without a break before that is told: a flapping link is not worth
    // moving pods for. That it is ready is told at once.
    static constexpr std::chrono::seconds patience{10};

    // What to write now; nothing while readiness or the Node is not known, and when it is written already.
    std::optional<k8s::NodeCondition> next(const Readiness& readiness, const std::string& node_uid,
                                           Clock::time_point now);
    // That was accepted for the Node of this uid. One that is registered anew is told anew.
    void written(const k8s::NodeCondition& condition, const std::string& node_uid);

private:
    std::optional<Clock::time_point> unready_since_;
    std::string written_uid_;
    std::string written_status_;
};

// Keeps the condition what the policy says, trying again with 1 to 60 s in between when the API server
// refuses.
class NetworkCondition {
public:
    struct Subject {
        std::string node_name;
        std::function<const Readiness&()> readiness;
        std::function<std::string()> node_uid;
    };

    NetworkCondition(const boost::asio::any_io_executor& executor, k8s::ClusterConfig config, const Log& log,
                     Subject subject);

    // Never returns; ends by cancellation.
    boost::asio::awaitable<void> run();

    // "network-condition-failed", while it cannot be written.
    std::vector<Finding> findings() const;

private:
    boost::asio::any_io_executor executor_;
    k8s::NodeStatus status_;
    const Log& log_;
    Subject subject_;
    NetworkConditionPolicy policy_;
    std::string trouble_;
};

} // namespace routelet::controller
