#pragma once
#include "controller/address_hold.h"
#include "controller/cause.h"
#include "controller/difference.h"
#include "controller/forwarding.h"
#include "controller/kernel.h"
#include "controller/kernel_mirror.h"
#include "controller/log.h"
#include "controller/node_table.h"
#include "controller/plan.h"
#include "controller/plan_times.h"
#include "controller/readiness.h"
#include "controller/repair_watch.h"
#include "controller/route_counters.h"
#include "controller/route_history.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace routelet::controller {

// Keeps the kernel's routes what the nodes say they should be, and says in the log what it did and why.
//
// Nothing is changed before the first complete list of nodes. From then on only routes of ours
// (RouteIdentity) are changed. When more than half of them, and more than a few, would go at once, the
// removals wait for a grace time: an empty list from a broken proxy must not take a node off the network. Not
// thread-safe; calls block for as long as the kernel works.
//
// What one route costs does not depend on how many there are, as long as nodes, links and addresses stay: a
// notification of the kernel is work at its destination only.
class Reconciler {
public:
    struct Options {
        PlanOptions plan;
        RouteIdentity identity;
        std::string pod_bridge = "v-net-0";
        std::chrono::seconds withdrawal_grace{30}; // 0: none
        std::chrono::seconds address_hold{0};      // see AddressHold; 0: none
        int fight = RepairWatch::usual_fight;      // so many losses of one route in a minute or so are one
        bool adopt = false;                        // take over identical routes of others
        // So many changes at a time; then has_more() and notifications are to be read before going on.
        std::size_t batch = 4096;
    };

    Reconciler(Kernel& kernel, const Log& log, Options options);

    // What the API server said. True when it matters to routing, or an address waits: then reconcile().
    // A list counts, as a whole, with end_nodes() (see NodeTable).
    void begin_nodes();
    void list_node(const k8s::Node& node);
    bool end_nodes();
    bool upsert_node(const k8s::Node& node);
    bool erase_node(const std::string& name);

    // What the kernel announced. True when it matters to routing: then reconcile().
    bool observe(const std::vector<netlink::KernelEvent>& events);

    // Makes the next reconcile() start from a fresh dump.
    void distrust_mirror() noexcept { needs_dump_ = true; }
    // Notifications could not be read.
    void note_unread() noexcept
    {
        ++counters_.unread;
        distrust_mirror();
    }

    // Plans, compares, applies. False when something is left: has_more(), or something failed that is worth
    // trying again in a while.
    bool reconcile(const Cause& cause);

    // The last reconcile() ended because its batch was full: call it again, with the same cause.
    bool has_more() const noexcept { return worked_off_ < work_.to_write.size() + work_.to_remove.size(); }
    // When to call it again because a repair or a node's address waits until then.
    std::optional<Cause::Clock::time_point> due() const;

    // Routes to other nodes' pods; guards of the own podCIDRs do not count.
    std::size_t routes_in_place() const noexcept { return mirror_.own_routes().size() - mirror_.guards(); }

    // Of those that are planned.
    FamilyCounts planned_in_place() const noexcept { return history_.in_place(plan_); }

    // What is known, for readiness and status; valid until the next call that is not const.
    ReadinessFacts readiness_facts() const;
    const Plan& plan() const noexcept { return plan_; }
    const PlanTimes& plan_times() const noexcept { return times_; }
    const LocalFacts& local() const noexcept { return local_; }
    // Of routes that the kernel refused, its words.
    const std::map<IpPrefix, std::string>& failures() const noexcept { return failures_; }
    // What of ours is in the kernel, by destination.
    const OwnRoutes& own_routes() const noexcept { return mirror_.own_routes(); }
    // Another number after everything that plan() or the destinations of own_routes() changed by, except
    // repairs, which leave things as they were.
    std::uint64_t generation() const noexcept { return generation_; }
    const RouteCounters& counters() const noexcept { return counters_; }

private:
    struct Tally {
        std::size_t added = 0, replaced = 0, removed = 0, failed = 0;
    };

    void note_loss(const netlink::KernelEvent& event);
    void notice(const netlink::KernelEvent& event);
    void tell_noticed();
    void admit_held_addresses();
    bool find_work();
    void find_all_work();
    void find_work_at(std::vector<IpPrefix> touched);
    bool refresh_mirror();
    // What became of the plan.
    struct Planning {
        enum class Kind { same, in_part, anew };
        Kind kind = Kind::same;
        std::vector<IpPrefix> destinations{}; // where it may differ from the last, when it is new in part
    };
    Planning refresh_plan();
    bool note_change(bool changed);
    bool reconcile_once(const Cause& cause);
    bool hold_mass_withdrawal();
    void forget_settled_failures();
    void work_off(const Cause& cause);
    std::vector<RouteChange> next_batch();
    void settle(const RouteChange& change, std::string_view event, const Cause& cause, double took_ms);
    void fail(const RouteChange& change, const Error& error);
    LogLine about(LogLevel level, std::string_view event, const IpPrefix& destination) const;
    void report_first(const Cause& cause);
    void report_verdict(const Verdict& verdict);
    void report_membership();
    static std::string describe_owner(const netlink::Route& route);
    void look_for_conflicts();
    void look_for_conflict(const IpPrefix& destination);
    std::uint32_t metric_of(const PlannedRoute& planned) const;
    bool adopt(const PlannedRoute& planned, const netlink::Route& foreign);

    Kernel& kernel_;
    const Log& log_;
    LogBurst burst_;
    Options options_;
    KernelMirror mirror_;
    NodeTable nodes_;
    AddressHold addresses_;
    RepairWatch repairs_;
    RepairWatch adoptions_;
    Ipv4Forwarding forwarding_;

    bool nodes_known_ = false; // a complete list has been seen
    bool is_listing_ = false;  // between begin_nodes() and end_nodes()
    bool nodes_changed_ = false;
    bool needs_dump_ = true;
    bool first_done_ = false;
    std::uint64_t generation_ = 0;

    LocalFacts local_;
    Plan plan_;
    PlanTimes times_;
    RouteHistory history_;
    RouteCounters counters_;
    std::vector<LogLine> noticed_; // what the kernel announced, told after what it led to is done

    Difference work_;                     // where plan and kernel differed when they were compared
    std::size_t worked_off_ = 0;          // of it: first what is to be written, then what is to be removed
    Tally pass_;                          // since work was found
    std::vector<IpPrefix> conflicts_due_; // where to look for them at the end of it
    bool all_conflicts_due_ = false;

    std::map<IpPrefix, std::string> failures_;           // the error last logged
    std::map<IpPrefix, netlink::Route> conflicts_;       // the foreign route last logged
    std::optional<Cause::Clock::time_point> held_until_; // a mass withdrawal waits until then
};

} // namespace routelet::controller
