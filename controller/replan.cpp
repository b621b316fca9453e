#include "controller/replan.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <set>
#include <string_view>

namespace routelet::controller {
namespace {

// Nodes that have to do with one another, by what they claim.
class Related {
public:
    static constexpr std::size_t most = 64;

    explicit Related(const std::vector<NodeRef>& changed)
    {
        for (const NodeRef& claim : changed)
            add(*claim);
    }

    // Adds all that have to do with those that are in it already. False when they are too many.
    bool complete_from(const std::vector<NodeRef>& nodes)
    {
        bool grows = true;
        while (grows) {
            grows = false;
            for (const NodeRef& node : nodes) {
                if (!touches(*node) || !names_.insert(node->name).second)
                    continue;
                if (names_.size() > most)
                    return false;
                add(*node);
                grows = true;
            }
        }
        std::ranges::sort(pod_cidrs_);
        const auto twice = std::ranges::unique(pod_cidrs_);
        pod_cidrs_.erase(twice.begin(), twice.end());
        return true;
    }

    bool contains(std::string_view name) const { return names_.contains(name); }
    const std::set<std::string_view>& names() const noexcept { return names_; }
    // Once it is complete: ascending, none twice. Whoever claims one of them is in it.
    const std::vector<IpPrefix>& pod_cidrs() const noexcept { return pod_cidrs_; }

private:
    void add(const NodeClaim& claim)
    {
        names_.insert(claim.name);
        pod_cidrs_.insert(pod_cidrs_.end(), claim.pod_cidrs.begin(), claim.pod_cidrs.end());
        addresses_.insert(addresses_.end(), claim.internal_ips.begin(), claim.internal_ips.end());
    }

    bool touches(const NodeClaim& node) const
    {
        return std::ranges::any_of(node.pod_cidrs, [&](const IpPrefix& theirs) { return touches(theirs); }) ||
               std::ranges::any_of(node.internal_ips,
                                   [&](const IpAddress& theirs) { return touches(theirs); });
    }
    bool touches(const IpPrefix& theirs) const
    {
        return std::ranges::any_of(pod_cidrs_, [&](const IpPrefix& ours) { return ours.overlaps(theirs); }) ||
               std::ranges::any_of(addresses_, [&](const IpAddress& ours) { return theirs.contains(ours); });
    }
    bool touches(const IpAddress& theirs) const
    {
        return std::ranges::any_of(pod_cidrs_, [&](const IpPrefix& ours) { return ours.contains(theirs); }) ||
               std::ranges::find(addresses_, theirs) != addresses_.end();
    }

    std::set<std::string_view> names_; // of claims that outlive this
    std::vector<IpPrefix> pod_cidrs_;
    std::vector<IpAddress> addresses_;
};

std::vector<NodeRef> those_named(const std::set<std::string_view>& names, const std::vector<NodeRef>& nodes)
{
    std::vector<NodeRef> found;
    for (const std::string_view name : names) {
        const auto node = std::ranges::lower_bound(
            nodes, name, {}, [](const NodeRef& ref) { return std::string_view(ref->name); });
        if (node != nodes.end() && (*node)->name == name)
            found.push_back(*node);
    }
    return found;
}

bool is_counted(const Plan& plan)
{
    return std::ranges::find(plan.verdicts, Reason::too_many_routes, &Verdict::reason) != plan.verdicts.end();
}

// Takes out what is gone, puts in what comes; all are in the order of `key`.
template <class Item, class Predicate, class Key>
std::vector<Item> exchanged(const std::vector<Item>& before, Predicate is_gone, const std::vector<Item>& come,
                            Key key)
{
    std::vector<Item> items;
    items.reserve(before.size() + come.size());
    std::ranges::copy_if(before, std::back_inserter(items), std::not_fn(is_gone));
    const auto kept = static_cast<std::ptrdiff_t>(items.size());
    items.insert(items.end(), come.begin(), come.end());
    std::ranges::inplace_merge(items, items.begin() + kept, {}, key);
    return items;
}

} // namespace

std::optional<Replanned> replan(const Plan& before, const std::vector<NodeRef>& nodes,
                                const std::vector<NodeRef>& changed, const LocalFacts& local,
                                const PlanOptions& options)
{
    Related related(changed);
    if (is_counted(before) || !related.complete_from(nodes))
        return {};
    const Plan part = plan_routes(those_named(related.names(), nodes), local, options);
    if (is_counted(part))
        return {};

    const auto claimed = [&](const IpPrefix& prefix) {
        return std::ranges::binary_search(related.pod_cidrs(), prefix);
    };
    Plan plan;
    plan.routes = exchanged(
        before.routes, [&](const PlannedRoute& route) { return claimed(route.destination); }, part.routes,
        &PlannedRoute::destination);
    if (plan.routes.size() > options.most_routes)
        return {};
    plan.own_pod_cidrs = related.contains(options.node_name) ? part.own_pod_cidrs : before.own_pod_cidrs;
    plan.gateway_pod_cidrs =
        exchanged(before.gateway_pod_cidrs, claimed, part.gateway_pod_cidrs, std::identity());
    plan.verdicts = exchanged(
        before.verdicts, [&](const Verdict& verdict) { return related.contains(verdict.node); },
        part.verdicts, &Verdict::node);
    // Of a guard that comes or goes, the destination is claimed by one of these nodes, too.
    plan.guarded = guarded_by(plan, local, options);
    return Replanned{std::move(plan), related.pod_cidrs()};
}

} // namespace routelet::controller
