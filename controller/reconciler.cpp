#include "controller/reconciler.h"

#include "controller/difference.h"

#include <cmath>

namespace routelet::controller {
namespace {

// Three decimals are microseconds: what a repair takes.
double milliseconds_since(Cause::Clock::time_point start)
{
    const std::chrono::duration<double, std::milli> passed = Cause::Clock::now() - start;
    return std::round(passed.count() * 1000) / 1000;
}

std::string describe_owner(const netlink::Route& route)
{
    return "proto " + netlink::to_string(route.protocol) + " metric " + std::to_string(route.metric);
}

} // namespace

Reconciler::Reconciler(Kernel& kernel, const Log& log, PlanOptions options, RouteIdentity identity,
                       std::string pod_bridge)
    : kernel_(kernel), log_(log), options_(std::move(options)), identity_(identity),
      mirror_(identity, std::move(pod_bridge))
{
}

bool Reconciler::replace_nodes(const std::vector<k8s::Node>& nodes)
{
    const bool first = !nodes_known_;
    nodes_known_ = true;
    nodes_changed_ = nodes_.replace(nodes) || first || nodes_changed_;
    return nodes_changed_;
}

bool Reconciler::upsert_node(const k8s::Node& node)
{
    nodes_changed_ = nodes_.upsert(node) || nodes_changed_;
    return nodes_changed_;
}

bool Reconciler::erase_node(const std::string& name)
{
    nodes_changed_ = nodes_.erase(name) || nodes_changed_;
    return nodes_changed_;
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
    const Tally tally = apply(difference(plan_, mirror_.own_routes(), identity_), cause);
    if (!first_done_)
        report_first(tally, cause);
    report_conflicts();
    enable_forwarding();
    return tally.failed == 0;
}

bool Reconciler::refresh_mirror()
{
    if (!needs_dump_)
        return true;
    const auto state = kernel_.read();
    if (!state) {
        log_.write(LogLine(LogLevel::error, "kernel-read-failed").with("error", state.error()));
        return false;
    }
    mirror_.reset(*state);
    needs_dump_ = false;
    return true;
}

void Reconciler::refresh_plan()
{
    LocalFacts local = mirror_.local_facts();
    if (!nodes_changed_ && local == local_)
        return;
    local_ = std::move(local);
    nodes_changed_ = false;
    plan_ = plan_routes(nodes_.nodes(), local_, options_);
    report_membership();
    report_verdicts();
}

Reconciler::Tally Reconciler::apply(const std::vector<RouteChange>& changes, const Cause& cause)
{
    Tally tally;
    if (changes.empty())
        return tally;
    const auto results = kernel_.apply(changes);
    const double took_ms = milliseconds_since(cause.since);
    for (std::size_t i = 0; i < changes.size(); ++i) {
        if (!results[i]) {
            fail(changes[i], results[i].error());
            ++tally.failed;
            continue;
        }
        mirror_.applied(changes[i]);
        settle(changes[i], cause, took_ms);
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
    line.add("dev", mirror_.link_name(change.route.oif));
    if (change.previous && change.previous->gateway)
        line.add("old_via", *change.previous->gateway);
    const bool stale = change.kind == RouteChange::Kind::remove && node.empty();
    line.add("cause", stale ? "stale" : cause.what);
    line.add("took_ms", took_ms);
    log_.write(line);

    failures_.erase(destination);
    if (change.kind == RouteChange::Kind::remove)
        installed_.erase(destination);
    else
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
    line.add("error", text);
    log_.write(line);
    last = std::move(text);
}

void Reconciler::report_first(const Tally& tally, const Cause& cause)
{
    first_done_ = true;
    for (const PlannedRoute& planned : plan_.routes) // those that an earlier life left are ours as well
        if (mirror_.own_routes().contains(planned.destination))
            installed_.try_emplace(planned.destination, planned.node);
    const std::size_t in_place = mirror_.own_routes().size();
    log_.write(LogLine(LogLevel::info, "routes-ready")
                   .with("nodes", nodes_.nodes().size())
                   .with("routes", in_place)
                   .with("kept", in_place - std::min(in_place, tally.added + tally.replaced))
                   .with("added", tally.added)
                   .with("replaced", tally.replaced)
                   .with("removed", tally.removed)
                   .with("failed", tally.failed)
                   .with("took_ms", milliseconds_since(cause.since)));
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
    const bool missing = !names.contains(options_.node_name);
    if (missing && !self_missing_)
        log_.write(LogLine(LogLevel::warn, "self-missing")
                       .with("node", options_.node_name)
                       .with("detail", "the API server has no Node of this name")
                       .with("remedy", "wait for the kubelet to register it, or correct --node-name"));
    self_missing_ = missing;
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
            log_.write(
                LogLine(LogLevel::warn, "route-conflict")
                    .with("node", planned.node)
                    .with("dst", planned.destination)
                    .with("via", planned.gateway)
                    .with("foreign", *foreign)
                    .with("owner", describe_owner(*foreign))
                    .with("detail", foreign->metric < identity_.metric
                                        ? "the foreign route has the lower metric and takes the packets"
                                        : "our route has the lower metric and takes the packets")
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
void Reconciler::enable_forwarding()
{
    for (const PlannedRoute& planned : plan_.routes) {
        if (planned.destination.family() != IpFamily::v4 || forwarding_.contains(planned.link))
            continue;
        const auto enabled = kernel_.enable_ipv4_forwarding(planned.link);
        if (enabled)
            log_.write(LogLine(LogLevel::info, "forwarding-enabled")
                           .with("family", to_string(IpFamily::v4))
                           .with("dev", mirror_.link_name(planned.link)));
        else
            log_.write(LogLine(LogLevel::warn, "forwarding-failed")
                           .with("dev", mirror_.link_name(planned.link))
                           .with("error", enabled.error())
                           .with("remedy", "sysctl -w net.ipv4.ip_forward=1"));
        forwarding_.insert(planned.link);
    }
}

} // namespace routelet::controller
