#include "controller/network_condition.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace routelet::controller {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

constexpr auto look_every = 1s;

k8s::NodeCondition condition_for(const Readiness& readiness)
{
    k8s::NodeCondition condition{.type = "NetworkUnavailable",
                                 .status = "False",
                                 .reason = "RouteletReady",
                                 .message = "Routelet's routes and CNI configuration are in place"};
    if (const Condition* unmet = readiness.first_unmet()) {
        condition.status = "True";
        condition.reason = "RouteletNotReady";
        condition.message = unmet->name + ": " + unmet->finding.detail;
    }
    return condition;
}

} // namespace

std::optional<k8s::NodeCondition>
NetworkConditionPolicy::next(const Readiness& readiness, const OwnNode::State& own, Clock::time_point now)
{
    if (readiness.state != Readiness::State::not_ready)
        unready_since_.reset();
    if (readiness.state == Readiness::State::unknown || own.uid.empty())
        return std::nullopt;
    if (readiness.state == Readiness::State::not_ready) {
        if (!unready_since_)
            unready_since_ = now;
        if (now - *unready_since_ < patience)
            return std::nullopt;
    }
    k8s::NodeCondition wanted = condition_for(readiness);
    const k8s::ConditionState& shown = own.network_unavailable;
    if (wanted.status != written_status_ || own.uid != written_uid_) {
        if (shown != k8s::ConditionState{wanted.status, wanted.reason})
            return wanted;
        written(wanted, own, now); // by an earlier run
        written_at_.reset();
        return std::nullopt;
    }
    // What was told before the write says nothing of what came of it.
    const bool is_overwritten = shown.status != wanted.status && own.times_told != written_told_;
    const bool is_due = !written_at_ || now - *written_at_ >= correct_every;
    return is_overwritten && is_due ? std::optional(wanted) : std::nullopt;
}

void NetworkConditionPolicy::written(const k8s::NodeCondition& condition, const OwnNode::State& own,
                                     Clock::time_point now)
{
    written_status_ = condition.status;
    written_uid_ = own.uid;
    written_told_ = own.times_told;
    written_at_ = now;
}

NetworkCondition::NetworkCondition(const asio::any_io_executor& executor, k8s::ClusterConfig config,
                                   const Log& log, Subject subject)
    : executor_(executor), status_(executor, std::move(config)), log_(log), subject_(std::move(subject))
{
}

asio::awaitable<void> NetworkCondition::run()
{
    using Clock = NetworkConditionPolicy::Clock;
    asio::steady_timer timer(executor_);
    std::chrono::milliseconds pause = look_every;
    Clock::time_point not_before{};
    std::string refused_uid; // of the Node that `not_before` is about
    for (;;) {
        timer.expires_after(std::min<std::chrono::milliseconds>(pause, look_every));
        co_await timer.async_wait(asio::use_awaitable);
        pause = look_every;
        const OwnNode::State own = subject_.own_node();
        const auto wanted = policy_.next(subject_.readiness(), own, Clock::now());
        if (!wanted) {
            trouble_.clear(); // there is nothing that could not be written
            continue;
        }
        if (own.uid == refused_uid && Clock::now() < not_before)
            continue;
        pause = co_await write(*wanted, own);
        refused_uid = own.uid;
        not_before = Clock::now() + pause;
    }
}

// Returns how long to wait before the next.
asio::awaitable<std::chrono::milliseconds> NetworkCondition::write(k8s::NodeCondition wanted,
                                                                   OwnNode::State own)
{
    k8s::ConditionChange change{.condition = wanted,
                                .node_uid = own.uid,
                                .is_transition = own.network_unavailable.status != wanted.status};
    const auto set = co_await status_.set_condition(subject_.node_name, std::move(change));
    if (!set)
        co_return note_failure(set.error());
    trouble_.clear();
    pacing_.succeeded();
    policy_.written(wanted, own, NetworkConditionPolicy::Clock::now());
    log_.write(LogLine(LogLevel::info, "network-condition-set")
                   .with("status", wanted.status)
                   .with("reason", wanted.reason)
                   .with("message", wanted.message));
    co_return 0ms;
}

std::chrono::milliseconds NetworkCondition::note_failure(const k8s::Failure& failure)
{
    // That the Node is gone is said by others.
    const bool is_trouble = k8s::after_status_patch(failure) != k8s::AfterPatch::wait_for_node;
    trouble_ = is_trouble ? failure.error.text() : std::string();
    return pacing_.after(failure, std::uniform_real_distribution<double>(1, 2)(random_));
}

std::vector<Finding> NetworkCondition::findings() const
{
    if (trouble_.empty())
        return {};
    return {{"network-condition-failed", trouble_,
             "when it says 403: apply the overlay network-unavailable, which gives the permission to patch "
             "nodes/status, or run without --network-unavailable-condition"}};
}

} // namespace routelet::controller
