#include "controller/options.h"

#include "base/version.h"

#include <CLI/CLI.hpp>

#include <iostream>

namespace routelet::controller {
namespace {

constexpr const char* description = "Routelet keeps this machine's kernel routes to the pods of all other "
                                    "nodes in sync with the Node objects\n"
                                    "of a Kubernetes cluster.";

constexpr const char* run_footer =
    "Each option can also be given as the environment variable named with it.\n"
    "\n"
    "Signals: SIGTERM and SIGINT end the agent and leave every route, and masquerade, in place.\n"
    "Exit status: 0 ended by a signal, 1 could not start, 2 wrong usage.";

std::string check_prefix(const std::string& text)
{
    const auto prefix = IpPrefix::parse(text);
    return prefix ? std::string{} : prefix.error().text();
}

std::vector<IpPrefix> parse_prefixes(const std::vector<std::string>& texts)
{
    std::vector<IpPrefix> prefixes;
    prefixes.reserve(texts.size());
    for (const auto& text : texts)
        prefixes.push_back(IpPrefix::parse(text).value()); // check_prefix() saw them all
    return prefixes;
}

const std::map<std::string, LogFormat> log_formats = {{"text", LogFormat::text}, {"json", LogFormat::json}};
const std::map<std::string, LogLevel> log_levels = {{"debug", LogLevel::debug},
                                                    {"info", LogLevel::info},
                                                    {"warn", LogLevel::warn},
                                                    {"error", LogLevel::error}};

template <class Value>
std::vector<std::string> names_of(const std::map<std::string, Value>& values)
{
    std::vector<std::string> names;
    names.reserve(values.size());
    for (const auto& [name, value] : values)
        names.push_back(name);
    return names;
}

// Texts and numbers as they come from the command line.
struct RawOptions {
    std::string kubeconfig;
    std::vector<std::string> cluster_cidrs;
    std::vector<std::string> service_cidrs;
    std::vector<std::string> masquerade_exempt;
    unsigned protocol = to_int(RouteIdentity{}.protocol);
    unsigned check_seconds = 300;
    unsigned grace_seconds = 30;
    std::string log_format = "text";
    std::string log_level = "info";
    bool verbose = false;
};

void add_run_options(CLI::App& run, RunOptions& options, RawOptions& raw)
{
    run.add_option("--node-name", options.reconciler.plan.node_name, "Name of this machine's Node object")
        ->envname("NODE_NAME")
        ->required();
    run.add_option("--kubeconfig", raw.kubeconfig,
                   "How to reach the API server; without it the pod's service account is used")
        ->envname("KUBECONFIG");
    run.add_option("--context", options.context, "Context of the kubeconfig, instead of its current-context")
        ->envname("ROUTELET_CONTEXT");
    run.add_option(
           "--apiserver", options.apiserver,
           "HOST:PORT of the API server instead of the configured one, for where its service address does "
           "not work before kube-proxy does")
        ->envname("ROUTELET_APISERVER");
    run.add_option(
           "--cluster-cidr", raw.cluster_cidrs,
           "Range that every podCIDR must lie in, as kube-controller-manager's; repeat or separate by commas")
        ->envname("ROUTELET_CLUSTER_CIDR")
        ->delimiter(',')
        ->check(CLI::Validator(check_prefix, "CIDR"));
    run.add_option("--service-cidr", raw.service_cidrs,
                   "Range that no podCIDR may overlap; repeat or separate by commas")
        ->envname("ROUTELET_SERVICE_CIDR")
        ->delimiter(',')
        ->check(CLI::Validator(check_prefix, "CIDR"));
    run.add_flag(
           "--masquerade", options.egress.masquerade,
           "Pods reach addresses outside the cluster with this node's address; --masquerade=false for not")
        ->envname("ROUTELET_MASQUERADE")
        ->default_str("true");
    run.add_option(
           "--masquerade-exempt", raw.masquerade_exempt,
           "Network outside the cluster that sees the pods' own addresses; repeat or separate by commas")
        ->envname("ROUTELET_MASQUERADE_EXEMPT")
        ->delimiter(',')
        ->check(CLI::Validator(check_prefix, "CIDR"));
    run.add_option("--bridge", options.reconciler.pod_bridge, "Bridge of this node's pods")
        ->envname("ROUTELET_BRIDGE")
        ->capture_default_str();
    run.add_option("--route-protocol", raw.protocol, "rtm_protocol that marks Routelet's routes")
        ->envname("ROUTELET_ROUTE_PROTOCOL")
        ->check(CLI::Range(5U, 255U))
        ->capture_default_str();
    run.add_option("--route-metric", options.reconciler.identity.metric,
                   "Metric of Routelet's routes; nobody else may use it")
        ->envname("ROUTELET_ROUTE_METRIC")
        ->check(CLI::Range(1U, 4294967294U))
        ->capture_default_str();
    run.add_option("--check-interval", raw.check_seconds,
                   "Seconds between full checks of the kernel's routes")
        ->envname("ROUTELET_CHECK_INTERVAL")
        ->check(CLI::Range(1U, 86400U))
        ->capture_default_str();
    run.add_option(
           "--withdrawal-grace", raw.grace_seconds,
           "Seconds that removals wait when more than half of all routes would go at once; 0 for none")
        ->envname("ROUTELET_WITHDRAWAL_GRACE")
        ->check(CLI::Range(0U, 86400U))
        ->capture_default_str();
    run.add_option("--log-format", raw.log_format, "text (logfmt) or json")
        ->envname("ROUTELET_LOG_FORMAT")
        ->check(CLI::IsMember(names_of(log_formats)))
        ->capture_default_str();
    run.add_option("--log-level", raw.log_level, "Least level that is logged: debug, info, warn or error")
        ->envname("ROUTELET_LOG_LEVEL")
        ->check(CLI::IsMember(names_of(log_levels)))
        ->capture_default_str();
    run.add_flag("-v", raw.verbose, "Same as --log-level debug");
    run.footer(run_footer);
}

} // namespace

CommandLine parse_command_line(int argc, const char* const* argv)
{
    CLI::App app(description, "routelet");
    app.set_version_flag("--version", std::string(version()) + " (" + std::string(commit()) + ")");
    app.require_subcommand(1);

    RunOptions options;
    RawOptions raw;
    CLI::App* run = app.add_subcommand("run", "Run the agent until a signal ends it");
    CLI::App* print_version = app.add_subcommand("version", "Print the version");
    add_run_options(*run, options, raw);

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        const bool is_answer = error.get_exit_code() == 0; // --help, --version
        app.exit(error);
        return {.run = {}, .exit_status = is_answer ? exit_ok : exit_usage};
    }
    if (print_version->parsed()) {
        std::cout << "routelet " << version() << " (" << commit() << ")\n";
        return {};
    }
    options.kubeconfig = raw.kubeconfig;
    options.reconciler.identity.protocol = netlink::RouteProtocol{static_cast<std::uint8_t>(raw.protocol)};
    options.reconciler.plan.cluster_cidrs = parse_prefixes(raw.cluster_cidrs);
    options.reconciler.plan.service_cidrs = parse_prefixes(raw.service_cidrs);
    options.egress.cluster_cidrs = options.reconciler.plan.cluster_cidrs;
    options.egress.exempt = parse_prefixes(raw.masquerade_exempt);
    options.check_interval = std::chrono::seconds(raw.check_seconds);
    options.reconciler.withdrawal_grace = std::chrono::seconds(raw.grace_seconds);
    options.log_format = log_formats.at(raw.log_format);
    options.log_level = raw.verbose ? LogLevel::debug : log_levels.at(raw.log_level);
    return {.run = std::move(options), .exit_status = exit_ok};
}

} // namespace routelet::controller
