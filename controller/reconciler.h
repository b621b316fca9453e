#pragma once
#include "controller/cause.h"
#include "controller/kernel.h"
#include "controller/kernel_mirror.h"
#include "controller/log.h"
#include "controller/node_table.h"
#include "controller/plan.h"
#include "controller/readiness.h"

#include <chrono>
#include <map>
#include <optional>
#include <set>
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
class Reconciler {
public:
    struct Options {
        PlanOptions plan;
        RouteIdentity identity;
        std::string pod_bridge = "v-net-0";
        std::chrono::seconds withdrawal_grace{30}; // 0: none
    };

    Reconciler(Kernel& kernel, const Log& log, Options options);

    // What the API server said. True when it matters to routing: then reconcile().
    // A list counts, as a whole, with end_nodes() (see NodeTable).
    void begin_nodes() { nodes_.begin_list(); }
    void list_node(const k8s::Node& node) { nodes_.list(node); }
    bool end_nodes();
    bool upsert_node(const k8s::Node& node);
    bool erase_node(const std::string& name);

    // What the kernel announced. True when it matters to routing: then reconcile().
    bool observe(const std::vector<netlink::KernelEvent>& events);

    // Makes the next reconcile() start from a fresh dump.
    void distrust_mirror() noexcept { needs_dump_ = true; }

    // Plans, compares, applies. False when something failed that is worth trying again in a while.
    bool reconcile(const Cause& cause);

    // Routes to other nodes' pods; guards of the own podCIDRs do not count.
    std::size_t routes_in_place() const;

    // What is known, for readiness and status; valid until the next call that is not const.
    ReadinessFacts readiness_facts() const;
    const Plan& plan() const noexcept { return plan_; }
    const LocalFacts& local() const noexcept { return local_; }
    // Of routes that the kernel refused, its words.
    const std::map<IpPrefix, std::string>& failures() const noexcept { return failures_; }
    // What of ours is in the kernel, by destination.
    const std::map<IpPrefix, netlink::Route>& own_routes() const noexcept { return mirror_.own_routes(); }

private:
    struct Tally {
        std::size_t added = 0, replaced = 0, removed = 0, failed = 0;
    };

    bool refresh_mirror();
    void refresh_plan();
    bool note_change(bool changed);
    bool hold_mass_withdrawal(std::vector<RouteChange>& changes);
    void spare_others(std::vector<RouteChange>& changes) const;
    void remove_surplus(std::vector<RouteChange>& changes) const;
    void forget_settled_failures(const std::vector<RouteChange>& changes);
    Tally apply(const std::vector<RouteChange>& changes, const Cause& cause);
    void remember_kept_routes();
    void settle(const RouteChange& change, const Cause& cause, double took_ms);
    void fail(const RouteChange& change, const Error& error);
    void report_first(const Tally& tally, const Cause& cause);
    void report_verdicts();
    void report_verdict(const Verdict& verdict);
    void report_membership();
    void report_conflicts();
    bool enable_forwarding();
    void report_forwarding(netlink::IfIndex link, const Result<>& enabled);

    Kernel& kernel_;
    const Log& log_;
    Options options_;
    KernelMirror mirror_;
    NodeTable nodes_;

    bool nodes_known_ = false; // a complete list has been seen
    bool nodes_changed_ = false;
    bool needs_dump_ = true;
    bool first_done_ = false;

    LocalFacts local_;
    Plan plan_;

    std::map<IpPrefix, std::string> installed_;                       // routes of ours, and whose pods
    std::map<std::pair<std::string, std::string>, Verdict> reported_; // by node and podCIDR
    std::set<std::string> known_names_;
    std::map<IpPrefix, std::string> failures_;     // the error last logged
    std::map<IpPrefix, netlink::Route> conflicts_; // the foreign route last logged
    std::set<netlink::IfIndex> forwarding_;        // links that it was enabled on since the last dump
    std::map<netlink::IfIndex, std::string> forwarding_told_; // what was last logged of each: "" or an error
    std::optional<Cause::Clock::time_point> held_until_;      // a mass withdrawal waits until then
};

} // namespace routelet::controller
