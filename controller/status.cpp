#include "controller/status.h"

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

std::string text_of(const json& object, const char* key)
{
    return object.value(key, std::string());
}

json to_object(const Finding& finding)
{
    return {{"code", finding.code}, {"detail", finding.detail}, {"remedy", finding.remedy}};
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

json state_of(std::string_view node, std::string_view destination, NodeState state)
{
    return {{"node", node}, {"destination", destination}, {"state", to_string(state)}};
}

// Where a routed podCIDR's packets go, and what the kernel said when it refused that.
json state_of(const PlannedRoute& route, const Status& status)
{
    json node = state_of(route.node->name, route.destination.to_string(), NodeState::routed);
    node["nextHop"] = route.gateway.to_string();
    if (const auto refusal = status.refusals.find(route.destination); refusal != status.refusals.end())
        node["error"] = refusal->second;
    return node;
}

json state_of(const Verdict& verdict)
{
    json node = state_of(verdict.node, verdict.destination, verdict.state);
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
    std::vector<json> nodes;
    nodes.reserve(status.plan.routes.size() + status.plan.verdicts.size());
    for (const PlannedRoute& route : status.plan.routes)
        nodes.push_back(state_of(route, status));
    for (const Verdict& verdict : status.plan.verdicts)
        nodes.push_back(state_of(verdict));
    std::ranges::stable_sort(nodes, {}, [](const json& node) { return text_of(node, "node"); });
    return nodes;
}

void write_table(std::ostream& out, const std::vector<std::array<std::string, 4>>& rows)
{
    std::array<std::size_t, 4> widths{};
    for (const auto& row : rows)
        for (std::size_t i = 0; i < row.size(); ++i)
            widths.at(i) = std::max(widths.at(i), row.at(i).size());
    for (const auto& row : rows) {
        std::string line = "  ";
        for (std::size_t i = 0; i < row.size(); ++i)
            line += row.at(i) + std::string(widths.at(i) - row.at(i).size() + 2, ' ');
        out << line.substr(0, line.find_last_not_of(' ') + 1) << "\n";
    }
}

bool is_wanted(const json& node, const StatusFilter& filter)
{
    return (filter.node.empty() || text_of(node, "node") == filter.node) &&
           (filter.state.empty() || text_of(node, "state") == filter.state);
}

std::vector<std::array<std::string, 4>> node_rows(const json& nodes, const StatusFilter& filter)
{
    std::vector<std::array<std::string, 4>> rows = {{"NODE", "STATE", "DESTINATION", "NEXT HOP OR REASON"}};
    for (const json& node : nodes) {
        if (!is_wanted(node, filter))
            continue;
        std::string way = text_of(node, "nextHop") + text_of(node, "reason");
        if (const std::string detail = text_of(node, "detail"); !detail.empty())
            way += (way.empty() ? "" : ": ") + detail;
        if (const std::string error = text_of(node, "error"); !error.empty())
            way += ", refused by the kernel: " + error;
        rows.push_back({text_of(node, "node"), text_of(node, "state"), text_of(node, "destination"), way});
    }
    return rows;
}

std::string joined(const json& texts)
{
    std::string all;
    for (const json& text : texts)
        all += (all.empty() ? "" : ", ") + text.get<std::string>();
    return all.empty() ? "none" : all;
}

// "2 routed, 1 self".
std::string text_of_counts(const json& counts)
{
    std::string text;
    for (const auto& [state, count] : counts.items())
        if (count != 0)
            text += (text.empty() ? "" : ", ") + count.dump() + " " + state;
    return text.empty() ? "none" : text;
}

StatusSummary summarize(const json& status, const StatusFilter& filter)
{
    std::ostringstream out;
    const json& api = status.at("api");
    const json& routes = status.at("routes");
    const std::string state = status.at("state");
    const bool is_router = text_of(status, "role") == "router";
    if (is_router)
        out << "router    " << state << "\n";
    else
        out << "node      " << text_of(status, "node") << ": " << state << "\n";
    out << "version   " << text_of(status, "version") << " (" << text_of(status, "commit") << ")\n";
    if (!is_router)
        out << "podCIDRs  " << joined(status.at("podCIDRs")) << "\n";
    out << "routes    " << routes.at("inPlace") << " of " << routes.at("planned") << " in place\n"
        << "API       " << text_of(api, "server") << " " << text_of(api, "state") << " since "
        << text_of(api, "since") << (text_of(api, "error").empty() ? "" : ": ") << text_of(api, "error")
        << "\n";

    out << "\nconditions\n";
    std::vector<std::array<std::string, 4>> conditions;
    for (const json& condition : status.at("conditions"))
        conditions.push_back(
            {text_of(condition, "name"), text_of(condition, "state"), text_of(condition, "detail"), ""});
    write_table(out, conditions);

    out << "\nfindings" << (status.at("findings").empty() ? ": none" : "") << "\n";
    for (const json& finding : status.at("findings"))
        out << "  " << text_of(finding, "code") << ": " << text_of(finding, "detail")
            << "\n      to do: " << text_of(finding, "remedy") << "\n";

    out << "\nnodes: " << text_of_counts(status.at("counts")) << "\n";
    write_table(out, node_rows(status.at("nodes"), filter));
    return {.text = out.str(), .is_ready = state == to_string(Readiness::State::ready)};
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

    const json document = {
        {"version", version()},
        {"commit", commit()},
        {"role", status.node_name.empty() ? "router" : "node"},
        {"node", status.node_name},
        {"state", to_string(status.readiness.state)},
        {"conditions", conditions_of(status.readiness)},
        {"podCIDRs", pod_cidrs},
        {"routes", {{"planned", status.plan.routes.size()}, {"inPlace", status.routes_in_place}}},
        {"counts", counts_of(status.plan)},
        {"api",
         {{"server", status.api_url},
          {"state", to_string(status.api.what)},
          {"since", to_rfc3339(status.api.since)},
          {"error", status.api.error}}},
        {"findings", findings},
        {"nodes", nodes_of(status)}};
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

Result<StatusSummary> summarize_status(std::string_view text, const StatusFilter& filter)
{
    return read_status(text, [&filter](const json& status) { return summarize(status, filter); });
}

Result<StatusReport> parse_status(std::string_view text)
{
    return read_status(text, report_of);
}

} // namespace routelet::controller
