#include "controller/node_table.h"

#include "base/rfc3339.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace routelet::controller {
namespace {

constexpr std::chrono::sys_seconds newest = std::chrono::sys_seconds::max();

std::chrono::sys_seconds parse_age(const std::string& created)
{
    const auto when = parse_rfc3339(created);
    return when ? std::chrono::floor<std::chrono::seconds>(*when) : newest;
}

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

const std::vector<Unreadable> none;

} // namespace

NodeRef NodeClaim::of(const k8s::Node& node)
{
    const boost::intrusive_ptr<NodeClaim> claim(new NodeClaim);
    claim->name = node.name;
    claim->created = parse_age(node.created);
    Bad bad;
    parse(node.pod_cidrs, claim->pod_cidrs, bad.pod_cidrs);
    parse(node.internal_ips, claim->internal_ips, bad.internal_ips);
    if (bad != Bad{})
        claim->bad = std::make_unique<const Bad>(std::move(bad));
    return claim;
}

const std::vector<Unreadable>& NodeClaim::bad_pod_cidrs() const noexcept
{
    return bad ? bad->pod_cidrs : none;
}

const std::vector<Unreadable>& NodeClaim::bad_internal_ips() const noexcept
{
    return bad ? bad->internal_ips : none;
}

bool operator==(const NodeClaim& a, const NodeClaim& b) noexcept
{
    return a.name == b.name && a.created == b.created && a.pod_cidrs == b.pod_cidrs &&
           a.internal_ips == b.internal_ips && a.bad_pod_cidrs() == b.bad_pod_cidrs() &&
           a.bad_internal_ips() == b.bad_internal_ips();
}

bool is_older(const NodeClaim& a, const NodeClaim& b) noexcept
{
    return std::tie(a.created, a.name) < std::tie(b.created, b.name);
}

void NodeTable::begin_list()
{
    Nodes().swap(listed_);
}

void NodeTable::list(const k8s::Node& node)
{
    const NodeRef known = find(node.name);
    if (node.is_oversized) {
        if (known)
            listed_.push_back(known);
        return;
    }
    NodeRef claim = NodeClaim::of(node);
    listed_.push_back(known && *known == *claim ? known : std::move(claim));
}

bool NodeTable::end_list()
{
    const auto is_out_of_order = [](const NodeRef& a, const NodeRef& b) { return a->name >= b->name; };
    if (std::ranges::adjacent_find(listed_, is_out_of_order) != listed_.end()) // lists come in order
        sort_listed();
    listed_.shrink_to_fit();
    return replace_by(std::exchange(listed_, {}));
}

void NodeTable::sort_listed()
{
    std::ranges::stable_sort(listed_, {}, [](const NodeRef& node) { return std::string_view(node->name); });
    // The same node twice: the last counts, which is the first from behind.
    const auto last_ones = std::unique(listed_.rbegin(), listed_.rend(),
                                       [](const NodeRef& a, const NodeRef& b) { return a->name == b->name; });
    listed_.erase(listed_.begin(), last_ones.base());
}

bool NodeTable::replace_by(Nodes listed)
{
    bool changed = false;
    auto old = nodes_.begin();
    for (const NodeRef& now : listed) {
        for (; old != nodes_.end() && (*old)->name < now->name; ++old)
            leave(*old);
        const bool is_known = old != nodes_.end() && (*old)->name == now->name;
        const bool is_same = is_known && *old == now;
        changed = changed || !is_same;
        if (!is_known)
            membership_.joined.push_back(now);
        if (!is_same)
            note_changed(now);
        if (is_known && !is_same)
            note_changed(*old);
        if (is_known)
            ++old;
    }
    for (; old != nodes_.end(); ++old)
        leave(*old);
    changed = changed || listed.size() != nodes_.size();
    nodes_ = std::move(listed);
    return changed;
}

void NodeTable::leave(const NodeRef& node)
{
    membership_.left.push_back(node);
    note_changed(node);
}

void NodeTable::note_changed(const NodeRef& claim)
{
    if (changed_.size() <= most_changed)
        changed_.push_back(claim);
}

std::optional<std::vector<NodeRef>> NodeTable::take_changed()
{
    std::vector<NodeRef> changed = std::exchange(changed_, {});
    if (changed.size() > most_changed)
        return {};
    return changed;
}

bool NodeTable::upsert(const k8s::Node& node)
{
    if (node.is_oversized)
        return false;
    NodeRef claim = NodeClaim::of(node);
    const auto position = nodes_.begin() + (position_of(node.name) - nodes_.cbegin());
    if (position == nodes_.end() || (*position)->name != node.name) {
        membership_.joined.push_back(claim);
        note_changed(claim);
        nodes_.insert(position, std::move(claim));
        return true;
    }
    if (**position == *claim)
        return false;
    note_changed(*position);
    note_changed(claim);
    *position = std::move(claim);
    return true;
}

bool NodeTable::erase(std::string_view name)
{
    const auto position = position_of(name);
    if (position == nodes_.end() || (*position)->name != name)
        return false;
    leave(*position);
    nodes_.erase(position);
    return true;
}

NodeTable::Nodes::const_iterator NodeTable::position_of(std::string_view name) const
{
    return std::ranges::lower_bound(nodes_, name, {},
                                    [](const NodeRef& node) { return std::string_view(node->name); });
}

NodeRef NodeTable::find(std::string_view name) const
{
    const auto position = position_of(name);
    return position != nodes_.end() && (*position)->name == name ? *position : nullptr;
}

} // namespace routelet::controller
