#include "controller/readiness.h"

#include <algorithm>
#include <array>

namespace routelet::controller {
namespace {

Condition met(std::string name)
{
    return {.name = std::move(name), .state = Condition::State::met};
}

Condition waiting(std::string name, std::string for_what)
{
    return {.name = std::move(name),
            .state = Condition::State::unknown,
            .finding = {{}, std::move(for_what), {}}};
}

Condition unmet(std::string name, Finding finding)
{
    return {.name = std::move(name), .state = Condition::State::unmet, .finding = std::move(finding)};
}

const Verdict* first_with(const std::vector<Verdict>& verdicts, Reason reason)
{
    const auto found = std::ranges::find(verdicts, reason, &Verdict::reason);
    return found == verdicts.end() ? nullptr : &*found;
}

Condition judge_list(const ReadinessFacts& facts)
{
    const std::string name = "nodes-listed";
    return facts.nodes_listed ? met(name)
                              : waiting(name, "the API server has not sent a complete list of Nodes yet");
}

Condition judge_node(const ReadinessFacts& facts)
{
    const std::string name = "own-node";
    if (!facts.nodes_listed)
        return waiting(name, "no list of Nodes yet");
    if (facts.node_exists)
        return met(name);
    return unmet(name, {"self-missing", "the API server has no Node named " + facts.node_name,
                        "wait for the kubelet to register it, or correct --node-name"});
}

// One that can be used is enough: a family that is refused does not hold back the other.
Condition judge_pod_cidr(const ReadinessFacts& facts)
{
    const std::string name = "own-pod-cidr";
    if (!facts.node_exists)
        return waiting(name, "no Node of this name yet");
    if (first_with(facts.own_verdicts, Reason::none) != nullptr ||
        first_with(facts.own_verdicts, Reason::overlaps_local_network) != nullptr) // judge_range() has that
        return met(name);
    if (facts.own_verdicts.empty() || facts.own_verdicts.front().reason == Reason::no_pod_cidr)
        return unmet(name,
                     {"own-pod-cidr-missing", "the Node " + facts.node_name + " has no podCIDR",
                      "run kube-controller-manager with --allocate-node-cidrs and --cluster-cidr, and check "
                      "that its range has a free network for this node"});
    const Verdict& refused = facts.own_verdicts.front();
    return unmet(name, {"own-pod-cidr-refused",
                        "the podCIDR " + refused.destination + " of this node cannot be used (" +
                            std::string(to_string(refused.reason)) + "): " + refused.detail,
                        std::string(remedy(refused.reason))});
}

Condition judge_range(const ReadinessFacts& facts)
{
    const std::string name = "own-range-free";
    if (!facts.node_exists)
        return waiting(name, "no Node of this name yet");
    const Verdict* taken = first_with(facts.own_verdicts, Reason::overlaps_local_network);
    if (taken == nullptr)
        return met(name);
    return unmet(name,
                 {"own-range-in-use", "the podCIDR " + taken->destination + " of this node: " + taken->detail,
                  "if that is the bridge of another CNI plugin, remove that plugin, drain this node and "
                  "delete the bridge (ip link del); otherwise choose another cluster CIDR"});
}

Condition judge_routes(const ReadinessFacts& facts)
{
    constexpr std::size_t one_peer = 1;
    const std::string name = "routes";
    if (!facts.nodes_listed)
        return waiting(name, "no list of Nodes yet");
    if (!facts.reconciled)
        return unmet(name, {"routes-missing", "the kernel's routes have not been read and compared yet",
                            "see kernel-read-failed in the log"});
    if (facts.routes_planned > one_peer && facts.routes_in_place == 0)
        return unmet(name, {"routes-missing",
                            "none of " + std::to_string(facts.routes_planned) + " routes is in the kernel",
                            "see route-failed in the log for the kernel's own words"});
    return met(name);
}

} // namespace

std::string_view to_string(Condition::State state) noexcept
{
    constexpr std::array<std::string_view, 3> names = {"unknown", "unmet", "met"};
    return names[static_cast<std::size_t>(state)];
}

std::string_view to_string(Readiness::State state) noexcept
{
    constexpr std::array<std::string_view, 3> names = {"unknown", "not-ready", "ready"};
    return names[static_cast<std::size_t>(state)];
}

const Condition* Readiness::first_unmet() const noexcept
{
    const auto found =
        std::ranges::find_if(conditions, [](const Condition& c) { return c.state != Condition::State::met; });
    return found == conditions.end() ? nullptr : &*found;
}

std::vector<Finding> Readiness::findings() const
{
    std::vector<Finding> all;
    for (const Condition& condition : conditions)
        if (condition.state == Condition::State::unmet)
            all.push_back(condition.finding);
    return all;
}

Readiness judge_readiness(const ReadinessFacts& facts)
{
    Readiness readiness;
    const bool is_router = facts.node_name.empty();
    if (is_router)
        readiness.conditions = {judge_list(facts), judge_routes(facts)};
    else
        readiness.conditions = {judge_list(facts), judge_node(facts), judge_pod_cidr(facts),
                                judge_range(facts), judge_routes(facts)};
    if (!facts.nodes_listed)
        readiness.state = Readiness::State::unknown;
    else
        readiness.state =
            readiness.first_unmet() == nullptr ? Readiness::State::ready : Readiness::State::not_ready;
    return readiness;
}

} // namespace routelet::controller
