#include "controller/network_condition.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace routelet::controller {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

constexpr auto look_every = 1s;
constexpr std::chrono::seconds retry_first = 1s;
constexpr std::chrono::seconds retry_most = 60s;

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
NetworkConditionPolicy::next(const Readiness& readiness, const std::string& node_uid, Clock::time_point now)
{
    if (readiness.state != Readiness::State::not_ready)
        unready_since_.reset();
    if (readiness.state == Readiness::State::unknown || node_uid.empty())
        return std::nullopt;
    if (readiness.state == Readiness::State::not_ready) {
        if (!unready_since_)
            unready_since_ = now;
        if (now - *unready_since_ < patience)
            return std::nullopt;
    }
    k8s::NodeCondition wanted = condition_for(readiness);
    if (wanted.status == written_status_ && node_uid == written_uid_)
        return std::nullopt;
    return wanted;
}

void NetworkConditionPolicy::written(const k8s::NodeCondition& condition, const std::string& node_uid)
{
    written_status_ = condition.status;
    written_uid_ = node_uid;
}

NetworkCondition::NetworkCondition(const asio::any_io_executor& executor, k8s::ClusterConfig config,
                                   const Log& log, Subject subject)
    : executor_(executor), status_(executor, std::move(config)), log_(log), subject_(std::move(subject))
{
}

asio::awaitable<void> NetworkCondition::run()
{
    asio::steady_timer timer(executor_);
    std::chrono::seconds pause = look_every;
    std::chrono::seconds retry = retry_first;
    for (;;) {
        timer.expires_after(pause);
        co_await timer.async_wait(asio::use_awaitable);
        pause = look_every;
        const std::string uid = subject_.node_uid();
        const auto wanted = policy_.next(subject_.readiness(), uid, NetworkConditionPolicy::Clock::now());
        if (!wanted)
            continue;
        const Result<> set = co_await status_.set_condition(subject_.node_name, *wanted);
        if (!set) {
            trouble_ = set.error().text();
            pause = retry;
            retry = std::min(retry * 2, retry_most);
            continue;
        }
        trouble_.clear();
        retry = retry_first;
        policy_.written(*wanted, uid);
        log_.write(LogLine(LogLevel::info, "network-condition-set")
                       .with("status", wanted->status)
                       .with("reason", wanted->reason)
                       .with("message", wanted->message));
    }
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
