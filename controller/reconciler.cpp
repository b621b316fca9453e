#include "controller/reconciler.h"

#include "controller/difference.h"

#include <algorithm>
#include <iterator>

namespace routelet::controller {
namespace {

std::string describe_owner(const netlink::Route& route)
{
    return "proto " + netlink::to_string(route.protocol) + " metric " + std::to_string(route.metric);
}

std::string_view describe_conflict(std::uint32_t foreign, std::uint32_t ours)
{
    if (foreign == ours)
        return "it has our metric, so ours cannot be added, and takes the packets";
    return foreign < ours ? "the foreign route has the lower metric and takes the packets"
                          : "our route has the lower metric and takes the packets";
}

} // namespace

Reconciler::Reconciler(Kernel& kernel, const Log& log, Options options)
    : kernel_(kernel), log_(log), options_(std::move(options)),
      mirror_(options_.identity, options_.pod_bridge)
{
}

bool Reconciler::end_nodes()
{
    const bool first = !nodes_known_;
    nodes_known_ = true;
    return note_change(nodes_.end_list() || first);
}

bool Reconciler::upsert_node(const k8s::Node& node)
{
    return note_change(nodes_.upsert(node));
}

bool Reconciler::erase_node(const std::string& name)
{
    return note_change(nodes_.erase(name));
}

bool Reconciler::note_change(bool changed)
{
    nodes_changed_ = nodes_changed_ || changed;
    return changed;
}

bool Reconciler::observe(const std::vector<netlink::KernelEvent>& events)
{
    bool matters = false;
    for (const auto& event : events) {
        if (std::holds_alternative<netlink::Overrun>(event))
            log_.write(LogLine(LogLevel::info, "kernel-overrun")
                           .with("detail", "notifications were lost, reading all routes again"));
        const auto effect = mirror_.apply(event);
        needs_dump_ = needs_dump_ || effect == KernelMirror::Effect::needs_dump;
        matters = matters || effect != KernelMirror::Effect::none;
    }
    return matters;
}

bool Reconciler::reconcile(const Cause& cause)
{
    if (!nodes_known_)
        return true;
    if (!refresh_mirror())
        return false;
    refresh_plan();
    auto changes = difference(plan_, mirror_.own_routes(), options_.identity, options_.plan.node_name);
    const bool held = hold_mass_withdrawal(changes);
    spare_others(changes);
    remove_surplus(changes);
    forget_settled_failures(changes);
    const Tally tally = apply(changes, cause);
    if (!first_done_)
        report_first(tally, cause);
    report_conflicts();
    const bool forwards = enable_forwarding();
    return tally.failed == 0 && !held && forwards;
}

bool Reconciler::refresh_mirror()
{
    if (!needs_dump_)
        return true;
    // A dump can miss what is there (IPv6, under churn): a network that is gone must be missing twice.
    for (int attempt = 0; attempt < 2; ++attempt) {
        const auto state = kernel_.read();
        if (!state) {
            log_.write(LogLine(LogLevel::error, "kernel-read-failed").with("error", state.error()));
            return false;
        }
        mirror_.reset(*state);
        if (mirror_.local_facts().networks.size() >= local_.networks.size())
            break;
    }
    forwarding_.clear(); // somebody may have switched it off
    needs_dump_ = false;
    return true;
}

// Takes the removals out of `changes` while they wait. What the kernel flushed itself, with a link for
// instance, is gone from the mirror already and does not count; nor do guards, but they wait as well.
bool Reconciler::hold_mass_withdrawal(std::vector<RouteChange>& changes)
{
    constexpr std::size_t a_few = 3;
    const auto is_removal = [](const RouteChange& change) {
        return change.kind == RouteChange::Kind::remove;
    };
    const auto removals = static_cast<std::size_t>(std::ranges::count_if(
        changes, [&](const RouteChange& change) { return is_removal(change) && !is_guard(change.route); }));
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
    std::erase_if(changes, is_removal);
    return true;
}

// Where somebody else has a route of the same destination and metric, REPLACE could hit his: ours is removed
// instead, by all its values, and the addition fails until his is gone, as if his had been there first.
void Reconciler::spare_others(std::vector<RouteChange>& changes) const
{
    std::vector<RouteChange> spared;
    std::erase_if(changes, [&](const RouteChange& change) {
        if (change.kind != RouteChange::Kind::replace || !mirror_.is_shared(change.route.destination))
            return false;
        spared.push_back({RouteChange::Kind::remove, *change.previous, {}, change.node});
        spared.push_back({RouteChange::Kind::create, change.route, {}, change.node});
        return true;
    });
    changes.insert(changes.end(), spared.begin(), spared.end());
}

// Before all else: REPLACE fails (EEXIST) where what it would make is there already, further behind. No
// packet takes these routes, so nothing is withdrawn with them.
void Reconciler::remove_surplus(std::vector<RouteChange>& changes) const
{
    std::vector<RouteChange> removals;
    for (const netlink::Route& route : mirror_.surplus_routes())
        removals.push_back({RouteChange::Kind::remove, route, {}, {}});
    changes.insert(changes.begin(), removals.begin(), removals.end());
}

// What is as it should be now, or no longer wanted, has no failure any more.
void Reconciler::forget_settled_failures(const std::vector<RouteChange>& changes)
{
    std::set<IpPrefix> unsettled;
    for (const RouteChange& change : changes)
        unsettled.insert(change.route.destination);
    std::erase_if(failures_, [&](const auto& failure) { return !unsettled.contains(failure.first); });
}

void Reconciler::refresh_plan()
{
    LocalFacts local = mirror_.local_facts();
    if (!nodes_changed_ && local == local_)
        return;
    local_ = std::move(local);
    nodes_changed_ = false;
    plan_ = plan_routes(nodes_.nodes(), local_, options_.plan);
    report_membership();
    report_verdicts();
}

Reconciler::Tally Reconciler::apply(const std::vector<RouteChange>& changes, const Cause& cause)
{
    Tally tally;
    if (changes.empty())
        return tally;
    const auto results = kernel_.apply(changes);
    const double took_ms = cause.took_ms();
    for (std::size_t i = 0; i < changes.size(); ++i) {
        if (!results[i]) {
            fail(changes[i], results[i].error());
            ++tally.failed;
            continue;
        }
        mirror_.applied(changes[i]);
        settle(changes[i], cause, took_ms);
        if (is_guard(changes[i].route))
            continue;
        tally.added += changes[i].kind == RouteChange::Kind::create ? 1 : 0;
        tally.replaced += changes[i].kind == RouteChange::Kind::replace ? 1 : 0;
        tally.removed += changes[i].kind == RouteChange::Kind::remove ? 1 : 0;
    }
    return tally;
}

// What one accepted change was, in one line.
void Reconciler::settle(const RouteChange& change, const Cause& cause, double took_ms)
{
    const IpPrefix& destination = change.route.destination;
    const auto known = installed_.find(destination);
    std::string node = change.node;
    const char* event = "route-added";
    if (change.kind == RouteChange::Kind::remove) {
        event = "route-removed";
        if (known != installed_.end())
            node = known->second;
    } else if (change.kind == RouteChange::Kind::replace) {
        event = "route-replaced";
    } else if (known != installed_.end() && known->second == node) {
        event = "route-restored"; // it was there, and nobody asked us to remove it
    }

    LogLine line(LogLevel::info, event);
    if (!node.empty())
        line.add("node", node);
    line.add("dst", destination);
    if (change.route.gateway)
        line.add("via", *change.route.gateway);
    if (is_guard(change.route))
        line.add("type", "unreachable");
    else
        line.add("dev", mirror_.link_name(change.route.oif));
    if (change.previous && change.previous->gateway)
        line.add("old_via", *change.previous->gateway);
    const bool stale = change.kind == RouteChange::Kind::remove && node.empty();
    line.add("cause", stale ? "stale" : cause.what);
    line.add("took_ms", took_ms);
    log_.write(line);

    failures_.erase(destination);
    if (change.kind == RouteChange::Kind::remove && !mirror_.own_routes().contains(destination))
        installed_.erase(destination);
    else if (change.kind != RouteChange::Kind::remove)
        installed_.insert_or_assign(destination, change.node);
}

void Reconciler::fail(const RouteChange& change, const Error& error)
{
    // Whatever the kernel has there is not what the mirror said.
    needs_dump_ = true;
    std::string text = error.text();
    auto& last = failures_[change.route.destination];
    if (last == text)
        return;
    LogLine line(LogLevel::warn, "route-failed");
    if (!change.node.empty())
        line.add("node", change.node);
    line.add("dst", change.route.destination);
    if (change.route.gateway)
        line.add("via", *change.route.gateway);
    if (is_guard(change.route))
        line.add("type", "unreachable");
    line.add("error", text);
    log_.write(line);
    last = std::move(text);
}

void Reconciler::report_first(const Tally& tally, const Cause& cause)
{
    first_done_ = true;
    remember_kept_routes();
    const std::size_t in_place = routes_in_place();
    log_.write(LogLine(LogLevel::info, "routes-ready")
                   .with("nodes", nodes_.nodes().size())
                   .with("routes", in_place)
                   .with("kept", in_place - std::min(in_place, tally.added + tally.replaced))
                   .with("added", tally.added)
                   .with("replaced", tally.replaced)
                   .with("removed", tally.removed)
                   .with("failed", tally.failed)
                   .with("took_ms", cause.took_ms()));
}

// Those that an earlier life left are ours as well.
void Reconciler::remember_kept_routes()
{
    const auto remember = [&](const IpPrefix& destination, const std::string& node) {
        if (mirror_.own_routes().contains(destination))
            installed_.try_emplace(destination, node);
    };
    for (const PlannedRoute& planned : plan_.routes)
        remember(planned.destination, planned.node);
    for (const IpPrefix& pod_cidr : plan_.own_pod_cidrs)
        remember(pod_cidr, options_.plan.node_name);
}

std::size_t Reconciler::routes_in_place() const
{
    return static_cast<std::size_t>(std::ranges::count_if(
        mirror_.own_routes(), [](const auto& entry) { return !is_guard(entry.second); }));
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
    facts.routes_in_place =
        static_cast<std::size_t>(std::ranges::count_if(plan_.routes, [&](const PlannedRoute& planned) {
            return mirror_.own_routes().contains(planned.destination);
        }));
    return facts;
}

void Reconciler::report_membership()
{
    std::set<std::string> names;
    for (const auto& [name, node] : nodes_.nodes())
        names.insert(name);
    if (first_done_) {
        for (const auto& name : names)
            if (!known_names_.contains(name))
                log_.write(LogLine(LogLevel::info, "node-joined").with("node", name));
        for (const auto& name : known_names_)
            if (!names.contains(name))
                log_.write(LogLine(LogLevel::info, "node-left").with("node", name));
    }
    known_names_ = std::move(names);
}

void Reconciler::report_verdicts()
{
    std::map<std::pair<std::string, std::string>, Verdict> current;
    for (const Verdict& verdict : plan_.verdicts) {
        const std::pair key(verdict.node, verdict.destination);
        const auto before = reported_.find(key);
        if (before == reported_.end() || before->second != verdict)
            report_verdict(verdict);
        current.insert_or_assign(key, verdict);
    }
    reported_ = std::move(current);
}

// Routed nodes speak through their route's own line.
void Reconciler::report_verdict(const Verdict& verdict)
{
    if (verdict.state == NodeState::routed)
        return;
    const bool own = verdict.state == NodeState::self && verdict.reason == Reason::none;
    LogLine line(verdict.state == NodeState::refused ? LogLevel::warn : LogLevel::info,
                 "node-" + std::string(to_string(verdict.state)));
    line.add("node", verdict.node);
    if (!verdict.destination.empty())
        line.add("pod_cidr", verdict.destination);
    if (!own) {
        line.add("reason", verdict.reason);
        if (!verdict.detail.empty())
            line.add("detail", verdict.detail);
        line.add("remedy", remedy(verdict.reason));
    }
    log_.write(line);
}

void Reconciler::report_conflicts()
{
    std::map<IpPrefix, netlink::Route> current;
    for (const PlannedRoute& planned : plan_.routes) {
        const netlink::Route* foreign = mirror_.foreign_route(planned.destination);
        if (foreign == nullptr)
            continue;
        const auto before = conflicts_.find(planned.destination);
        if (before == conflicts_.end() || before->second != *foreign)
            log_.write(LogLine(LogLevel::warn, "route-conflict")
                           .with("node", planned.node)
                           .with("dst", planned.destination)
                           .with("via", planned.gateway)
                           .with("foreign", *foreign)
                           .with("owner", describe_owner(*foreign))
                           .with("detail", describe_conflict(foreign->metric, options_.identity.metric))
                           .with("remedy", "remove that route, or stop whoever makes it"));
        current.emplace(planned.destination, *foreign);
    }
    for (const auto& [destination, foreign] : conflicts_)
        if (!current.contains(destination))
            log_.write(LogLine(LogLevel::info, "route-conflict-over").with("dst", destination));
    conflicts_ = std::move(current);
}

// Packets from other nodes' pods come in through the links that ours go out by. Per link, because that needs
// no writable /proc/sys (docs/architecture.md).
bool Reconciler::enable_forwarding()
{
    bool all = true;
    for (const PlannedRoute& planned : plan_.routes) {
        if (planned.destination.family() != IpFamily::v4 || forwarding_.contains(planned.link))
            continue;
        const auto enabled = kernel_.enable_ipv4_forwarding(planned.link);
        forwarding_.insert(planned.link);
        all = all && enabled.has_value();
        report_forwarding(planned.link, enabled);
    }
    if (!all)
        forwarding_.clear();
    return all;
}

// Told when it is new; that it is enabled again after each dump is not.
void Reconciler::report_forwarding(netlink::IfIndex link, const Result<>& enabled)
{
    const std::string outcome = enabled ? "" : enabled.error().text();
    const auto known = forwarding_told_.find(link);
    if (known != forwarding_told_.end() && known->second == outcome)
        return;
    forwarding_told_.insert_or_assign(link, outcome);
    if (enabled)
        log_.write(LogLine(LogLevel::info, "forwarding-enabled")
                       .with("family", to_string(IpFamily::v4))
                       .with("dev", mirror_.link_name(link)));
    else
        log_.write(LogLine(LogLevel::warn, "forwarding-failed")
                       .with("dev", mirror_.link_name(link))
                       .with("error", outcome)
                       .with("remedy", "sysctl -w net.ipv4.ip_forward=1"));
}

} // namespace routelet::controller
