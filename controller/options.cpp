#include "controller/options.h"

#include "base/version.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <iostream>
#include <limits>

namespace routelet::controller {
namespace {

constexpr const char* description = "Routelet keeps this machine's kernel routes to the pods of all other "
                                    "nodes in sync with the Node objects\n"
                                    "of a Kubernetes cluster.";

constexpr const char* install_footer =
    "The plugin is the file routelet-cni beside this program. STATE_DIR/plugins.json tells the agent which "
    "plugins\n"
    "there are. Exit status: 0 done, 1 something could not be written, 2 wrong usage.";

constexpr const char* cleanup_footer =
    "For a node whose agent is gone. What is not marked as Routelet's stays, and so does what pods still "
    "use.\n"
    "Exit status: 0 nothing is left, 1 something is left or could not be removed, 2 wrong usage.";

constexpr const char* run_footer =
    "Each option can also be given as the environment variable named with it; one that is empty counts as "
    "not set.\n"
    "\n"
    "Signals: SIGTERM and SIGINT end the agent and leave every route, and masquerade, in place.\n"
    "Exit status: 0 ended by a signal, 1 could not start, 2 wrong usage.";

constexpr const char* status_footer =
    "Exit status: 0 the node or router is ready, 1 it is not or no agent answers, 2 wrong usage.";

constexpr const char* explain_footer =
    "Looks at each part of the way: the agent, the Node, the route, the link, the pod, the neighbour, "
    "forwarding and\n"
    "masquerade. Changes nothing. In the agent's pod the options are right already, by its environment:\n"
    "kubectl -n routelet exec POD -c routelet -- /routelet explain 10.244.2.7\n"
    "Exit status: 0 nothing is broken here, 1 something is or there is no such Node, 2 wrong usage.";

constexpr const char* doctor_footer =
    "Changes nothing. Beside what the kernel says it reads files of systemd-networkd and NetworkManager, "
    "which "
    "are not\n"
    "to be seen in the agent's container: best run it on the machine itself, as root.\n"
    "Exit status: 0 nothing is broken, 1 something is, 2 wrong usage.";

constexpr const char* history_footer =
    "The agent keeps the last lines of its log, and what the kernel announced of routes, links and addresses "
    "that\n"
    "matter to it, until the next boot. Exit status: 0, 1 there is no history here, 2 wrong usage.";

constexpr const char* plan_footer =
    "Reads this machine's links, addresses and routes, asks no API server, and changes nothing. Options that "
    "`run` has "
    "too\n"
    "are best the same. In the agent's pod they are, by its environment: kubectl get nodes -o json |\n"
    "kubectl -n routelet exec -i POD -c routelet -- /routelet plan --nodes -\n"
    "Exit status: 0 there is a plan, 1 the Nodes or the kernel could not be read, 2 wrong usage.";

std::string check_prefix(const std::string& text)
{
    const auto prefix = IpPrefix::parse(text);
    return prefix ? std::string{} : prefix.error().text();
}

std::string check_health_address(const std::string& text)
{
    if (text.empty())
        return {};
    const auto address = HttpAddress::parse(text);
    return address ? std::string{} : address.error().text();
}

std::vector<IpPrefix> parse_prefixes(const std::vector<std::string>& texts)
{
    std::vector<IpPrefix> prefixes;
    prefixes.reserve(texts.size());
    for (const auto& text : texts)
        prefixes.push_back(IpPrefix::parse(text).value()); // check_prefix() saw them all
    return prefixes;
}

enum class Role { node, router };

const std::map<std::string, Role> roles = {{"node", Role::node}, {"router", Role::router}};
const std::map<std::string, OffLink> off_links = {{"skip", OffLink::skip}, {"gateway", OffLink::gateway}};
const std::map<std::string, cni::Mode> cni_modes = {{"bridge", cni::Mode::bridge}, {"ptp", cni::Mode::ptp}};
const std::map<std::string, HostPortChoice> host_port_choices = {{"auto", HostPortChoice::automatic},
                                                                 {"native", HostPortChoice::native},
                                                                 {"portmap", HostPortChoice::portmap},
                                                                 {"none", HostPortChoice::none}};
const std::map<std::string, PlanCommandOptions::Output> plan_outputs = {
    {"text", PlanCommandOptions::Output::text},
    {"ip", PlanCommandOptions::Output::ip},
    {"json", PlanCommandOptions::Output::json}};
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

// Without /proc the path is relative, and reading it says what is wrong.
std::filesystem::path beside_this_program(const char* name)
{
    std::error_code unknown;
    return std::filesystem::read_symlink("/proc/self/exe", unknown).replace_filename(name);
}

// Texts and numbers as they come from the command line.
struct RawOptions {
    std::string role = "node";
    std::string off_link = "skip";
    std::string kubeconfig;
    std::vector<std::string> cluster_cidrs;
    std::vector<std::string> service_cidrs;
    std::vector<std::string> masquerade_exempt;
    unsigned protocol = to_int(RouteIdentity{}.protocol);
    unsigned check_seconds = 300;
    unsigned grace_seconds = 30;
    unsigned address_hold_seconds = 0;
    std::string log_format = "text";
    std::string log_level = "info";
    bool verbose = false;
    std::string cni_conf_dir;
    std::string cni_mode = "bridge";
    std::string host_ports = "auto";
    std::string state_dir = "/run/routelet";
    std::string health_address = "127.0.0.1:9482";
    std::string status_output = "text";
    std::string nodes;
    std::string plan_output = "text";
};

void add_health_option(CLI::App& command, RawOptions& raw, const std::string& text)
{
    command.add_option("--health-bind-address", raw.health_address, text)
        ->envname("ROUTELET_HEALTH_BIND_ADDRESS")
        ->check(CLI::Validator(check_health_address, "ADDRESS:PORT"))
        ->capture_default_str();
}

void add_output_option(CLI::App& command, RawOptions& raw)
{
    command.add_option("-o,--output", raw.status_output, "text or json")
        ->check(CLI::IsMember({"text", "json"}))
        ->capture_default_str();
}

void add_node_options(CLI::App& run, RunOptions& options, RawOptions& raw)
{
    run.add_option(
           "--cni-conf-dir", raw.cni_conf_dir,
           "Folder where the container runtime looks for its CNI configuration; 05-routelet.conflist is "
           "written there once the node is ready. Empty: none is written")
        ->envname("ROUTELET_CNI_CONF_DIR");
    run.add_option(
           "--cni-mode", raw.cni_mode,
           "How this node's pods are joined: bridge, or ptp, where the node routes to each pod, and more "
           "than the 1023 ports of a bridge can be. Pods of both kinds on one node do not reach each "
           "other: drain it before a change")
        ->envname("ROUTELET_CNI_MODE")
        ->check(CLI::IsMember(names_of(cni_modes)))
        ->capture_default_str();
    run.add_option(
           "--host-ports", raw.host_ports,
           "Who leads hostPorts to pods: native, routelet-cni itself; portmap, the plugin of that name, "
           "chained where it is installed; none; or auto, native but for nodes whose pods may have rules "
           "of portmap: until their next boot, and while --import-pods is given")
        ->envname("ROUTELET_HOST_PORTS")
        ->check(CLI::IsMember(names_of(host_port_choices)))
        ->capture_default_str();
    run.add_flag(
           "--bandwidth", options.life.bandwidth,
           "Chain the plugin bandwidth where it is installed, for the annotations "
           "kubernetes.io/ingress-bandwidth and egress-bandwidth; each pod's start takes some ms longer")
        ->envname("ROUTELET_BANDWIDTH");
    run.add_flag(
           "--spoof-check", options.life.spoof_check,
           "Keep pods from sending from MAC or IP addresses that are not theirs. Counts for pods that start "
           "from then on; needs Linux 5.18, and nf_tables for bridges")
        ->envname("ROUTELET_SPOOF_CHECK");
    run.add_option(
           "--import-pods", options.life.import_from,
           "Folder on the node where the plugin host-local has the addresses of the network before, such as "
           "/var/lib/cni/networks/cbr0: they stay taken for as long as those pods live")
        ->type_name("DIR")
        ->envname("ROUTELET_IMPORT_PODS")
        ->check([](const std::string& path) {
            return path.empty() || path.front() == '/' ? std::string() : path + " is not an absolute path";
        });
    run.add_option(
           "--mtu", options.life.mtu,
           "Largest packet that pods send, in bytes; 0 for what goes through each link that packets for "
           "other nodes and for the world outside leave by")
        ->envname("ROUTELET_MTU")
        ->check(CLI::Range(0U, 65535U))
        ->capture_default_str();
    run.add_option(
           "--state-dir", raw.state_dir,
           "Folder of what routelet install wrote down, of the plugin's log, and of what tells the plugin "
           "that this node is set up: the same path here and for the container runtime")
        ->envname("ROUTELET_STATE_DIR")
        ->capture_default_str();
    add_health_option(
        run, raw,
        "Where /livez, /readyz, /status and /metrics are served; nowhere with an empty argument of its "
        "own. With any other than a "
        "loopback address, whoever reaches it can read the list of nodes");
    run.add_flag(
           "--network-unavailable-condition", options.life.network_unavailable_condition,
           "Keep the condition NetworkUnavailable of this Node; needs the permission to patch nodes/status")
        ->envname("ROUTELET_NETWORK_UNAVAILABLE_CONDITION");
    run.add_flag(
           "--events", options.life.events,
           "Tell what is wrong on this node as Events on its Node, in namespace default; --events=false "
           "for not")
        ->envname("ROUTELET_EVENTS")
        ->default_str("true");
}

void add_status_options(CLI::App& status, StatusOptions& options, RawOptions& raw)
{
    add_health_option(status, raw, "Where this machine's agent serves its status");
    add_output_option(status, raw);
    status.add_option("--node", options.filter.node, "Of the nodes only the one of this name");
    status
        .add_option("--state", options.filter.state,
                    "Of the nodes only those in this state: routed, self, gateway, pending, refused")
        ->check(CLI::IsMember({"routed", "self", "gateway", "pending", "refused"}));
    status.add_flag("--watch", options.watch, "Show it again whenever something has changed, until a signal");
    status.footer(status_footer);
}

// By what `run` and `cleanup` know what is Routelet's.
void add_ownership_options(CLI::App& app, std::string& bridge, unsigned& protocol, std::uint32_t& metric)
{
    app.add_option("--bridge", bridge, "Bridge of this node's pods")
        ->envname("ROUTELET_BRIDGE")
        ->capture_default_str();
    app.add_option("--route-protocol", protocol, "rtm_protocol that marks Routelet's routes")
        ->envname("ROUTELET_ROUTE_PROTOCOL")
        ->check(CLI::Range(5U, 255U))
        ->capture_default_str();
    app.add_option(
           "--route-metric", metric,
           "First of the 65536 metrics that mark Routelet's routes, together with the protocol. IPv4 routes "
           "have this one plus the last two bytes of their next hop, all others this one")
        ->envname("ROUTELET_ROUTE_METRIC")
        ->check(CLI::Range(1U, std::numeric_limits<std::uint32_t>::max() - RouteIdentity::metrics))
        ->capture_default_str();
}

void add_role_options(CLI::App& run, RunOptions& options, RawOptions& raw)
{
    run.add_option("--role", raw.role,
                   "node, or router: a machine that is the nodes' default gateway and no node itself. It has "
                   "routes to all nodes' pods, but no bridge, no CNI configuration and no masquerade")
        ->envname("ROUTELET_ROLE")
        ->check(CLI::IsMember(names_of(roles)))
        ->capture_default_str();
    run.add_option("--node-name", options.reconciler.plan.node_name,
                   "Name of this machine's Node object. Required, but for a router, which has none")
        ->envname("NODE_NAME");
    run.add_option("--off-link", raw.off_link,
                   "What becomes of nodes whose address is on no network of this machine: skip refuses "
                   "them; gateway leaves their pods to the default route, whose gateway has to know them, as "
                   "a router of Routelet's does")
        ->envname("ROUTELET_OFF_LINK")
        ->check(CLI::IsMember(names_of(off_links)))
        ->capture_default_str();
}

// What a router is told must not need a Node or pods of its own. `false` for a flag says what is so anyway.
void check_router(const CLI::App& run, const RunOptions& options)
{
    const auto refuse = [](const std::string& option, const std::string& why) {
        throw CLI::ValidationError(option + " does not go with --role router: " + why);
    };
    for (const char* option : {"--node-name", "--bridge", "--cni-conf-dir", "--cni-mode", "--host-ports",
                               "--import-pods", "--mtu", "--state-dir", "--masquerade-exempt"})
        if (run.get_option(option)->count() > 0)
            refuse(option, "a router has no Node and no pods of its own");
    const auto check_flag = [&](const char* flag, bool value) {
        if (value && run.get_option(flag)->count() > 0)
            refuse(flag, "a router has no Node and no pods of its own");
    };
    check_flag("--masquerade", options.egress.masquerade);
    check_flag("--bandwidth", options.life.bandwidth);
    check_flag("--spoof-check", options.life.spoof_check);
    check_flag("--events", options.life.events);
    check_flag("--network-unavailable-condition", options.life.network_unavailable_condition);
    if (options.reconciler.plan.off_link == OffLink::gateway)
        refuse("--off-link gateway", "a router is the gateway; it needs a link to each network of nodes");
}

// Fails with CLI::ParseError where options contradict each other.
void apply_role(const CLI::App& run, const RawOptions& raw, RunOptions& options)
{
    options.reconciler.plan.off_link = off_links.at(raw.off_link);
    if (roles.at(raw.role) == Role::node) {
        if (options.reconciler.plan.node_name.empty())
            throw CLI::RequiredError("--node-name");
        return;
    }
    check_router(run, options);
    options.reconciler.pod_bridge.clear();
    options.egress.masquerade = false;
    options.life.events = false;
}

// What else a plan follows from: `run` and `plan` have it.
void add_range_options(CLI::App& app, RunOptions& options, RawOptions& raw)
{
    app.add_option("--cluster-cidr", raw.cluster_cidrs,
                   "Range that every podCIDR must lie in, as kube-controller-manager's, and whose packets "
                   "leave by no "
                   "default route; repeat or separate by commas")
        ->envname("ROUTELET_CLUSTER_CIDR")
        ->delimiter(',')
        ->check(CLI::Validator(check_prefix, "CIDR"));
    app.add_option("--service-cidr", raw.service_cidrs,
                   "Range that no podCIDR may overlap; repeat or separate by commas")
        ->envname("ROUTELET_SERVICE_CIDR")
        ->delimiter(',')
        ->check(CLI::Validator(check_prefix, "CIDR"));
    app.add_option("--max-routes", options.reconciler.plan.most_routes,
                   "So many routes at most; of the nodes beyond, the youngest have none")
        ->envname("ROUTELET_MAX_ROUTES")
        ->check(CLI::Range(1U, 10'000'000U))
        ->capture_default_str();
}

void add_run_options(CLI::App& run, RunOptions& options, RawOptions& raw)
{
    add_role_options(run, options, raw);
    run.add_option(
           "--kubeconfig", raw.kubeconfig,
           "How to reach the API server; without it the files that KUBECONFIG names, merged as kubectl does, "
           "else the pod's service account")
        ->type_name("FILE");
    run.add_option("--context", options.context, "Context of the kubeconfig, instead of its current-context")
        ->envname("ROUTELET_CONTEXT");
    run.add_option(
           "--apiserver", options.apiservers,
           "HOST:PORT of an API server instead of the configured one, for where its service address does not "
           "work "
           "before kube-proxy does; of several, repeated or separated by commas, one is used until it fails")
        ->envname("ROUTELET_APISERVER")
        ->delimiter(',');
    add_range_options(run, options, raw);
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
    add_ownership_options(run, options.reconciler.pod_bridge, raw.protocol,
                          options.reconciler.identity.metric);
    run.add_flag(
           "--adopt", options.reconciler.adopt,
           "Take over routes of others that go the same way as ours, without a gap: for a cluster that moves "
           "from flannel host-gw, kindnet or routes by hand")
        ->envname("ROUTELET_ADOPT");
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
    run.add_option("--address-hold", raw.address_hold_seconds,
                   "Seconds that another address of a node that is known waits before routes follow it, for "
                   "who wants "
                   "time to look at nodes that move; 0 for none")
        ->envname("ROUTELET_ADDRESS_HOLD")
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
    add_node_options(run, options, raw);
    run.footer(run_footer);
}

// Fails with CLI::ParseError where there is nobody to ask.
void check_agent(const RawOptions& raw)
{
    if (raw.health_address.empty())
        throw CLI::ValidationError("--health-bind-address is empty, so there is nobody to ask");
}

CommandLine status_command(StatusOptions options, const RawOptions& raw)
{
    options.health = HttpAddress::parse(raw.health_address).value();
    options.json = raw.status_output == "json";
    return {.status = std::move(options)};
}

void add_plan_options(CLI::App& plan, RunOptions& options, RawOptions& raw)
{
    plan.add_option("--nodes", raw.nodes, "What `kubectl get nodes -o json` printed; - for standard input")
        ->type_name("FILE")
        ->required();
    plan.add_option("-o,--output", raw.plan_output, "text; ip, commands for a shell; or json")
        ->check(CLI::IsMember(names_of(plan_outputs)))
        ->capture_default_str();
    add_role_options(plan, options, raw);
    add_range_options(plan, options, raw);
    add_ownership_options(plan, options.reconciler.pod_bridge, raw.protocol,
                          options.reconciler.identity.metric);
    plan.footer(plan_footer);
}

// Fails with CLI::ParseError where options contradict each other.
void apply_plan_role(const RawOptions& raw, RunOptions& options)
{
    options.reconciler.plan.off_link = off_links.at(raw.off_link);
    const bool is_named = !options.reconciler.plan.node_name.empty();
    if (roles.at(raw.role) == Role::node) {
        if (!is_named)
            throw CLI::RequiredError("--node-name");
        return;
    }
    if (is_named || options.reconciler.plan.off_link == OffLink::gateway)
        throw CLI::ValidationError("--node-name and --off-link gateway do not go with --role router");
    options.reconciler.pod_bridge.clear();
}

PlanCommandOptions plan_command(const RawOptions& raw, const RunOptions& options)
{
    return {.nodes = raw.nodes,
            .plan = options.reconciler.plan,
            .identity = options.reconciler.identity,
            .pod_bridge = options.reconciler.pod_bridge,
            .output = plan_outputs.at(raw.plan_output)};
}

void add_explain_options(CLI::App& explain, ExplainOptions& options, RunOptions& run, RawOptions& raw)
{
    explain.add_option("ADDRESS|NODE", options.asked, "An IP address, or the name of a Node")->required();
    add_health_option(explain, raw, "Where this machine's agent serves its status");
    explain.add_option("--state-dir", raw.state_dir, "Folder of the plugin's state, as `run` has it")
        ->envname("ROUTELET_STATE_DIR")
        ->capture_default_str();
    add_output_option(explain, raw);
    add_ownership_options(explain, run.reconciler.pod_bridge, raw.protocol, run.reconciler.identity.metric);
    explain.footer(explain_footer);
}

CommandLine explain_command(ExplainOptions options, const RunOptions& run, const RawOptions& raw)
{
    options.health = HttpAddress::parse(raw.health_address).value();
    options.path = {.identity = run.reconciler.identity,
                    .pod_bridge = run.reconciler.pod_bridge,
                    .state_dir = raw.state_dir};
    options.json = raw.status_output == "json";
    return {.explain = std::move(options)};
}

void add_doctor_options(CLI::App& doctor, DoctorOptions& options, RunOptions& run, RawOptions& raw)
{
    add_health_option(doctor, raw, "Where this machine's agent serves its status; empty: none is asked");
    doctor
        .add_option("--cni-conf-dir", options.machine.cni_conf_dir,
                    "Folder of the runtime's network configurations")
        ->envname("ROUTELET_CNI_CONF_DIR")
        ->capture_default_str();
    doctor
        .add_option("--host-root", options.machine.host_root,
                    "Where the machine's root directory is, for its files in etc and run")
        ->envname("ROUTELET_HOST_ROOT")
        ->capture_default_str();
    doctor
        .add_option(
            "--probes", options.machine.probes,
            "So many nodes are asked by ICMP echo (ping), from this machine's address and from the pods' "
            "bridge; 0 for none")
        ->check(CLI::Range(0U, 100'000U))
        ->capture_default_str();
    add_output_option(doctor, raw);
    add_ownership_options(doctor, run.reconciler.pod_bridge, raw.protocol, run.reconciler.identity.metric);
    doctor.footer(doctor_footer);
}

CommandLine doctor_command(DoctorOptions options, const RunOptions& run, const RawOptions& raw)
{
    if (!raw.health_address.empty())
        options.health = HttpAddress::parse(raw.health_address).value();
    options.machine.identity = run.reconciler.identity;
    options.machine.pod_bridge = run.reconciler.pod_bridge;
    options.json = raw.status_output == "json";
    return {.doctor = std::move(options)};
}

void add_history_options(CLI::App& history, HistoryOptions& options)
{
    history.add_option("--state-dir", options.state_dir, "Folder of the state, as `run` has it")
        ->envname("ROUTELET_STATE_DIR")
        ->capture_default_str();
    history.add_option("-n,--lines", options.lines, "So many of the last lines")->capture_default_str();
    history.add_option("--match", options.match, "Only lines with this text: a node, an address, an event");
    history.footer(history_footer);
}

void add_install_options(CLI::App& install, InstallOptions& options)
{
    install
        .add_option("--cni-bin-dir", options.cni_bin_dir,
                    "Folder where the container runtime looks for plugins")
        ->envname("ROUTELET_CNI_BIN_DIR")
        ->capture_default_str();
    install.add_option("--state-dir", options.state_dir, "Folder for what the agent has to know")
        ->envname("ROUTELET_STATE_DIR")
        ->capture_default_str();
    install.footer(install_footer);
}

void add_cleanup_options(CLI::App& cleanup, CleanupOptions& options, unsigned& protocol)
{
    cleanup.add_flag("--dry-run", options.dry_run, "Tell what would be removed, and remove nothing");
    cleanup.add_flag(
        "--wait", options.wait,
        "When nothing is left, wait for SIGTERM, as a pod that is not to be started again has to");
    cleanup.add_flag("--force", options.force, "Also remove what pods still use, which cuts them off");
    cleanup
        .add_option("--cni-bin-dir", options.cni_bin_dir,
                    "Folder where the container runtime looks for plugins")
        ->envname("ROUTELET_CNI_BIN_DIR")
        ->capture_default_str();
    cleanup
        .add_option("--cni-conf-dir", options.cni_conf_dir, "Folder of the runtime's network configurations")
        ->envname("ROUTELET_CNI_CONF_DIR")
        ->capture_default_str();
    cleanup
        .add_option("--state-dir", options.state_dir, "Folder of the state, as `install` and `run` had it")
        ->envname("ROUTELET_STATE_DIR")
        ->capture_default_str();
    add_ownership_options(cleanup, options.bridge, protocol, options.identity.metric);
    cleanup.footer(cleanup_footer);
}

} // namespace

CommandLine parse_command_line(int argc, const char* const* argv)
{
    CLI::App app(description, "routelet");
    app.set_version_flag("--version", std::string(version()) + " (" + std::string(commit()) + ")");
    app.require_subcommand(1);

    RunOptions options;
    RawOptions raw;
    InstallOptions install_options{.plugin = beside_this_program("routelet-cni")};
    CLI::App* run = app.add_subcommand("run", "Run the agent until a signal ends it");
    CLI::App* status = app.add_subcommand("status", "Show what this machine's agent does and finds");
    CLI::App* doctor =
        app.add_subcommand("doctor", "Look at this machine for what loses pods' packets, or will");
    CLI::App* explain =
        app.add_subcommand("explain", "Show where the way to an address, or to a node's pods, breaks");
    CLI::App* history = app.add_subcommand(
        "history", "Show what happened to this machine's routes, also before the agent's last start");
    CLI::App* plan =
        app.add_subcommand("plan", "Show what the agent would do here, with the Nodes of a file");
    CLI::App* install =
        app.add_subcommand("install", "Put the CNI plugin where the container runtime finds it");
    CLI::App* print_version = app.add_subcommand("version", "Print the version");
    add_run_options(*run, options, raw);
    StatusOptions status_options;
    add_status_options(*status, status_options, raw);
    add_plan_options(*plan, options, raw);
    DoctorOptions doctor_options;
    doctor_options.machine.cni_conf_dir = "/etc/cni/net.d";
    add_doctor_options(*doctor, doctor_options, options, raw);
    ExplainOptions explain_options;
    add_explain_options(*explain, explain_options, options, raw);
    HistoryOptions history_options;
    add_history_options(*history, history_options);
    add_install_options(*install, install_options);
    CleanupOptions cleanup_options;
    CLI::App* cleanup = app.add_subcommand("cleanup", "Take everything of Routelet's off this node");
    add_cleanup_options(*cleanup, cleanup_options, raw.protocol);

    try {
        app.parse(argc, argv);
        if (run->parsed())
            apply_role(*run, raw, options);
        if (plan->parsed())
            apply_plan_role(raw, options);
        if (status->parsed() || explain->parsed())
            check_agent(raw);
    } catch (const CLI::ParseError& error) {
        const bool is_answer = error.get_exit_code() == 0; // --help, --version
        app.exit(error);
        return {.exit_status = is_answer ? exit_ok : exit_usage};
    }
    if (print_version->parsed()) {
        std::cout << "routelet " << version() << " (" << commit() << ")\n";
        return {};
    }
    if (status->parsed())
        return status_command(std::move(status_options), raw);
    if (history->parsed())
        return {.history = std::move(history_options)};
    if (install->parsed())
        return {.install = std::move(install_options)};
    cleanup_options.identity.protocol = netlink::RouteProtocol{static_cast<std::uint8_t>(raw.protocol)};
    if (cleanup->parsed())
        return {.cleanup = std::move(cleanup_options)};
    options.kubeconfig = raw.kubeconfig;
    options.reconciler.identity.protocol = netlink::RouteProtocol{static_cast<std::uint8_t>(raw.protocol)};
    options.reconciler.plan.cluster_cidrs = parse_prefixes(raw.cluster_cidrs);
    options.reconciler.plan.service_cidrs = parse_prefixes(raw.service_cidrs);
    if (plan->parsed())
        return {.plan = plan_command(raw, options)};
    if (doctor->parsed())
        return doctor_command(std::move(doctor_options), options, raw);
    if (explain->parsed())
        return explain_command(std::move(explain_options), options, raw);
    options.egress.cluster_cidrs = options.reconciler.plan.cluster_cidrs;
    options.egress.exempt = parse_prefixes(raw.masquerade_exempt);
    options.check_interval = std::chrono::seconds(raw.check_seconds);
    options.reconciler.withdrawal_grace = std::chrono::seconds(raw.grace_seconds);
    options.reconciler.address_hold = std::chrono::seconds(raw.address_hold_seconds);
    options.log_format = log_formats.at(raw.log_format);
    options.log_level = raw.verbose ? LogLevel::debug : log_levels.at(raw.log_level);
    options.life.node_name = options.reconciler.plan.node_name;
    options.life.bridge = options.reconciler.pod_bridge;
    options.life.cni_conf_dir = raw.cni_conf_dir;
    options.life.cni_mode = cni_modes.at(raw.cni_mode);
    options.life.host_ports = host_port_choices.at(raw.host_ports);
    options.life.state_dir = raw.state_dir;
    options.life.identity = options.reconciler.identity;
    options.life.machine_interval = options.check_interval;
    options.life.look_interval = std::min(options.life.look_interval, options.check_interval);
    if (!raw.health_address.empty())
        options.life.health = HttpAddress::parse(raw.health_address).value(); // check_health_address() saw it
    return {.run = std::move(options)};
}

} // namespace routelet::controller
