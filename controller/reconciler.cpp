#include "controller/reconciler.h"

#include "controller/replan.h"
#include "controller/route_changes.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace routelet::controller {
namespace {

std::string describe_port(std::uint32_t port)
{
    constexpr std::uint32_t greatest_process = 1U << 22U; // PID_MAX_LIMIT
    if (port == 0)
        return "the kernel";
    const std::string number = std::to_string(port);
    return "netlink port " + number +
           (port <= greatest_process ? " (mostly that process: ps -p " + number + " on the host)" : "");
}

std::string_view event_of(RouteChange::Kind kind, bool was_in_place)
{
    if (kind == RouteChange::Kind::remove)
        return "route-removed";
    if (kind == RouteChange::Kind::replace)
        return "route-replaced";
    return was_in_place ? "route-restored" : "route-added";
}

} // namespace

Reconciler::Reconciler(Kernel& kernel, const Log& log, Options options)
    : kernel_(kernel), log_(log), burst_(log), options_(std::move(options)),
      mirror_(options_.identity, options_.pod_bridge), addresses_(log, burst_, options_.address_hold),
      repairs_(options_.fight), forwarding_(kernel, log)
{
}

void Reconciler::begin_nodes()
{
    is_listing_ = true;
    nodes_.begin_list();
}

void Reconciler::list_node(const k8s::Node& node)
{
    const auto held = addresses_.admit(node, nodes_.find(node.name), Cause::Clock::now());
    nodes_.list(held ? *held : node);
}

bool Reconciler::end_nodes()
{
    is_listing_ = false;
    const bool first = !nodes_known_;
    nodes_known_ = true;
    return note_change(nodes_.end_list() || first) || addresses_.due();
}

bool Reconciler::upsert_node(const k8s::Node& node)
{
    const auto held = addresses_.admit(node, nodes_.find(node.name), Cause::Clock::now());
    return note_change(nodes_.upsert(held ? *held : node)) || addresses_.due();
}

bool Reconciler::erase_node(const std::string& name)
{
    addresses_.forget(name);
    return note_change(nodes_.erase(name));
}

bool Reconciler::note_change(bool changed)
{
    nodes_changed_ = nodes_changed_ || changed;
    return changed;
}

// Not in the middle of a list, which was compared with what counted before; its end reconciles anyway.
void Reconciler::admit_held_addresses()
{
    if (is_listing_)
        return;
    for (const k8s::Node& node : addresses_.take_due(Cause::Clock::now()))
        if (nodes_.contains(node.name)) // else a list has said that it is gone
            note_change(nodes_.upsert(node));
}

std::optional<Cause::Clock::time_point> Reconciler::due() const
{
    const auto repair = repairs_.due();
    const auto address = is_listing_ ? std::nullopt : addresses_.due();
    return repair && address ? std::min(repair, address) : (repair ? repair : address);
}

bool Reconciler::observe(const std::vector<netlink::KernelEvent>& events)
{
    bool matters = false;
    for (const auto& event : events) {
        if (std::holds_alternative<netlink::Overrun>(event)) {
            ++counters_.overruns;
            log_.write(LogLine(LogLevel::info, "kernel-overrun")
                           .with("detail", "notifications were lost, reading all routes again"));
        }
        const auto effect = mirror_.apply(event);
        needs_dump_ = needs_dump_ || effect == KernelMirror::Effect::needs_dump;
        matters = matters || effect != KernelMirror::Effect::none;
        if (effect != KernelMirror::Effect::none) {
            notice(event);
            note_loss(event);
        }
        if (const auto* forwarding = std::get_if<netlink::ForwardingChanged>(&event))
            forwarding_.doubt(forwarding->link);
    }
    return matters;
}

// Before what it led to in the log, but after that in time: a route that is lost is not kept waiting by
// files.
void Reconciler::tell_noticed()
{
    for (const LogLine& line : noticed_)
        log_.write(line);
    noticed_.clear();
}

// For the history, and who has the log show debug: what others did, and the kernel.
void Reconciler::notice(const netlink::KernelEvent& event)
{
    if (const auto* route = std::get_if<netlink::RouteChanged>(&event)) {
        if (!burst_.has_room(LogLevel::debug, "kernel-route"))
            return;
        LogLine line(LogLevel::debug, "kernel-route");
        line.add("what", route->removed ? "removed" : "set");
        line.add("dst", route->route.destination);
        if (route->route.gateway)
            line.add("via", *route->route.gateway);
        if (route->route.oif != netlink::IfIndex{})
            line.add("dev", mirror_.link_name(route->route.oif));
        line.add("proto", netlink::to_string(route->route.protocol));
        line.add("metric", route->route.metric);
        line.add("by", route->port);
        noticed_.push_back(std::move(line));
    } else if (const auto* link = std::get_if<netlink::LinkChanged>(&event)) {
        if (!burst_.has_room(LogLevel::debug, "kernel-link"))
            return;
        const bool is_up = link->link.is_up() && link->link.has_carrier();
        noticed_.push_back(LogLine(LogLevel::debug, "kernel-link")
                               .with("what", link->removed ? "removed"
                                             : is_up       ? "up"
                                                           : "down")
                               .with("dev", link->link.name)
                               .with("mtu", link->link.mtu));
    } else if (const auto* address = std::get_if<netlink::AddressChanged>(&event)) {
        if (!burst_.has_room(LogLevel::debug, "kernel-address"))
            return;
        noticed_.push_back(LogLine(LogLevel::debug, "kernel-address")
                               .with("what", address->removed ? "removed" : "set")
                               .with("address", address->address.address.to_string() + "/" +
                                                    std::to_string(address->address.length))
                               .with("dev", mirror_.link_name(address->address.link)));
    }
}

// Whether it takes a route away that is planned, and who did it.
void Reconciler::note_loss(const netlink::KernelEvent& event)
{
    const auto* route = std::get_if<netlink::RouteChanged>(&event);
    if (route == nullptr) {
        if (std::holds_alternative<netlink::LinkChanged>(event) ||
            std::holds_alternative<netlink::AddressChanged>(event))
            repairs_.forgive();
        return;
    }
    const bool is_foreign = !options_.identity.owns(route->route);
    if (is_foreign && (route->removed || !mirror_.displaces_ours(route->route)))
        return;
    const IpPrefix& destination = route->route.destination;
    const auto wanted = planned_way(plan_, destination);
    if (!wanted || (!is_foreign && !route->removed && Way::of(route->route) == *wanted))
        return;
    const auto now = Cause::Clock::now();
    const auto fight = repairs_.note_loss(destination, now);
    if (!fight || !burst_.has_room(LogLevel::warn, "route-fight"))
        return;
    LogLine line = about(LogLevel::warn, "route-fight", destination);
    log_.write(
        std::move(line)
            .with("losses", fight->losses)
            .with("by", is_foreign ? describe_owner(route->route) : describe_port(route->port))
            .with("repair_in_ms", fight->pause.count())
            .with("detail", "somebody takes this route away again and again")
            .with("remedy", "find who manages routes beside routelet and have it leave those of protocol " +
                                netlink::to_string(options_.identity.protocol) +
                                " alone: systemd-networkd by ManageForeignRoutes=no, NetworkManager by "
                                "unmanaged-devices"));
}

bool Reconciler::reconcile(const Cause& cause)
{
    const auto began = Cause::Clock::now();
    const bool all_done = reconcile_once(cause);
    RouteCounters::of(counters_.reconciling, cause.what)
        .observe(std::chrono::duration<double>(Cause::Clock::now() - began).count());
    return all_done;
}

bool Reconciler::reconcile_once(const Cause& cause)
{
    if (!nodes_known_) {
        (void)mirror_.take_touched(); // the first plan is compared with everything
        return true;
    }
    admit_held_addresses();
    if (!find_work())
        return false;
    const bool held = hold_mass_withdrawal();
    work_off(cause);
    if (has_more())
        return false;
    const bool failed = pass_.failed > 0;
    needs_dump_ = needs_dump_ || failed; // whatever the kernel has there is not what the mirror said
    if (!first_done_)
        report_first(cause);
    pass_ = {};
    for (const IpPrefix& destination : conflicts_due_)
        look_for_conflict(destination);
    if (std::exchange(all_conflicts_due_, false))
        look_for_conflicts();
    conflicts_due_.clear();
    const bool forwards = forwarding_.enable(mirror_);
    tell_noticed(); // which led to nothing
    burst_.end();
    return !failed && !held && forwards;
}

// What is to be looked at: everything when anything may differ, else only where a notification or a repair
// that waited says so. False when the kernel cannot be read.
bool Reconciler::find_work()
{
    const bool was_read = needs_dump_;
    if (!refresh_mirror())
        return false;
    const Planning planning = refresh_plan();
    using Kind = Planning::Kind;
    auto touched = mirror_.take_touched();
    const auto waited = repairs_.take_due(Cause::Clock::now());
    touched.insert(touched.end(), waited.begin(), waited.end());
    touched.insert(touched.end(), planning.destinations.begin(), planning.destinations.end());
    if (was_read || planning.kind == Kind::anew || held_until_ || (has_more() && !touched.empty()))
        find_all_work();
    else if (!touched.empty())
        find_work_at(std::move(touched));
    if (planning.kind == Kind::in_part)
        ++generation_;
    return true;
}

void Reconciler::find_all_work()
{
    ++generation_;
    const OwnRoutes& own = mirror_.own_routes();
    history_.compare(plan_, own, nodes_);
    work_ = difference(plan_, own);
    worked_off_ = 0;
    forget_settled_failures();
    all_conflicts_due_ = true;
}

void Reconciler::find_work_at(std::vector<IpPrefix> touched)
{
    std::ranges::sort(touched);
    const auto twice = std::ranges::unique(touched);
    touched.erase(twice.begin(), twice.end());
    for (const IpPrefix& destination : touched) {
        history_.note(plan_, destination, present_way(mirror_.own_routes(), destination));
        const auto change = change_at(destination, plan_, mirror_.own_routes(), options_.identity);
        if (!change)
            failures_.erase(destination);
        else if (change->kind == RouteChange::Kind::remove)
            work_.to_remove.push_back(destination);
        else
            work_.to_write.push_back(destination);
    }
    conflicts_due_.insert(conflicts_due_.end(), touched.begin(), touched.end());
}

bool Reconciler::refresh_mirror()
{
    if (!needs_dump_)
        return true;
    // A dump can miss what is there (IPv6, under churn): a network that is gone must be missing twice.
    for (int attempt = 0; attempt < 2; ++attempt) {
        const auto state = kernel_.read();
        if (!state) {
            ++counters_.unread;
            log_.write(LogLine(LogLevel::error, "kernel-read-failed").with("error", state.error()));
            return false;
        }
        mirror_.reset(*state);
        if (mirror_.local_facts().networks.size() >= local_.networks.size())
            break;
    }
    forwarding_.doubt();
    needs_dump_ = false;
    return true;
}

// Takes the removals out of the work while they wait. What the kernel flushed itself, with a link for
// instance, is gone from the mirror already and does not count; nor do guards, but they wait as well.
bool Reconciler::hold_mass_withdrawal()
{
    constexpr std::size_t a_few = 3;
    if (worked_off_ > 0)
        return false; // decided when this work was found
    const auto removals =
        static_cast<std::size_t>(std::ranges::count_if(work_.to_remove, [&](const IpPrefix& destination) {
            const auto way = mirror_.own_routes().find(destination);
            return way != mirror_.own_routes().end() && !is_guard(way->second.way);
        }));
    const std::size_t present = routes_in_place();
    // Additions go on while removals wait: routes that are new do not make the withdrawal a smaller one.
    const bool is_mass = removals > a_few && (held_until_ || removals * 2 > present);
    const auto now = Cause::Clock::now();
    if (!is_mass) {
        if (held_until_ && now < *held_until_)
            log_.write(LogLine(LogLevel::info, "withdrawal-averted"));
        held_until_.reset();
        return false;
    }
    if (!held_until_) {
        held_until_ = now + options_.withdrawal_grace;
        if (options_.withdrawal_grace.count() > 0)
            log_.write(LogLine(LogLevel::warn, "withdrawal-held")
                           .with("routes", removals)
                           .with("of", present)
                           .with("grace_s", options_.withdrawal_grace.count())
                           .with("detail", "more than half of the routes would go at once")
                           .with("remedy", "check that the API server has all Nodes: kubectl get nodes"));
    }
    if (now >= *held_until_) {
        held_until_.reset(); // the next one is another
        return false;
    }
    work_.to_remove.clear();
    return true;
}

// What is as it should be now, or no longer wanted, has no failure any more.
void Reconciler::forget_settled_failures()
{
    std::erase_if(failures_, [&](const auto& failure) {
        return !std::ranges::binary_search(work_.to_write, failure.first) &&
               !std::ranges::binary_search(work_.to_remove, failure.first);
    });
}

Reconciler::Planning Reconciler::refresh_plan()
{
    const LocalFacts& local = mirror_.local_facts();
    const bool is_same_machine = local == local_;
    if (!nodes_changed_ && is_same_machine)
        return {};
    nodes_changed_ = false;
    const auto changed = nodes_.take_changed();
    std::optional<Replanned> replanned;
    if (is_same_machine && changed)
        replanned = replan(plan_, nodes_.nodes(), *changed, local_, options_.plan);
    local_ = local;
    const Plan before = std::exchange(plan_, replanned ? std::move(replanned->plan)
                                                       : plan_routes(nodes_.nodes(), local_, options_.plan));
    mirror_.make_room(plan_.routes.size());
    history_.follow(before, plan_);
    forwarding_.follow(plan_, local_);
    report_membership();
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    for (const std::size_t position : times_.follow(before, plan_, now))
        report_verdict(plan_.verdicts[position]);
    if (!replanned)
        return {Planning::Kind::anew};
    return {Planning::Kind::in_part, std::move(replanned->destinations)};
}

// As much as goes into one batch.
void Reconciler::work_off(const Cause& cause)
{
    const std::vector<RouteChange> changes = next_batch();
    if (!has_more()) {
        work_ = {};
        worked_off_ = 0;
    }
    if (changes.empty())
        return;
    const auto results = kernel_.apply(changes);
    const double took_ms = cause.took_ms();
    tell_noticed();
    std::map<std::string_view, std::uint64_t> counts; // by event, of which there are four
    std::optional<std::pair<std::string_view, IpPrefix>> last;
    for (std::size_t i = 0; i < changes.size(); ++i) {
        if (!results[i]) {
            fail(changes[i], results[i].error());
            ++pass_.failed;
            ++counters_.failures;
            continue;
        }
        mirror_.applied(changes[i]);
        // What was written is there as it was written, and is not looked up: it is on its way to memory.
        const Way written = Way::of(changes[i].route);
        const IpPrefix& destination = changes[i].route.destination;
        const bool is_removal = changes[i].kind == RouteChange::Kind::remove;
        const bool was_in_place = history_.note(
            plan_, destination, is_removal ? present_way(mirror_.own_routes(), destination) : written);
        const std::string_view event = event_of(changes[i].kind, was_in_place);
        settle(changes[i], event, cause, took_ms);
        ++counts[event];
        last = {event, destination};
        if (is_guard(written))
            continue;
        pass_.added += changes[i].kind == RouteChange::Kind::create ? 1 : 0;
        pass_.replaced += changes[i].kind == RouteChange::Kind::replace ? 1 : 0;
        pass_.removed += changes[i].kind == RouteChange::Kind::remove ? 1 : 0;
    }
    for (const auto& [event, times] : counts)
        counters_.count(event, cause.what, times, took_ms / 1000);
    if (last)
        counters_.last = LastChange{std::chrono::system_clock::now(), std::string(last->first), last->second,
                                    std::string(cause.what)};
}

std::vector<RouteChange> Reconciler::next_batch()
{
    const auto now = Cause::Clock::now();
    std::vector<RouteChange> changes;
    if (worked_off_ == 0)
        changes = removals_of_surplus(mirror_);
    const std::size_t writes = work_.to_write.size();
    const std::size_t end = std::min(worked_off_ + options_.batch, writes + work_.to_remove.size());
    std::vector<IpPrefix> destinations;
    destinations.reserve(end - worked_off_);
    for (; worked_off_ < end; ++worked_off_) {
        const IpPrefix& destination =
            worked_off_ < writes ? work_.to_write[worked_off_] : work_.to_remove[worked_off_ - writes];
        if (!repairs_.holds(destination, now))
            destinations.push_back(destination);
    }
    std::ranges::move(changes_at(destinations, plan_, mirror_, options_.identity),
                      std::back_inserter(changes));
    return changes;
}

// What one accepted change was, in one line.
void Reconciler::settle(const RouteChange& change, std::string_view event, const Cause& cause, double took_ms)
{
    const IpPrefix& destination = change.route.destination;
    const bool is_removal = change.kind == RouteChange::Kind::remove;
    if (burst_.has_room(LogLevel::info, event)) {
        LogLine line = about(LogLevel::info, event, destination);
        if (change.route.gateway)
            line.add("via", *change.route.gateway);
        if (is_guard(Way::of(change.route)))
            line.add("type", "unreachable");
        else
            line.add("dev", mirror_.link_name(change.route.oif));
        if (change.previous && change.previous->gateway)
            line.add("old_via", *change.previous->gateway);
        const bool is_stale = is_removal && line.fields().front().name != "node";
        line.add("cause", is_stale ? "stale" : cause.what);
        line.add("took_ms", took_ms);
        log_.write(line);
    }
    failures_.erase(destination);
    if (!is_removal)
        return;
    ++generation_;
    if (!mirror_.own_routes().contains(destination)) // nor one that was in front of it
        history_.forget(destination);
}

// A line about the route to a destination, and whose pods it is for as far as anybody knows.
LogLine Reconciler::about(LogLevel level, std::string_view event, const IpPrefix& destination) const
{
    LogLine line(level, event);
    const std::string_view node = history_.node_of(plan_, destination, options_.plan.node_name);
    if (!node.empty())
        line.add("node", node);
    line.add("dst", destination);
    return line;
}

void Reconciler::fail(const RouteChange& change, const Error& error)
{
    std::string text = error.text();
    auto& last = failures_[change.route.destination];
    if (last == text)
        return;
    if (burst_.has_room(LogLevel::warn, "route-failed")) {
        LogLine line = about(LogLevel::warn, "route-failed", change.route.destination);
        if (change.route.gateway)
            line.add("via", *change.route.gateway);
        if (is_guard(Way::of(change.route)))
            line.add("type", "unreachable");
        line.add("error", text);
        log_.write(line);
    }
    last = std::move(text);
}

void Reconciler::report_first(const Cause& cause)
{
    first_done_ = true;
    const std::size_t in_place = routes_in_place();
    log_.write(LogLine(LogLevel::info, "routes-ready")
                   .with("nodes", nodes_.nodes().size())
                   .with("routes", in_place)
                   .with("kept", in_place - std::min(in_place, pass_.added + pass_.replaced))
                   .with("added", pass_.added)
                   .with("replaced", pass_.replaced)
                   .with("removed", pass_.removed)
                   .with("failed", pass_.failed)
                   .with("took_ms", cause.took_ms()));
}

ReadinessFacts Reconciler::readiness_facts() const
{
    ReadinessFacts facts{.node_name = options_.plan.node_name,
                         .nodes_listed = nodes_known_,
                         .reconciled = first_done_,
                         .node_exists = nodes_.contains(options_.plan.node_name)};
    std::ranges::copy_if(plan_.verdicts, std::back_inserter(facts.own_verdicts),
                         [&](const Verdict& verdict) { return verdict.node == facts.node_name; });
    facts.routes_planned = plan_.routes.size();
    facts.routes_in_place = history_.in_place();
    return facts;
}

void Reconciler::report_membership()
{
    const NodeTable::Membership members = nodes_.take_membership();
    if (!first_done_)
        return;
    for (const NodeRef& node : members.joined)
        if (burst_.has_room(LogLevel::info, "node-joined"))
            log_.write(LogLine(LogLevel::info, "node-joined").with("node", node->name));
    for (const NodeRef& node : members.left)
        if (burst_.has_room(LogLevel::info, "node-left"))
            log_.write(LogLine(LogLevel::info, "node-left").with("node", node->name));
}

// Routed nodes speak through their route's own line.
void Reconciler::report_verdict(const Verdict& verdict)
{
    const LogLevel level = verdict.state == NodeState::refused ? LogLevel::warn : LogLevel::info;
    const std::string event = "node-" + std::string(to_string(verdict.state));
    if (!burst_.has_room(level, event))
        return;
    LogLine line(level, event);
    line.add("node", verdict.node);
    if (!verdict.destination.empty())
        line.add("pod_cidr", verdict.destination);
    if (verdict.reason != Reason::none)
        line.add("reason", verdict.reason);
    if (!verdict.detail.empty())
        line.add("detail", verdict.detail);
    if (verdict.reason != Reason::none)
        line.add("remedy", remedy(verdict.reason));
    log_.write(line);
}

} // namespace routelet::controller
