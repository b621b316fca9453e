#include "controller/status.h"

#include "base/age.h"
#include "base/join.h"
#include "base/rfc3339.h"
#include "base/version.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <sstream>

namespace routelet::controller {
namespace {

using json = nlohmann::ordered_json;

std::string_view to_string(ApiState::What what)
{
    constexpr std::array<std::string_view, 3> names = {"connecting", "working", "failing"};
    return names[static_cast<std::size_t>(what)];
}

// For a terminal: what a Node object holds is not to steer it.
std::string text_of(const json& object, const char* key)
{
    std::string text = object.value(key, std::string());
    std::ranges::replace_if(
        text, [](unsigned char letter) { return letter < ' ' || letter == 0x7f; }, '?');
    return text;
}

json to_object(const Finding& finding)
{
    return {{"code", finding.code}, {"detail", finding.detail}, {"remedy", finding.remedy}};
}

json to_object(const ApiState& api, const std::string& url)
{
    json object = {{"server", url},
                   {"state", to_string(api.what)},
                   {"since", to_rfc3339(api.since)},
                   {"error", api.error}};
    if (api.heard)
        object["heard"] = to_rfc3339(*api.heard);
    return object;
}

json conditions_of(const Readiness& readiness)
{
    json all = json::array();
    for (const Condition& condition : readiness.conditions)
        all.push_back({{"name", condition.name},
                       {"state", to_string(condition.state)},
                       {"detail", condition.finding.detail},
                       {"remedy", condition.finding.remedy}});
    return all;
}

json counts_of(const Plan& plan)
{
    json counts;
    for (const auto& [state, count] : count_states(plan))
        counts[std::string(to_string(state))] = count;
    return counts;
}

json state_of(std::string_view node, std::string_view destination, NodeState state,
              std::chrono::sys_seconds since)
{
    return {{"node", node},
            {"destination", destination},
            {"state", to_string(state)},
            {"since", to_rfc3339(since)}};
}

// Where a routed podCIDR's packets go, and what the kernel said when it refused that.
json state_of(const Status& status, const PlannedRoute& route, std::chrono::sys_seconds since)
{
    json node = state_of(route.node->name, route.destination.to_string(), NodeState::routed, since);
    node["nextHop"] = route.gateway.to_string();
    node["dev"] = status.local.link_name(route.link);
    if (const auto refusal = status.refusals.find(route.destination); refusal != status.refusals.end())
        node["error"] = refusal->second;
    return node;
}

json state_of(const Verdict& verdict, std::chrono::sys_seconds since)
{
    json node = state_of(verdict.node, verdict.destination, verdict.state, since);
    if (verdict.reason != Reason::none)
        node["reason"] = to_string(verdict.reason);
    if (verdict.reason != Reason::none || !verdict.detail.empty())
        node["detail"] = verdict.detail;
    if (const std::string_view advice = remedy(verdict.reason); !advice.empty())
        node["remedy"] = advice;
    return node;
}

// By name; of one node first what is routed.
json nodes_of(const Status& status)
{
    const Plan& plan = status.plan;
    std::vector<json> nodes;
    nodes.reserve(plan.routes.size() + plan.verdicts.size());
    for (std::size_t i = 0; i < plan.routes.size(); ++i)
        nodes.push_back(state_of(status, plan.routes[i], status.times.of_route(i)));
    for (std::size_t i = 0; i < plan.verdicts.size(); ++i)
        nodes.push_back(state_of(plan.verdicts[i], status.times.of_verdict(i)));
    std::ranges::stable_sort(nodes, {}, [](const json& node) { return text_of(node, "node"); });
    return nodes;
}

json to_object(const LastChange& change)
{
    return {{"when", to_rfc3339(change.when)},
            {"event", change.event},
            {"destination", change.destination.to_string()},
            {"cause", change.cause}};
}

using Colour = Painter::Colour;

struct Cell {
    std::string text;
    Colour colour = Colour::none;
};
using Row = std::vector<Cell>;

// Each row has as many cells as the first.
void write_table(std::ostream& out, const std::vector<Row>& rows, const Painter& painter)
{
    std::vector<std::size_t> widths(rows.empty() ? 0 : rows.front().size());
    for (const Row& row : rows)
        for (std::size_t i = 0; i < row.size(); ++i)
            widths.at(i) = std::max(widths.at(i), row[i].text.size());
    for (const Row& row : rows) {
        std::size_t blanks = 2;
        for (std::size_t i = 0; i < row.size(); ++i) {
            if (!row[i].text.empty()) {
                out << std::string(blanks, ' ') << painter.paint(row[i].text, row[i].colour);
                blanks = 0;
            }
            blanks += widths.at(i) - row[i].text.size() + 2;
        }
        out << "\n";
    }
}

// Of a node, a condition, the node as a whole.
Colour colour_of(std::string_view state)
{
    if (state == "routed" || state == "met" || state == "ready" || state == "working")
        return Colour::good;
    if (state == "pending" || state == "unknown" || state == "connecting" || state == "starting")
        return Colour::warning;
    return state == "self" || state == "gateway" ? Colour::none : Colour::bad;
}

std::string age_of(const std::string& since, const StatusView& view)
{
    if (!view.has_ages)
        return since;
    const auto when = parse_rfc3339(since);
    return when ? to_age(std::chrono::floor<std::chrono::seconds>(view.now - *when)) : "";
}

bool is_wanted(const json& node, const StatusFilter& filter)
{
    return (filter.node.empty() || text_of(node, "node") == filter.node) &&
           (filter.state.empty() || text_of(node, "state") == filter.state);
}

std::vector<Row> node_rows(const json& nodes, const StatusView& view)
{
    std::vector<Row> rows = {{{"NODE"}, {"STATE"}, {"SINCE"}, {"DESTINATION"}, {"NEXT HOP OR REASON"}}};
    if (view.is_wide)
        rows.front().insert(rows.front().end(), {{"LINK"}, {"TO DO"}});
    for (const json& node : nodes) {
        if (!is_wanted(node, view.filter))
            continue;
        std::string way = text_of(node, "nextHop") + text_of(node, "reason");
        if (const std::string detail = text_of(node, "detail"); !detail.empty())
            append_item(way, detail, ": ");
        const std::string error = text_of(node, "error");
        if (!error.empty())
            way += ", refused by the kernel: " + error;
        const std::string state = text_of(node, "state");
        rows.push_back({{text_of(node, "node")},
                        {state, error.empty() ? colour_of(state) : Colour::bad},
                        {age_of(text_of(node, "since"), view)},
                        {text_of(node, "destination")},
                        {way}});
        if (view.is_wide)
            rows.back().insert(rows.back().end(), {{text_of(node, "dev")}, {text_of(node, "remedy")}});
    }
    return rows;
}

std::string or_none(const std::string& list)
{
    return list.empty() ? "none" : list;
}

// "2 routed, 1 self".
std::string text_of_counts(const json& counts)
{
    std::string text;
    for (const auto& [state, count] : counts.items())
        if (count != 0)
            append_item(text, count.dump() + " " + state);
    return or_none(text);
}

// How long the API server has said nothing, not even that it has nothing to say; empty while that is usual.
std::string silence_of(const json& api, const StatusView& view)
{
    constexpr std::chrono::minutes usual(3);
    const auto heard = parse_rfc3339(text_of(api, "heard"));
    return heard && view.now - *heard > usual ? age_of(text_of(api, "heard"), view) : "";
}

// "2 of 2 in place, last change 5m ago: route-added 10.244.2.0/24, cause node".
std::string text_of_routes(const json& status, const StatusView& view)
{
    const json& routes = status.at("routes");
    std::string text = routes.at("inPlace").dump() + " of " + routes.at("planned").dump() + " in place";
    if (const auto last = status.find("lastChange"); last != status.end())
        text += ", last change " + age_of(text_of(*last, "when"), view) + " ago: " + text_of(*last, "event") +
                " " + text_of(*last, "destination") + ", cause " + text_of(*last, "cause");
    return text;
}

void write_head(std::ostream& out, const json& status, const StatusView& view)
{
    const auto painted = [&view](const std::string& state) {
        return view.painter.paint(state, colour_of(state));
    };
    const auto text = [](const json& value) { return value.get<std::string>(); };
    const bool is_router = text_of(status, "role") == "router";
    const std::string state = painted(status.at("state"));
    if (is_router)
        out << "router    " << state << "\n";
    else
        out << "node      " << text_of(status, "node") << ": " << state << "\n";
    out << "version   " << text_of(status, "version") << " (" << text_of(status, "commit") << ")\n";
    if (!is_router)
        out << "podCIDRs  " << or_none(joined(status.at("podCIDRs"), ", ", text)) << "\n";
    out << "routes    " << text_of_routes(status, view) << "\n";
    const json& api = status.at("api");
    const std::string error = text_of(api, "error");
    out << "API       " << text_of(api, "server") << " " << painted(text_of(api, "state")) << " since "
        << text_of(api, "since");
    out << (error.empty() ? "" : ": ") << error << "\n";
    if (const std::string silence = silence_of(api, view); !silence.empty())
        out << "          nothing heard of it for " << silence << "\n";
}

// A Node with several podCIDRs is in there several times, one behind the other.
void write_names(std::ostream& out, const json& nodes, const StatusFilter& filter)
{
    std::string last;
    for (const json& node : nodes) {
        const std::string name = text_of(node, "node");
        if (!is_wanted(node, filter) || name == last)
            continue;
        out << name << "\n";
        last = name;
    }
}

void write_everything(std::ostream& out, const json& status, const StatusView& view)
{
    write_head(out, status, view);

    out << "\nconditions\n";
    std::vector<Row> conditions;
    for (const json& condition : status.at("conditions")) {
        const std::string state = text_of(condition, "state");
        conditions.push_back(
            {{text_of(condition, "name")}, {state, colour_of(state)}, {text_of(condition, "detail")}});
    }
    write_table(out, conditions, view.painter);

    out << "\nfindings" << (status.at("findings").empty() ? ": none" : "") << "\n";
    for (const json& finding : status.at("findings"))
        out << "  " << view.painter.paint(text_of(finding, "code"), Colour::bad) << ": "
            << text_of(finding, "detail") << "\n      to do: " << text_of(finding, "remedy") << "\n";

    out << "\nnodes: " << text_of_counts(status.at("counts")) << "\n";
    write_table(out, node_rows(status.at("nodes"), view), view.painter);
}

StatusSummary summarize(const json& status, const StatusView& view)
{
    std::ostringstream out;
    if (view.has_names_only)
        write_names(out, status.at("nodes"), view.filter);
    else
        write_everything(out, status, view);
    return {.text = out.str(), .is_ready = text_of(status, "state") == to_string(Readiness::State::ready)};
}

StatusReport report_of(const json& status)
{
    const json& api = status.at("api");
    StatusReport report{.node = text_of(status, "node"),
                        .state = status.at("state"),
                        .api_server = text_of(api, "server"),
                        .api_state = text_of(api, "state"),
                        .api_since = text_of(api, "since"),
                        .api_error = text_of(api, "error"),
                        .nodes = {}};
    for (const json& node : status.at("nodes"))
        report.nodes.push_back({.node = text_of(node, "node"),
                                .destination = text_of(node, "destination"),
                                .state = text_of(node, "state"),
                                .next_hop = text_of(node, "nextHop"),
                                .reason = text_of(node, "reason"),
                                .detail = text_of(node, "detail"),
                                .remedy = text_of(node, "remedy"),
                                .error = text_of(node, "error")});
    return report;
}

// Whatever `read` makes of the text.
template <class Read>
auto read_status(std::string_view text, Read read) -> Result<decltype(read(json()))>
{
    try {
        return read(json::parse(text));
    } catch (const json::exception& broken) {
        return make_error(boost::system::errc::bad_message, std::string("not a status: ") + broken.what());
    }
}

} // namespace

std::string to_json(const Status& status)
{
    json findings = json::array();
    for (const Finding& finding : status.findings)
        findings.push_back(to_object(finding));
    json pod_cidrs = json::array();
    for (const IpPrefix& pod_cidr : status.plan.own_pod_cidrs)
        pod_cidrs.push_back(pod_cidr.to_string());

    json document = {
        {"version", version()},
        {"commit", commit()},
        {"role", status.node_name.empty() ? "router" : "node"},
        {"node", status.node_name},
        {"state", to_string(status.readiness.state)},
        {"conditions", conditions_of(status.readiness)},
        {"podCIDRs", pod_cidrs},
        {"routes", {{"planned", status.plan.routes.size()}, {"inPlace", status.routes_in_place.total()}}},
        {"counts", counts_of(status.plan)},
        {"api", to_object(status.api, status.api_url)},
        {"findings", findings},
        {"nodes", nodes_of(status)}};
    if (status.last_change)
        document["lastChange"] = to_object(*status.last_change);
    // What a Node object holds need not be UTF-8 after all.
    return document.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

std::string to_text(const Readiness& readiness)
{
    std::string text;
    for (const Condition& condition : readiness.conditions) {
        text += condition.name + ": " + std::string(to_string(condition.state));
        if (!condition.finding.detail.empty())
            text += " (" + condition.finding.detail + ")";
        text += "\n";
    }
    return text;
}

Result<StatusSummary> summarize_status(std::string_view text, const StatusView& view)
{
    return read_status(text, [&view](const json& status) { return summarize(status, view); });
}

Result<StatusReport> parse_status(std::string_view text)
{
    return read_status(text, report_of);
}

} // namespace routelet::controller
