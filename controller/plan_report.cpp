#include "controller/plan_report.h"

#include "controller/difference.h"
#include "controller/route_changes.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <iterator>
#include <sstream>

namespace routelet::controller {
namespace {

using nlohmann::json;
using Kind = RouteChange::Kind;

// In the order in which the agent makes them.
std::vector<RouteChange> changes_for(const Plan& plan, const KernelMirror& mirror,
                                     const RouteIdentity& identity)
{
    const Difference differing = difference(plan, mirror.own_routes());
    std::vector<IpPrefix> destinations = differing.to_write;
    destinations.insert(destinations.end(), differing.to_remove.begin(), differing.to_remove.end());
    std::vector<RouteChange> changes = removals_of_surplus(mirror);
    std::ranges::move(changes_at(destinations, plan, mirror, identity), std::back_inserter(changes));
    return changes;
}

// As ip-route(8) has it: "10.244.3.0/24 via 192.168.1.13 dev eth0", "unreachable 10.244.1.0/24".
std::string way_of(const netlink::Route& route, const KernelMirror& mirror)
{
    std::string text = route.type == RTN_UNREACHABLE ? "unreachable " : "";
    text += route.destination.to_string();
    if (route.gateway)
        text += " via " + route.gateway->to_string();
    if (route.oif != netlink::IfIndex{})
        text += " dev " + mirror.link_name(route.oif);
    return text;
}

// Whose podCIDR it is; of a guard, what that is.
std::string owner_of(const netlink::Route& route, const Plan& plan)
{
    if (route.type == RTN_UNREACHABLE)
        return "guard: what no pod and no node has goes nowhere";
    const PlannedRoute* planned = plan.find(route.destination);
    return planned == nullptr ? "" : planned->node->name;
}

std::string what_becomes_of(const RouteChange& change, const Plan& plan, const KernelMirror& mirror)
{
    switch (change.kind) {
    case Kind::create:
        return owner_of(change.route, plan);
    case Kind::replace:
        return owner_of(change.route, plan) + "; now " + way_of(*change.previous, mirror);
    case Kind::remove:
    case Kind::take_over:
        break;
    }
    return planned_way(plan, change.route.destination) ? "not the planned way" : "nobody's any more";
}

const char* sign_of(Kind kind)
{
    return kind == Kind::create ? "+ " : kind == Kind::replace ? "~ " : "- ";
}

const char* verb_of(Kind kind)
{
    return kind == Kind::create ? "add" : kind == Kind::replace ? "replace" : "del";
}

std::size_t count(const std::vector<RouteChange>& changes, Kind kind)
{
    return static_cast<std::size_t>(std::ranges::count(changes, kind, &RouteChange::kind));
}

std::size_t count(const Plan& plan, NodeState state)
{
    return static_cast<std::size_t>(std::ranges::count(plan.verdicts, state, &Verdict::state));
}

// Ours that are there and stay as they are.
std::vector<netlink::Route> routes_in_place(const Plan& plan, const KernelMirror& mirror,
                                            const RouteIdentity& identity)
{
    std::vector<netlink::Route> found;
    for (const auto& [destination, own] : mirror.own_routes())
        if (planned_way(plan, destination) == own.way)
            found.push_back(to_kernel_route(destination, own, identity));
    std::ranges::sort(found, {}, &netlink::Route::destination);
    return found;
}

std::string line_of(const Verdict& verdict)
{
    std::string line = (verdict.destination.empty() ? "no podCIDR" : verdict.destination) + " of " +
                       verdict.node + ": " + std::string(to_string(verdict.state));
    if (verdict.reason != Reason::none)
        line += ", " + std::string(to_string(verdict.reason));
    if (!verdict.detail.empty())
        line += " (" + verdict.detail + ")";
    if (const std::string_view advice = remedy(verdict.reason); !advice.empty())
        line += "; " + std::string(advice);
    return line;
}

struct Row {
    const char* sign;
    std::string way;
    std::string remark;
};

std::string table_of(const std::vector<Row>& rows)
{
    std::size_t width = 0;
    for (const Row& row : rows)
        width = std::max(width, row.way.size());
    std::string text;
    for (const Row& row : rows) {
        text += row.sign + row.way;
        if (!row.remark.empty())
            text += std::string(width - row.way.size() + 4, ' ') + row.remark;
        text += '\n';
    }
    return text;
}

json to_json(const netlink::Route& route, const Plan& plan, const KernelMirror& mirror)
{
    json object = {{"type", route.type == RTN_UNREACHABLE ? "unreachable" : "unicast"},
                   {"destination", route.destination.to_string()},
                   {"metric", route.metric}};
    if (route.gateway)
        object["gateway"] = route.gateway->to_string();
    if (route.oif != netlink::IfIndex{})
        object["link"] = mirror.link_name(route.oif);
    if (const PlannedRoute* planned = plan.find(route.destination))
        object["node"] = planned->node->name;
    return object;
}

} // namespace

std::string plan_as_text(const Plan& plan, const KernelMirror& mirror, const RouteIdentity& identity)
{
    const std::vector<RouteChange> changes = changes_for(plan, mirror, identity);
    const std::vector<netlink::Route> in_place = routes_in_place(plan, mirror, identity);
    std::vector<Row> rows;
    for (const RouteChange& change : changes)
        rows.push_back(
            {sign_of(change.kind), way_of(change.route, mirror), what_becomes_of(change, plan, mirror)});
    for (const netlink::Route& route : in_place)
        rows.push_back({"  ", way_of(route, mirror), owner_of(route, plan)});

    std::string text = table_of(rows);
    for (const Verdict& verdict : plan.verdicts)
        if (verdict.state != NodeState::self)
            text += (verdict.state == NodeState::refused ? "! " : "? ") + line_of(verdict) + "\n";
    const auto number = [](std::size_t value) { return std::to_string(value); };
    return text + number(count(changes, Kind::create)) + " to add, " + number(count(changes, Kind::replace)) +
           " to change, " + number(count(changes, Kind::remove)) + " to remove, " + number(in_place.size()) +
           " in place; " + number(count(plan, NodeState::refused)) + " refused, " +
           number(count(plan, NodeState::pending)) + " pending, " + number(count(plan, NodeState::gateway)) +
           " left to the gateway\n";
}

std::string plan_as_commands(const Plan& plan, const KernelMirror& mirror, const RouteIdentity& identity)
{
    std::ostringstream commands;
    for (const RouteChange& change : changes_for(plan, mirror, identity))
        commands << (change.route.destination.family() == IpFamily::v4 ? "ip route " : "ip -6 route ")
                 << verb_of(change.kind) << ' ' << way_of(change.route, mirror) << " proto "
                 << static_cast<int>(to_int(identity.protocol)) << " metric " << change.route.metric << '\n';
    return commands.str();
}

std::string plan_as_json(const Plan& plan, const KernelMirror& mirror, const RouteIdentity& identity)
{
    json changes = json::array();
    for (const RouteChange& change : changes_for(plan, mirror, identity)) {
        json object = to_json(change.route, plan, mirror);
        object["change"] = verb_of(change.kind);
        if (change.previous)
            object["previous"] = to_json(*change.previous, plan, mirror);
        changes.push_back(std::move(object));
    }
    json in_place = json::array();
    for (const netlink::Route& route : routes_in_place(plan, mirror, identity))
        in_place.push_back(to_json(route, plan, mirror));
    json verdicts = json::array();
    for (const Verdict& verdict : plan.verdicts)
        verdicts.push_back({{"node", verdict.node},
                            {"destination", verdict.destination},
                            {"state", to_string(verdict.state)},
                            {"reason", to_string(verdict.reason)},
                            {"detail", verdict.detail},
                            {"remedy", remedy(verdict.reason)}});
    return json{{"changes", changes}, {"inPlace", in_place}, {"verdicts", verdicts}}.dump(2) + "\n";
}

} // namespace routelet::controller
