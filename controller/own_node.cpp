#include "controller/own_node.h"

#include <utility>

namespace routelet::controller {

void OwnNode::list(const k8s::Node& node)
{
    if (node.name == name_)
        listed_ = read(node);
}

void OwnNode::end_list()
{
    become(std::exchange(listed_, {}));
}

void OwnNode::upsert(const k8s::Node& node)
{
    if (node.name == name_)
        become(read(node));
}

void OwnNode::erase(const std::string& name)
{
    if (name == name_)
        become({});
}

OwnNode::State OwnNode::read(const k8s::Node& node) const
{
    if (node.is_oversized)
        return state_;
    return {.uid = node.uid, .network_unavailable = node.network_unavailable};
}

void OwnNode::become(State state)
{
    state.times_told = state_.times_told + 1;
    state_ = std::move(state);
}

} // namespace routelet::controller
