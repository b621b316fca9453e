#pragma once
#include "controller/difference.h"
#include "controller/node_table.h"
#include "controller/plan.h"

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace routelet::controller {

// What is known of our routes from before, so that the log can tell a route that is restored from one that is
// new, and whose a route was that is planned no more. Pure. The plan that it is asked about is always the one
// that it follows.
class RouteHistory {
public:
    // Another plan: what was in place for a node is known on for as long as the node has the destination.
    // Where it is for another node, whether it is in place is for note() or compare() to say.
    void follow(const Plan& before, const Plan& plan);
    // Plan and kernel are compared as a whole.
    void compare(const Plan& plan, const OwnRoutes& own, const NodeTable& nodes);
    // The route to this destination came or went; `now` is the way of the one that is there. Whether it was
    // in place before, at some time since it is planned for whom it is planned for.
    bool note(const Plan& plan, const IpPrefix& destination, const std::optional<Way>& now);
    // It went because we removed it: it is nobody's any more.
    void forget(const IpPrefix& destination);

    // Whose pods a route is for, or was; empty when nobody knows any more. `self` has the guards.
    std::string_view node_of(const Plan& plan, const IpPrefix& destination, std::string_view self) const;
    // Planned routes that are in place, guards not counted.
    std::size_t in_place() const noexcept { return in_place_; }
    FamilyCounts in_place(const Plan& plan) const noexcept;

private:
    // Of each planned route, at the same position.
    struct Standing {
        bool is_in_place : 1 = false;
        bool was_in_place : 1 = false;
    };

    std::vector<Standing> standings_;
    std::size_t in_place_ = 0;                // of the standings
    std::map<IpPrefix, std::string> leaving_; // once in place and planned no more; whose pods they were for
    std::set<IpPrefix> guards_;               // that were in place
};

} // namespace routelet::controller
