#include "k8sclient/node_status.h"

#include "base/rfc3339.h"
#include "k8sclient/node_api.h"

#include <nlohmann/json.hpp>

namespace routelet::k8s {

namespace asio = boost::asio;

std::string condition_patch(const ConditionChange& change, std::chrono::system_clock::time_point now)
{
    using json = nlohmann::json;
    const NodeCondition& condition = change.condition;
    const std::string time = to_rfc3339(now);
    json entry = {{"type", condition.type},
                  {"status", condition.status},
                  {"reason", condition.reason},
                  {"message", condition.message},
                  {"lastHeartbeatTime", time}};
    if (change.is_transition)
        entry["lastTransitionTime"] = time;
    const json patch = {{"metadata", {{"uid", change.node_uid}}},
                        {"status", {{"conditions", json::array({entry})}}}};
    return patch.dump(-1, ' ', false, json::error_handler_t::replace);
}

struct NodeStatus::Impl {
    NodeApi api;
};

NodeStatus::NodeStatus(asio::any_io_executor executor, ClusterConfig config)
    : impl_(std::make_unique<Impl>(Impl{NodeApi(std::move(executor), std::move(config))}))
{
}

NodeStatus::~NodeStatus() = default;

asio::awaitable<boost::system::result<void, Failure>> NodeStatus::set_condition(std::string node,
                                                                                ConditionChange change)
{
    std::string patch = condition_patch(change, std::chrono::system_clock::now());
    Answer<Node> patched = co_await impl_->api.patch_status(node, std::move(patch));
    impl_->api.close(); // it is used once in a long while
    if (!patched)
        co_return patched.error();
    // Of the answer's conditions only this one is read.
    const ConditionState wanted{change.condition.status, change.condition.reason};
    if (change.condition.type == "NetworkUnavailable" && patched->network_unavailable != wanted) {
        Failure failure;
        failure.why = Failure::Why::ignored;
        failure.error = {{},
                         "PATCH of the status of " + node +
                             ": the API server said yes, but its answer shows the condition " +
                             change.condition.type + " as \"" + patched->network_unavailable.status +
                             "\": does an admission webhook or a proxy change it?"};
        co_return failure;
    }
    co_return boost::system::result<void, Failure>();
}

} // namespace routelet::k8s
