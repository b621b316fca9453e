#pragma once
#include "base/ip.h"
#include "base/result.h"
#include "controller/finding.h"
#include "controller/output.h"
#include "controller/plan.h"
#include "controller/plan_times.h"
#include "controller/readiness.h"
#include "controller/route_counters.h"

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace routelet::controller {

// How the connection to the API server is.
struct ApiState {
    enum class What { connecting, working, failing };

    What what = What::connecting; // connecting: it has not answered yet since the agent's start
    std::chrono::system_clock::time_point since{};
    std::string error{}; // failing: the last one
    // When it last said something, be it only that it is there (a bookmark, about once a minute).
    std::optional<std::chrono::system_clock::time_point> heard{};
};

// The agent as `routelet status` and /status show it. Refers to what it describes; make it, print it, drop
// it.
struct Status {
    std::string node_name; // empty: a router
    std::string api_url;
    const ApiState& api;
    const Readiness& readiness;
    const std::vector<Finding>& findings;
    const Plan& plan;
    const PlanTimes& times; // of that plan
    const LocalFacts& local;
    const std::optional<LastChange>& last_change;
    const std::map<IpPrefix, std::string>& refusals; // routes that the kernel refused, and its words
    FamilyCounts routes_in_place{};                  // of those that are planned
};

// /status: one JSON object.
std::string to_json(const Status& status);

// The same read back, as far as others than a person want it.
struct NodeReport {
    std::string node;
    std::string destination; // the podCIDR as the Node has it; empty when it has none
    std::string state;       // as NodeState is written
    std::string next_hop{};  // routed
    std::string reason{};    // refused, pending
    std::string detail{};
    std::string remedy{};
    std::string error{}; // routed, but the kernel has refused it
};
struct StatusReport {
    std::string node; // this machine's; empty: a router
    std::string state;
    std::string api_server;
    std::string api_state;
    std::string api_since;
    std::string api_error;
    std::vector<NodeReport> nodes;
};
// Fails with bad_message when that is no such JSON.
Result<StatusReport> parse_status(std::string_view json);

// /readyz: a line for each condition, "own-pod-cidr: met".
std::string to_text(const Readiness& readiness);

// The JSON for a person who reads a terminal. Fails as parse_status().
struct StatusSummary {
    std::string text;
    bool is_ready = false;
};
// Of the nodes only those that have the name and the state, where these are given.
struct StatusFilter {
    std::string node{};
    std::string state{};
};
struct StatusView {
    StatusFilter filter{};
    bool is_wide = false;        // also the link, and what to do
    bool has_names_only = false; // of the nodes, each once, a line each; nothing else
    Painter painter{};
    std::chrono::system_clock::time_point now = std::chrono::system_clock::now(); // for ages
    bool has_ages = true; // false: since when, which stays the same while nothing happens
};
Result<StatusSummary> summarize_status(std::string_view json, const StatusView& view = {});

} // namespace routelet::controller
