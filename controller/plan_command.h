#pragma once
#include "controller/api_server.h"
#include "controller/kernel.h"
#include "controller/plan.h"

#include <filesystem>
#include <iosfwd>
#include <string>

namespace routelet::controller {

// `routelet plan`: what the agent would do on this machine if these were the cluster's Nodes. Asks no API
// server, and changes nothing.
struct PlanCommandOptions {
    enum class Output { text, ip, json };

    std::filesystem::path nodes; // what `kubectl get nodes -o json` printed; "-": standard input
    PlanOptions plan;            // but for api_servers, which follow from api_server
    ApiServerOptions api_server{};
    RouteIdentity identity;
    std::string pod_bridge;
    Output output = Output::text;
};

// The exit status: 0 when there is a plan, 1 when the Nodes, the kernel or the kubeconfig cannot be read.
int show_plan(const PlanCommandOptions& options, std::istream& in, std::ostream& out, std::ostream& errors);

} // namespace routelet::controller
