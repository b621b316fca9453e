#include "controller/command_line/commands.h"
#include "controller/command_line/shared.h"

#include <memory>

namespace routelet::controller {
namespace {

constexpr const char* plan_footer =
    "Reads this machine's links, addresses and routes, asks no API server, and changes nothing. Where an API "
    "server is\n"
    "configured, its address is one that no podCIDR may hold. Options that `run` has too are best the same. "
    "In the agent's\n"
    "pod they are, by its environment:\n"
    "    kubectl get nodes -o json | kubectl -n routelet exec -i POD -c routelet -- /routelet plan --nodes "
    "-\n"
    "Exit status: 0 there is a plan, 1 the Nodes, the kernel or the kubeconfig could not be read, 2 wrong "
    "usage.";

const std::map<std::string, PlanCommandOptions::Output> outputs = {
    {"text", PlanCommandOptions::Output::text},
    {"ip", PlanCommandOptions::Output::ip},
    {"json", PlanCommandOptions::Output::json}};

struct Given {
    std::string nodes;
    std::string output = "text";
    PlanningOptions planning;
    ApiServerOptions api_server;
    OwnershipOptions ownership;
};

// Throws CLI::ParseError where options contradict each other.
PlanCommandOptions checked(const Given& given)
{
    PlanCommandOptions options{.nodes = given.nodes,
                               .plan = given.planning.plan(),
                               .api_server = given.api_server,
                               .identity = given.ownership.identity(),
                               .pod_bridge = given.ownership.bridge,
                               .output = outputs.at(given.output)};
    if (given.planning.checked_role() == Role::router) {
        if (!options.plan.node_name.empty() || options.plan.off_link == OffLink::gateway)
            throw CLI::ValidationError("--node-name and --off-link gateway do not go with --role router");
        options.pod_bridge.clear();
    }
    return options;
}

} // namespace

void add_plan_command(CLI::App& app, CommandLine& line)
{
    const auto given = std::make_shared<Given>();
    CLI::App* plan =
        app.add_subcommand("plan", "Show what the agent would do here, with the Nodes of a file");
    plan->add_option("--nodes", given->nodes,
                     "What `kubectl get nodes -o json` printed; - for standard input")
        ->type_name("FILE")
        ->required();
    plan->add_option("-o,--output", given->output, "text; ip, commands for a shell; or json")
        ->check(CLI::IsMember(names_of(outputs)))
        ->capture_default_str();
    given->planning.add_role_to(*plan);
    add_api_server_options(*plan, given->api_server);
    given->planning.add_ranges_to(*plan);
    given->ownership.add_to(*plan);
    plan->footer(plan_footer);
    plan->callback([&line, given] { line.plan = checked(*given); });
}

} // namespace routelet::controller
