#pragma once
#include "controller/finding.h"
#include "controller/log.h"
#include "controller/readiness.h"
#include "k8sclient/event_recorder.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace routelet::controller {

// The reason of an Event that tells this finding: "own-pod-cidr-missing" gives "OwnPodCidrMissing".
std::string event_reason(std::string_view code);

// What of a node's life is told as Events on its own Node, for those who look at the cluster and not at this
// machine's log: a Warning for each finding and for being unready, and that it is ready once it was told that
// it was not. Pure but for what it remembers; an agent that starts where nothing is wrong tells nothing.
class NodeEventPolicy {
public:
    using Clock = std::chrono::steady_clock;

    // What passes sooner, as while an agent starts, is not worth an Event.
    static constexpr std::chrono::seconds patience{10};

    explicit NodeEventPolicy(std::string node_name) : node_name_(std::move(node_name)) {}

    // What to tell now, of all that there is now. Nothing without a Node (`uid` is empty), and all of it anew
    // for one that was registered anew.
    std::vector<k8s::EventNote> next(const std::string& uid, const Readiness& readiness,
                                     std::vector<Finding> findings, Clock::time_point now);

private:
    // The findings of one code.
    struct Known {
        Clock::time_point since;
        std::vector<Finding> told = {};
    };

    k8s::EventNote note(k8s::EventNote::Type type, const Finding& finding) const;
    void remember(const std::vector<Finding>& findings, Clock::time_point now);

    std::string node_name_;
    std::string uid_;
    std::map<std::string, Known> known_; // by code
    bool is_unready_told_ = false;
};

// Tells what the policy says. Nothing else waits for it, and what cannot be told is dropped with a line in
// the log.
class NodeEvents {
public:
    NodeEvents(const boost::asio::any_io_executor& executor, k8s::ClusterConfig config, const Log& log,
               const std::string& node_name);

    void look(const std::string& uid, const Readiness& readiness, std::vector<Finding> findings);

    // Never returns; ends by cancellation.
    boost::asio::awaitable<void> run() { return recorder_.run(); }

private:
    void note_dropped(const k8s::EventNote& note, const Error& error);

    const Log& log_;
    NodeEventPolicy policy_;
    k8s::EventRecorder recorder_;
    std::string told_error_;
    NodeEventPolicy::Clock::time_point error_told_{};
};

} // namespace routelet::controller
