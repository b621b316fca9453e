#include "controller/command_line/commands.h"
#include "controller/command_line/shared.h"

#include <algorithm>
#include <memory>

namespace routelet::controller {
namespace {

constexpr const char* run_footer =
    "Each option can also be given as the environment variable named with it; one that is empty counts as "
    "not set.\n"
    "\n"
    "Signals: SIGTERM and SIGINT end the agent and leave every route, and masquerade, in place.\n"
    "Exit status: 0 ended by a signal, 1 could not start, 2 wrong usage.";

const std::map<std::string, cni::Mode> cni_modes = {{"bridge", cni::Mode::bridge}, {"ptp", cni::Mode::ptp}};
const std::map<std::string, HostPortChoice> host_port_choices = {{"auto", HostPortChoice::automatic},
                                                                 {"native", HostPortChoice::native},
                                                                 {"portmap", HostPortChoice::portmap},
                                                                 {"none", HostPortChoice::none}};
const std::map<std::string, LogFormat> log_formats = {{"text", LogFormat::text}, {"json", LogFormat::json}};
const std::map<std::string, LogLevel> log_levels = {{"debug", LogLevel::debug},
                                                    {"info", LogLevel::info},
                                                    {"warn", LogLevel::warn},
                                                    {"error", LogLevel::error}};

// What the command line says, before it is checked as a whole.
struct Given {
    RunOptions options; // what needs no translation
    PlanningOptions planning;
    OwnershipOptions ownership;
    HealthOption health;
    std::vector<std::string> masquerade_exempt;
    unsigned check_seconds = 300;
    unsigned grace_seconds = 30;
    unsigned address_hold_seconds = 0;
    std::string log_format = "text";
    std::string log_level = "info";
    bool verbose = false;
    std::string cni_mode = "bridge";
    std::string host_ports = "auto";
};

void add_node_options(CLI::App& run, Given& given)
{
    NodeLife::Options& life = given.options.life;
    run.add_option(
           "--cni-conf-dir", life.cni_conf_dir,
           "Folder where the container runtime looks for its CNI configuration; 05-routelet.conflist is "
           "written there once the node is ready. Empty: none is written")
        ->type_name("DIR")
        ->envname("ROUTELET_CNI_CONF_DIR");
    run.add_option(
           "--cni-mode", given.cni_mode,
           "How this node's pods are joined: bridge, or ptp, where the node routes to each pod, and more "
           "than the 1023 ports of a bridge can be. Pods of both kinds on one node do not reach each "
           "other: drain it before a change")
        ->envname("ROUTELET_CNI_MODE")
        ->check(CLI::IsMember(names_of(cni_modes)))
        ->capture_default_str();
    run.add_option(
           "--host-ports", given.host_ports,
           "Who leads hostPorts to pods: native, routelet-cni itself; portmap, the plugin of that name, "
           "chained where it is installed; none; or auto, native but for nodes whose pods may have rules "
           "of portmap: until their next boot, and while --import-pods is given")
        ->envname("ROUTELET_HOST_PORTS")
        ->check(CLI::IsMember(names_of(host_port_choices)))
        ->capture_default_str();
    run.add_flag(
           "--bandwidth", life.bandwidth,
           "Chain the plugin bandwidth where it is installed, for the annotations "
           "kubernetes.io/ingress-bandwidth and egress-bandwidth; each pod's start takes some ms longer")
        ->envname("ROUTELET_BANDWIDTH");
    run.add_flag(
           "--spoof-check", life.spoof_check,
           "Keep pods from sending from MAC or IP addresses that are not theirs. Counts for pods that start "
           "from then on; needs Linux 5.18, and nf_tables for bridges")
        ->envname("ROUTELET_SPOOF_CHECK");
    run.add_option(
           "--import-pods", life.import_from,
           "Folder on the node where the plugin host-local has the addresses of the network before, such as "
           "/var/lib/cni/networks/cbr0: they stay taken for as long as those pods live")
        ->type_name("DIR")
        ->envname("ROUTELET_IMPORT_PODS")
        ->check([](const std::string& path) {
            return path.empty() || path.front() == '/' ? std::string() : path + " is not an absolute path";
        });
    run.add_option(
           "--mtu", life.mtu,
           "Largest packet that pods send, in bytes; 0 for what goes through each link that packets for "
           "other nodes and for the world outside leave by")
        ->envname("ROUTELET_MTU")
        ->check(CLI::Range(0U, 65535U))
        ->capture_default_str();
    add_state_dir(
        run, life.state_dir,
        "Folder of what routelet install wrote down, of the plugin's log, and of what tells the plugin "
        "that this node is set up: the same path here and for the container runtime");
    given.health.add_to(
        run, "Where /livez, /readyz, /status and /metrics are served; nowhere with an empty argument of its "
             "own. With any other than a "
             "loopback address, whoever reaches it can read the list of nodes");
    run.add_flag(
           "--network-unavailable-condition", life.network_unavailable_condition,
           "Keep the condition NetworkUnavailable of this Node; needs the permission to patch nodes/status")
        ->envname("ROUTELET_NETWORK_UNAVAILABLE_CONDITION");
    run.add_flag(
           "--events", life.events,
           "Tell what is wrong on this node as Events on its Node, in namespace default; --events=false "
           "for not")
        ->envname("ROUTELET_EVENTS")
        ->default_str("true");
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

void add_options(CLI::App& run, Given& given)
{
    RunOptions& options = given.options;
    given.planning.add_role_to(run);
    add_api_server_options(run, options.api_server);
    given.planning.add_ranges_to(run);
    run.add_flag(
           "--masquerade", options.egress.masquerade,
           "Pods reach addresses outside the cluster with this node's address; --masquerade=false for not")
        ->envname("ROUTELET_MASQUERADE")
        ->default_str("true");
    run.add_option(
           "--masquerade-exempt", given.masquerade_exempt,
           "Network outside the cluster that sees the pods' own addresses; repeat or separate by commas")
        ->envname("ROUTELET_MASQUERADE_EXEMPT")
        ->delimiter(',')
        ->check(is_prefix());
    given.ownership.add_to(run);
    run.add_flag(
           "--adopt", options.reconciler.adopt,
           "Take over routes of others that go the same way as ours, without a gap: for a cluster that moves "
           "from flannel host-gw, kindnet or routes by hand")
        ->envname("ROUTELET_ADOPT");
    run.add_option("--check-interval", given.check_seconds,
                   "Seconds between full checks of the kernel's routes")
        ->envname("ROUTELET_CHECK_INTERVAL")
        ->check(CLI::Range(1U, 86400U))
        ->capture_default_str();
    run.add_option(
           "--withdrawal-grace", given.grace_seconds,
           "Seconds that removals wait when more than half of all routes would go at once; 0 for none")
        ->envname("ROUTELET_WITHDRAWAL_GRACE")
        ->check(CLI::Range(0U, 86400U))
        ->capture_default_str();
    run.add_option("--address-hold", given.address_hold_seconds,
                   "Seconds that another address of a node that is known waits before routes follow it, for "
                   "who wants "
                   "time to look at nodes that move; 0 for none")
        ->envname("ROUTELET_ADDRESS_HOLD")
        ->check(CLI::Range(0U, 86400U))
        ->capture_default_str();
    run.add_option("--log-format", given.log_format, "text (logfmt) or json")
        ->envname("ROUTELET_LOG_FORMAT")
        ->check(CLI::IsMember(names_of(log_formats)))
        ->capture_default_str();
    run.add_option("--log-level", given.log_level, "Least level that is logged: debug, info, warn or error")
        ->envname("ROUTELET_LOG_LEVEL")
        ->check(CLI::IsMember(names_of(log_levels)))
        ->capture_default_str();
    run.add_flag("-v", given.verbose, "Same as --log-level debug");
    add_node_options(run, given);
    run.footer(run_footer);
}

// Throws CLI::ParseError where options contradict each other.
RunOptions checked(const CLI::App& run, const Given& given)
{
    RunOptions options = given.options;
    options.reconciler.plan = given.planning.plan();
    options.reconciler.pod_bridge = given.ownership.bridge;
    if (given.planning.checked_role() == Role::router) {
        check_router(run, options);
        options.reconciler.pod_bridge.clear();
        options.egress.masquerade = false;
        options.life.events = false;
    }
    options.reconciler.identity = given.ownership.identity();
    options.reconciler.withdrawal_grace = std::chrono::seconds(given.grace_seconds);
    options.reconciler.address_hold = std::chrono::seconds(given.address_hold_seconds);
    options.egress.cluster_cidrs = options.reconciler.plan.cluster_cidrs;
    options.egress.exempt = parse_prefixes(given.masquerade_exempt);
    options.check_interval = std::chrono::seconds(given.check_seconds);
    options.log_format = log_formats.at(given.log_format);
    options.log_level = given.verbose ? LogLevel::debug : log_levels.at(given.log_level);
    options.life.node_name = options.reconciler.plan.node_name;
    options.life.bridge = options.reconciler.pod_bridge;
    options.life.cni_mode = cni_modes.at(given.cni_mode);
    options.life.host_ports = host_port_choices.at(given.host_ports);
    options.life.identity = options.reconciler.identity;
    options.life.health = given.health.address();
    options.life.machine_interval = options.check_interval;
    options.life.look_interval = std::min(options.life.look_interval, options.check_interval);
    return options;
}

} // namespace

void add_run_command(CLI::App& app, CommandLine& line)
{
    CLI::App* run = app.add_subcommand("run", "Run the agent until a signal ends it");
    const auto given = std::make_shared<Given>();
    add_options(*run, *given);
    run->callback([&line, given, run] { line.run = checked(*run, *given); });
}

} // namespace routelet::controller
