#include "k8sclient/node_status.h"

#include "base/rfc3339.h"
#include "k8sclient/node_api.h"

#include <nlohmann/json.hpp>

namespace routelet::k8s {

namespace asio = boost::asio;

std::string condition_patch(const NodeCondition& condition, std::chrono::system_clock::time_point now)
{
    using json = nlohmann::json;
    const std::string time = to_rfc3339(now);
    const json entry = {{"type", condition.type},     {"status", condition.status},
                        {"reason", condition.reason}, {"message", condition.message},
                        {"lastHeartbeatTime", time},  {"lastTransitionTime", time}};
    const json patch = {{"status", {{"conditions", json::array({entry})}}}};
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

asio::awaitable<Result<>> NodeStatus::set_condition(std::string node, NodeCondition condition)
{
    std::string patch = condition_patch(condition, std::chrono::system_clock::now());
    Answer<void> answer = co_await impl_->api.patch_status(std::move(node), std::move(patch));
    impl_->api.close(); // it is used once in a long while
    if (!answer)
        co_return answer.error().error;
    co_return Result<>();
}

} // namespace routelet::k8s
