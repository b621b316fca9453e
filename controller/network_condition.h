#pragma once
#include "controller/finding.h"
#include "controller/log.h"
#include "controller/own_node.h"
#include "controller/readiness.h"
#include "k8sclient/node_status.h"
#include "k8sclient/write_policy.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <random>
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
    // Somebody else who sets another status is corrected so often at most.
    static constexpr std::chrono::seconds correct_every{10};

    // What to write now; nothing while readiness or the Node is not known, and when `own`, the Node as the
    // API server last told it, shows what it should: an agent that starts again writes nothing.
    std::optional<k8s::NodeCondition> next(const Readiness& readiness, const OwnNode::State& own,
                                           Clock::time_point now);
    // That was accepted, with `own` the one that next() was given. A Node that is registered anew is told
    // anew.
    void written(const k8s::NodeCondition& condition, const OwnNode::State& own, Clock::time_point now);

private:
    std::optional<Clock::time_point> unready_since_;
    std::string written_uid_;
    std::string written_status_;
    std::uint64_t written_told_ = 0; // own.times_told before the write
    std::optional<Clock::time_point> written_at_;
};

// Keeps the condition what the policy says. What is refused is tried again when k8s::PatchPacing says, with
// what is to be written by then, and at once when the Node is registered anew.
class NetworkCondition {
public:
    struct Subject {
        std::string node_name;
        std::function<const Readiness&()> readiness;
        std::function<const OwnNode::State&()> own_node;
    };

    NetworkCondition(const boost::asio::any_io_executor& executor, k8s::ClusterConfig config, const Log& log,
                     Subject subject);

    // Never returns; ends by cancellation.
    boost::asio::awaitable<void> run();

    // "network-condition-failed", while it cannot be written.
    std::vector<Finding> findings() const;

private:
    boost::asio::awaitable<std::chrono::milliseconds> write(k8s::NodeCondition wanted, OwnNode::State own);
    std::chrono::milliseconds note_failure(const k8s::Failure& failure);

    boost::asio::any_io_executor executor_;
    k8s::NodeStatus status_;
    const Log& log_;
    Subject subject_;
    NetworkConditionPolicy policy_;
    k8s::PatchPacing pacing_;
    std::mt19937_64 random_{std::random_device{}()};
    std::string trouble_;
};

} // namespace routelet::controller
