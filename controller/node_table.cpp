#include "controller/node_table.h"

#include <algorithm>

namespace routelet::controller {
namespace {

template <class Value>
void parse(const std::vector<std::string>& texts, std::vector<Value>& values, std::vector<Unreadable>& bad)
{
    const std::size_t count = std::min(texts.size(), NodeClaim::most_claims);
    values.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        if (auto value = Value::parse(texts[i]))
            values.push_back(*value);
        else
            bad.push_back({texts[i], value.error().context});
    }
}

} // namespace

NodeClaim NodeClaim::of(const k8s::Node& node)
{
    NodeClaim claim{.name = node.name, .uid = node.uid, .created = node.created};
    parse(node.pod_cidrs, claim.pod_cidrs, claim.bad_pod_cidrs);
    parse(node.internal_ips, claim.internal_ips, claim.bad_internal_ips);
    return claim;
}

void NodeTable::begin_list()
{
    listed_.clear();
    same_.clear();
}

void NodeTable::list(const k8s::Node& node)
{
    const auto known = nodes_.find(node.name);
    if (node.is_oversized) {
        if (known != nodes_.end())
            same_.push_back(&known->second);
        return;
    }
    NodeClaim claim = NodeClaim::of(node);
    if (known != nodes_.end() && known->second == claim) {
        listed_.erase(node.name); // the same node twice: the last counts
        same_.push_back(&known->second);
    } else {
        listed_.insert_or_assign(listed_.end(), node.name, std::move(claim)); // lists come in order
    }
}

bool NodeTable::end_list()
{
    std::ranges::sort(same_);
    const auto is_gone = [this](const Nodes::value_type& node) {
        return !std::ranges::binary_search(same_, &node.second) && !listed_.contains(node.first);
    };
    const bool some_gone = std::erase_if(nodes_, is_gone) > 0;
    const bool some_new = !listed_.empty();
    if (nodes_.empty())
        nodes_.swap(listed_);
    while (!listed_.empty()) {
        auto node = listed_.extract(listed_.begin());
        nodes_.erase(node.key());
        nodes_.insert(std::move(node));
    }
    begin_list();
    same_.shrink_to_fit();
    return some_gone || some_new;
}

bool NodeTable::upsert(const k8s::Node& node)
{
    if (node.is_oversized)
        return false;
    NodeClaim claim = NodeClaim::of(node);
    const auto known = nodes_.find(node.name);
    if (known != nodes_.end() && known->second == claim)
        return false;
    nodes_.insert_or_assign(node.name, std::move(claim));
    return true;
}

bool NodeTable::erase(const std::string& name)
{
    return nodes_.erase(name) > 0;
}

} // namespace routelet::controller
