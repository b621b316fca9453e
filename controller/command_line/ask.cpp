#include "controller/command_line/commands.h"
#include "controller/command_line/shared.h"

#include <unistd.h>

#include <memory>

// The commands that tell an operator something, and change nothing.
namespace routelet::controller {
namespace {

constexpr const char* status_footer =
    "With -o name it is the names of the nodes, one a line, for programs; with json and yaml all that the "
    "agent says.\n"
    "Exit status: 0 the node or router is ready, 1 it is not or no agent answers, 2 wrong usage.";

constexpr const char* explain_footer =
    "Looks at each part of the way: the agent, the Node, the route, the link, the pod, the neighbour, "
    "forwarding and\n"
    "masquerade. Changes nothing. In the agent's pod the options are right already, by its environment:\n"
    "    kubectl -n routelet exec POD -c routelet -- /routelet explain 10.244.2.7\n"
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

const std::map<std::string, OutputOptions::Format> formats = {{"json", OutputOptions::Format::json},
                                                              {"text", OutputOptions::Format::text},
                                                              {"yaml", OutputOptions::Format::yaml}};

// How a command prints, as it was told.
struct OutputChoice {
    std::string format = "text";
    std::string colour = "auto";

    void add_to(CLI::App& command, std::map<std::string, OutputOptions::Format> choices = formats)
    {
        command.add_option("-o,--output", format, "How it is printed")
            ->check(CLI::IsMember(names_of(choices)))
            ->capture_default_str();
        command
            .add_option("--color", colour,
                        "Colours in text: auto, for a terminal unless NO_COLOR is set; always; never")
            ->check(CLI::IsMember({"auto", "always", "never"}))
            ->capture_default_str();
        choices_ = std::move(choices);
    }
    OutputOptions options() const
    {
        return {.format = choices_.at(format),
                .colours = colour == "always" || (colour == "auto" && wants_colours(STDOUT_FILENO))};
    }

private:
    std::map<std::string, OutputOptions::Format> choices_;
};

} // namespace

void add_status_command(CLI::App& app, CommandLine& line)
{
    struct Given {
        StatusOptions options;
        unsigned timeout_seconds = usual_patience.count();
        HealthOption health;
        OutputChoice output;
    };
    const auto given = std::make_shared<Given>();
    CLI::App* status = app.add_subcommand("status", "Show what this machine's agent does and finds");
    given->health.add_to(*status, "Where this machine's agent serves its status");
    auto choices = formats;
    choices.emplace("wide", OutputOptions::Format::wide);
    choices.emplace("name", OutputOptions::Format::name);
    given->output.add_to(*status, std::move(choices));
    StatusFilter& filter = given->options.filter;
    status->add_option("--node", filter.node, "Of the nodes only the one of this name")->type_name("NODE");
    status
        ->add_option("--state", filter.state,
                     "Of the nodes only those in this state: routed, self, gateway, pending, refused")
        ->check(CLI::IsMember({"routed", "self", "gateway", "pending", "refused"}));
    status->add_flag("--watch", given->options.watch,
                     "Show it again whenever something has changed, until a signal");
    status->add_option("--timeout", given->timeout_seconds, "Seconds that the agent has for its answer")
        ->check(CLI::Range(1U, 3600U))
        ->capture_default_str();
    status->footer(status_footer);
    status->callback([&line, given] {
        given->options.health = given->health.agent();
        given->options.patience = std::chrono::seconds(given->timeout_seconds);
        given->options.output = given->output.options();
        line.status = given->options;
    });
}

void add_doctor_command(CLI::App& app, CommandLine& line)
{
    struct Given {
        DoctorOptions options;
        HealthOption health;
        OwnershipOptions ownership;
        OutputChoice output;
    };
    const auto given = std::make_shared<Given>();
    MachineOptions& machine = given->options.machine;
    machine.cni_conf_dir = "/etc/cni/net.d";
    CLI::App* doctor =
        app.add_subcommand("doctor", "Look at this machine for what loses pods' packets, or will");
    given->health.add_to(*doctor, "Where this machine's agent serves its status; empty: none is asked");
    add_cni_conf_dir(*doctor, machine.cni_conf_dir, "Folder of the runtime's network configurations");
    doctor
        ->add_option("--host-root", machine.host_root,
                     "Where the machine's root directory is, for its files in etc and run")
        ->type_name("DIR")
        ->envname("ROUTELET_HOST_ROOT")
        ->capture_default_str();
    doctor
        ->add_option(
            "--probes", machine.probes,
            "So many nodes are asked by ICMP echo (ping), from this machine's address and from the pods' "
            "bridge; 0 for none")
        ->check(CLI::Range(0U, 100'000U))
        ->capture_default_str();
    given->output.add_to(*doctor);
    given->ownership.add_to(*doctor);
    doctor->footer(doctor_footer);
    doctor->callback([&line, given, &machine] {
        given->options.health = given->health.address();
        machine.identity = given->ownership.identity();
        machine.pod_bridge = given->ownership.bridge;
        given->options.output = given->output.options();
        line.doctor = given->options;
    });
}

void add_explain_command(CLI::App& app, CommandLine& line)
{
    struct Given {
        ExplainOptions options;
        HealthOption health;
        OwnershipOptions ownership;
        OutputChoice output;
    };
    const auto given = std::make_shared<Given>();
    CLI::App* explain =
        app.add_subcommand("explain", "Show where the way to an address, or to a node's pods, breaks");
    explain->add_option("ADDRESS|NODE", given->options.asked, "An IP address, or the name of a Node")
        ->required();
    given->health.add_to(*explain, "Where this machine's agent serves its status");
    add_state_dir(*explain, given->options.path.state_dir, "Folder of the plugin's state, as `run` has it");
    given->output.add_to(*explain);
    given->ownership.add_to(*explain);
    explain->footer(explain_footer);
    explain->callback([&line, given] {
        given->options.health = given->health.agent();
        given->options.path.identity = given->ownership.identity();
        given->options.path.pod_bridge = given->ownership.bridge;
        given->options.output = given->output.options();
        line.explain = given->options;
    });
}

void add_history_command(CLI::App& app, CommandLine& line)
{
    const auto options = std::make_shared<HistoryOptions>();
    CLI::App* history = app.add_subcommand(
        "history", "Show what happened to this machine's routes, also before the agent's last start");
    add_state_dir(*history, options->state_dir, "Folder of the state, as `run` has it");
    history->add_option("-n,--lines", options->lines, "So many of the last lines")->capture_default_str();
    history->add_option("--match", options->match, "Only lines with this text: a node, an address, an event");
    history->footer(history_footer);
    history->callback([&line, options] { line.history = *options; });
}

} // namespace routelet::controller
