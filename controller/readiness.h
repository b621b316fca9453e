#pragma once
#include "controller/finding.h"
#include "controller/plan.h"

#include <cstddef>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace routelet::controller {

// What is known of this machine when its readiness is judged.
struct ReadinessFacts {
    std::string node_name{}; // empty: a router, which is no node
    bool nodes_listed =
        false; // a complete list of Nodes has been seen; an API outage after that changes nothing
    bool reconciled = false; // the first reconciliation is complete
    bool node_exists = false;
    std::vector<Verdict> own_verdicts{}; // on this node's podCIDRs
    std::size_t routes_planned = 0;      // to other nodes' pods
    std::size_t routes_in_place = 0;     // of those
};

// One of the things that have to be so before pods can be run here, or before a router knows all pods.
struct Condition {
    enum class State { unknown, unmet, met };

    std::string name; // "own-pod-cidr"
    State state = State::unknown;
    Finding finding{}; // unmet: what is wrong; unknown: the detail says what is waited for

    friend bool operator==(const Condition&, const Condition&) = default;
};

std::string_view to_string(Condition::State state) noexcept; // "unknown", "unmet", "met"
inline std::ostream& operator<<(std::ostream& out, Condition::State state)
{
    return out << to_string(state);
}

// Whether pods can be run on this node: /readyz, the CNI configuration's appearance and the
// NetworkUnavailable condition all follow this. Of a router, whether it routes: /readyz.
struct Readiness {
    enum class State { unknown, not_ready, ready }; // unknown: before the first complete list of Nodes

    State state = State::unknown;
    std::vector<Condition> conditions; // always all of the role's, in the same order

    // The first that is not met; null when all are.
    const Condition* first_unmet() const noexcept;
    // What is wrong, one for each unmet condition.
    std::vector<Finding> findings() const;

    friend bool operator==(const Readiness&, const Readiness&) = default;
};

std::string_view to_string(Readiness::State state) noexcept; // "unknown", "not-ready", "ready"
inline std::ostream& operator<<(std::ostream& out, Readiness::State state)
{
    return out << to_string(state);
}

// Pure. Ready means: Nodes were listed, ours is among them, it has a podCIDR that can be used and that no
// other link of this machine has, and the routes are in the kernel. One peer's route that the kernel refuses
// does not make this node unready; none of several being in place does. A podCIDR that is left to the default
// route, or would be, needs no route of ours. A router has neither Node nor podCIDR to be judged.
Readiness judge_readiness(const ReadinessFacts& facts);

} // namespace routelet::controller
