#include "controller/node_table.h"

#include <algorithm>

namespace routelet::controller {
namespace {

template <class Value>
std::vector<Claimed<Value>> parse_claims(const std::vector<std::string>& texts)
{
    std::vector<Claimed<Value>> claims;
    for (const std::string& text : texts) {
        if (claims.size() == NodeClaim::most_claims)
            break;
        Claimed<Value> claim{.text = text, .value = {}, .error = {}};
        if (auto parsed = Value::parse(text))
            claim.value = *parsed;
        else
            claim.error = parsed.error().context;
        claims.push_back(std::move(claim));
    }
    return claims;
}

} // namespace

NodeClaim NodeClaim::of(const k8s::Node& node)
{
    return {.name = node.name,
            .uid = node.uid,
            .created = node.created,
            .pod_cidrs = parse_claims<IpPrefix>(node.pod_cidrs),
            .internal_ips = parse_claims<IpAddress>(node.internal_ips)};
}

bool NodeTable::replace(const std::vector<k8s::Node>& nodes)
{
    std::map<std::string, NodeClaim> fresh;
    for (const auto& node : nodes)
        fresh.insert_or_assign(node.name, NodeClaim::of(node));
    const bool changed = fresh != nodes_;
    nodes_ = std::move(fresh);
    return changed;
}

bool NodeTable::upsert(const k8s::Node& node)
{
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
