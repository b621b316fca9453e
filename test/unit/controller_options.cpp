#include "controller/command_line/options.h"
#include "test/support/catch.h"
#include "test/support/environment.h"

#include <iostream>
#include <sstream>

using namespace routelet;
using namespace routelet::controller;
using namespace routelet::test;

namespace {

// A command line, and what it had printed when it was read.
struct Parsed {
    CommandLine command;
    std::string printed;
};

class Redirected {
public:
    Redirected(std::ostream& stream, std::ostream& to) : stream_(stream), before_(stream.rdbuf(to.rdbuf())) {}
    Redirected(const Redirected&) = delete;
    Redirected& operator=(const Redirected&) = delete;
    ~Redirected() { stream_.rdbuf(before_); }

private:
    std::ostream& stream_;
    std::streambuf* before_;
};

// `routelet COMMAND WORDS`; the word '' is empty
Parsed parse(const std::string& command_name, const std::string& words)
{
    std::vector<std::string> arguments = {"routelet", command_name};
    std::istringstream text(words);
    for (std::string word; text >> word;)
        arguments.push_back(word == "''" ? "" : word);
    std::vector<const char*> argv;
    for (const std::string& argument : arguments)
        argv.push_back(argument.c_str());

    std::ostringstream printed;
    const Redirected out(std::cout, printed);
    const Redirected err(std::cerr, printed);
    CommandLine command = parse_command_line(static_cast<int>(argv.size()), argv.data());
    return {std::move(command), printed.str()};
}

Parsed run(const std::string& words)
{
    return parse("run", words);
}

// Without what the tests were started with.
struct EmptyEnvironment : Environment {
    EmptyEnvironment()
    {
        for (const char* name : {"NODE_NAME", "ROUTELET_ROLE", "ROUTELET_OFF_LINK", "ROUTELET_BRIDGE"})
            set(name, std::nullopt);
    }
};

} // namespace

TEST_CASE("a node has its name, a bridge and masquerade, and skips nodes of other networks",
          "[options][role]")
{
    const EmptyEnvironment environment;
    const auto parsed = run("--node-name node01");

    REQUIRE(parsed.command.run.has_value());
    const RunOptions& options = *parsed.command.run;
    CHECK(options.reconciler.plan.node_name == "node01");
    CHECK(options.life.node_name == "node01");
    CHECK(options.reconciler.plan.off_link == OffLink::skip);
    CHECK(options.reconciler.pod_bridge == "v-net-0");
    CHECK(options.egress.masquerade);
    CHECK(options.life.events);
}

TEST_CASE("a node can leave nodes of other networks to its gateway", "[options][off-link]")
{
    EmptyEnvironment environment;
    CHECK(run("--node-name node01 --off-link gateway").command.run->reconciler.plan.off_link ==
          OffLink::gateway);
    CHECK(run("--node-name node01 --off-link=skip").command.run->reconciler.plan.off_link == OffLink::skip);
    environment.set("ROUTELET_OFF_LINK", "gateway");
    CHECK(run("--node-name node01").command.run->reconciler.plan.off_link == OffLink::gateway);
}

TEST_CASE("a router has no Node, no bridge, no masquerade and no Events", "[options][role]")
{
    EmptyEnvironment environment;
    const auto words = GENERATE("--role router", "--role=router --events=false --masquerade=false",
                                "--role router --off-link skip --cluster-cidr 10.244.0.0/16");
    CAPTURE(words);
    const auto parsed = run(words);

    REQUIRE(parsed.command.run.has_value());
    const RunOptions& options = *parsed.command.run;
    CHECK(options.reconciler.plan.node_name.empty());
    CHECK(options.life.node_name.empty());
    CHECK(options.reconciler.pod_bridge.empty());
    CHECK(options.life.bridge.empty());
    CHECK(options.life.cni_conf_dir.empty());
    CHECK_FALSE(options.life.network_unavailable_condition);
    CHECK_FALSE(options.egress.masquerade);
    CHECK_FALSE(options.life.events);
}

TEST_CASE("the role can be given by the environment", "[options][role]")
{
    EmptyEnvironment environment;
    environment.set("ROUTELET_ROLE", "router");
    environment.set("NODE_NAME", ""); // as not set
    REQUIRE(run("").command.run.has_value());
    CHECK(run("").command.run->reconciler.plan.node_name.empty());
}

TEST_CASE("options that contradict each other are wrong usage, and it is said which", "[options][role]")
{
    struct Row {
        const char* words;
        const char* said;
    };
    const EmptyEnvironment environment;
    const auto row = GENERATE(values<Row>({
        {"", "--node-name is required"},
        {"--role node", "--node-name is required"},
        {"--role bridge", "--role"},
        {"--node-name node01 --off-link tunnel", "--off-link"},
        {"--role router --node-name gateway", "--node-name does not go with --role router"},
        {"--role router --bridge v-net-0", "--bridge does not go with --role router"},
        {"--role router --cni-conf-dir /etc/cni/net.d", "--cni-conf-dir does not go with --role router"},
        {"--role router --state-dir /run/routelet", "--state-dir does not go with --role router"},
        {"--role router --masquerade", "--masquerade does not go with --role router"},
        {"--role router --masquerade-exempt 10.0.0.0/8",
         "--masquerade-exempt does not go with --role router"},
        {"--role router --events", "--events does not go with --role router"},
        {"--role router --network-unavailable-condition",
         "--network-unavailable-condition does not go with --role router"},
        {"--role router --cni-mode ptp", "--cni-mode does not go with --role router"},
        {"--node-name node01 --cni-mode vlan", "--cni-mode"},
        {"--role router --mtu 1400", "--mtu does not go with --role router"},
        {"--role router --import-pods /var/lib/cni/networks/cbr0",
         "--import-pods does not go with --role router"},
        {"--node-name node01 --import-pods networks/cbr0", "networks/cbr0 is not an absolute path"},
        {"--role router --off-link gateway", "--off-link gateway does not go with --role router"},
    }));
    CAPTURE(row.words);

    const auto parsed = run(row.words);

    CHECK_FALSE(parsed.command.run.has_value());
    CHECK(parsed.command.exit_status == exit_usage);
    CHECK_THAT(parsed.printed, has_text(row.said));
}

TEST_CASE("a node's empty name is no router", "[options][role]")
{
    EmptyEnvironment environment;
    environment.set("NODE_NAME", "");
    CHECK(run("").command.exit_status == exit_usage);
}

TEST_CASE_METHOD(EmptyEnvironment, "doctor needs nothing to be told, and asks nobody when told so",
                 "[options][doctor]")
{
    const Parsed plain = parse("doctor", "");
    INFO(plain.printed);
    REQUIRE(plain.command.doctor.has_value());
    CHECK(plain.command.doctor->health->to_string() == "127.0.0.1:9482");
    CHECK(plain.command.doctor->machine.cni_conf_dir == "/etc/cni/net.d");
    CHECK(plain.command.doctor->machine.host_root == "/");
    CHECK(plain.command.doctor->machine.probes == 16);

    set("ROUTELET_CNI_CONF_DIR", "/host/cni"); // as in the agent's pod
    const Parsed parsed =
        parse("doctor", "--health-bind-address '' --probes 0 --host-root /host --bridge cni0 -o json");
    REQUIRE(parsed.command.doctor.has_value());
    const DoctorOptions& options = *parsed.command.doctor;
    CHECK_FALSE(options.health.has_value());
    CHECK(options.machine.cni_conf_dir == "/host/cni");
    CHECK(options.machine.host_root == "/host");
    CHECK(options.machine.probes == 0);
    CHECK(options.machine.pod_bridge == "cni0");
    CHECK(options.output.format == OutputOptions::Format::json);

    CHECK(parse("doctor", "--probes many").command.exit_status == exit_usage);
}

TEST_CASE_METHOD(EmptyEnvironment, "the status may be of some nodes, and watched", "[options][status]")
{
    const Parsed parsed = parse("status", "--node node02 --state refused --watch -o json");
    INFO(parsed.printed);
    REQUIRE(parsed.command.status.has_value());
    CHECK(parsed.command.status->filter.node == "node02");
    CHECK(parsed.command.status->filter.state == "refused");
    CHECK(parsed.command.status->watch);
    CHECK(parsed.command.status->output.format == OutputOptions::Format::json);
    CHECK(parsed.command.status->patience == std::chrono::seconds(5));
    CHECK(parse("status", "--timeout 2").command.status->patience == std::chrono::seconds(2));
    CHECK(parse("status", "--timeout 0").command.exit_status == exit_usage);
    CHECK(parse("status", "--state fine").command.exit_status == exit_usage);
    CHECK(parse("status", "--health-bind-address ''").command.exit_status == exit_usage);
}

TEST_CASE_METHOD(EmptyEnvironment, "what is asked for is printed as text, JSON or YAML", "[options][output]")
{
    using Format = OutputOptions::Format;
    const auto output = [](const std::string& words) {
        const Parsed parsed = parse("status", words);
        INFO(parsed.printed);
        REQUIRE(parsed.command.status.has_value());
        return parsed.command.status->output;
    };
    CHECK(output("").format == Format::text);
    CHECK(output("-o wide").format == Format::wide);
    CHECK(output("-o yaml").format == Format::yaml);
    CHECK(output("-o name").format == Format::name);
    CHECK(output("--color always").colours);
    CHECK_FALSE(output("--color never").colours);

    CHECK(parse("explain", "node02 -o yaml").command.explain->output.format == Format::yaml);
    CHECK(parse("doctor", "-o yaml --color always").command.doctor->output.colours);
    for (const char* words : {"-o xml", "--color red"})
        CHECK(parse("status", words).command.exit_status == exit_usage);
    CHECK(parse("doctor", "-o wide").command.exit_status == exit_usage); // it has no table
}

TEST_CASE_METHOD(EmptyEnvironment, "the history is that of the state directory", "[options][history]")
{
    set("ROUTELET_STATE_DIR", "/run/other"); // as in the agent's pod
    const Parsed parsed = parse("history", "-n 7 --match node02");
    INFO(parsed.printed);
    REQUIRE(parsed.command.history.has_value());
    CHECK(parsed.command.history->state_dir == "/run/other");
    CHECK(parsed.command.history->lines == 7);
    CHECK(parsed.command.history->match == "node02");
    CHECK(parse("history", "-n many").command.exit_status == exit_usage);
}

TEST_CASE_METHOD(EmptyEnvironment, "explain needs an address or a name, and somebody to ask",
                 "[options][explain]")
{
    CHECK(parse("explain", "").command.exit_status == exit_usage);
    CHECK(parse("explain", "10.244.2.7 10.244.2.8").command.exit_status == exit_usage);
    CHECK(parse("explain", "10.244.2.7 --health-bind-address ''").command.exit_status == exit_usage);

    set("ROUTELET_HEALTH_BIND_ADDRESS", "127.0.0.1:9999"); // as in the agent's pod
    set("ROUTELET_STATE_DIR", "/run/other");
    const Parsed parsed = parse("explain", "10.244.2.7 --bridge cni0 --route-metric 500 -o json");
    INFO(parsed.printed);
    REQUIRE(parsed.command.explain.has_value());
    const ExplainOptions& options = *parsed.command.explain;
    CHECK(options.asked == "10.244.2.7");
    CHECK(options.health.to_string() == "127.0.0.1:9999");
    CHECK(options.path.state_dir == "/run/other");
    CHECK(options.path.pod_bridge == "cni0");
    CHECK(options.path.identity.metric == 500);
    CHECK(options.output.format == OutputOptions::Format::json);
}

TEST_CASE_METHOD(EmptyEnvironment, "a plan needs Nodes, and to know which of them is this machine",
                 "[options][plan]")
{
    CHECK(parse("plan", "--node-name node01").command.exit_status == exit_usage);
    CHECK(parse("plan", "--nodes nodes.json").command.exit_status == exit_usage);
    CHECK(parse("plan", "--nodes nodes.json --node-name node01 -o yaml").command.exit_status == exit_usage);
    CHECK(parse("plan", "--nodes nodes.json --role router --node-name node01").command.exit_status ==
          exit_usage);
    CHECK(parse("plan", "--nodes nodes.json --role router --off-link gateway").command.exit_status ==
          exit_usage);
    CHECK_FALSE(parse("plan", "--nodes nodes.json --role router").command.plan->plan.node_name != "");

    set("NODE_NAME", "node01"); // as in the agent's pod
    set("ROUTELET_CLUSTER_CIDR", "10.244.0.0/16,fd00:10:244::/56");
    const Parsed parsed =
        parse("plan", "--nodes - --off-link gateway --max-routes 7 --route-protocol 99 -o ip");
    INFO(parsed.printed);
    REQUIRE(parsed.command.plan.has_value());
    const PlanCommandOptions& options = *parsed.command.plan;
    CHECK(options.nodes == "-");
    CHECK(options.output == PlanCommandOptions::Output::ip);
    CHECK(options.plan.node_name == "node01");
    CHECK(options.plan.off_link == OffLink::gateway);
    CHECK(options.plan.cluster_cidrs == std::vector{"10.244.0.0/16"_net, "fd00:10:244::/56"_net});
    CHECK(options.plan.most_routes == 7);
    CHECK(options.identity.protocol == netlink::RouteProtocol{99});
    CHECK(options.pod_bridge == "v-net-0");
    CHECK_FALSE(parsed.command.run.has_value());
}
