#include "controller/command_line/options.h"

#include "base/version.h"
#include "controller/command_line/commands.h"

#include <cstdlib>
#include <iostream>

namespace routelet::controller {
namespace {

constexpr const char* description = "Routelet keeps this machine's kernel routes to the pods of all other "
                                    "nodes in sync with the Node objects\n"
                                    "of a Kubernetes cluster.";

std::string version_text()
{
    return std::string(version()) + " (" + std::string(commit()) + ")";
}

// CLI11 from 2.4 on passes over a variable whose value the option's validator refuses, and says nothing.
void check_environment(const CLI::App& command)
{
    for (const CLI::Option* option : command.get_options()) {
        const std::string& name = option->get_envname();
        const char* value = name.empty() ? nullptr : std::getenv(name.c_str());
        if (value != nullptr && *value != '\0' && option->empty())
            throw CLI::ValidationError(name, std::string(value) + " is no value of " + option->get_name() +
                                                 " (" + option->get_type_name() + ")");
    }
}

} // namespace

CommandLine parse_command_line(int argc, const char* const* argv)
{
    CommandLine line;
    CLI::App app(description, "routelet");
    app.set_version_flag("--version", version_text());
    app.require_subcommand(1);
    add_run_command(app, line);
    add_status_command(app, line);
    add_doctor_command(app, line);
    add_explain_command(app, line);
    add_history_command(app, line);
    add_plan_command(app, line);
    add_install_command(app, line);
    add_cleanup_command(app, line);
    add_completion_command(app);
    app.add_subcommand("version", "Print the version")->callback([] {
        std::cout << "routelet " << version_text() << "\n";
    });

    try {
        app.parse(argc, argv);
        for (const CLI::App* command : app.get_subcommands())
            check_environment(*command);
        return line;
    } catch (const CLI::ParseError& error) {
        const bool is_answer = error.get_exit_code() == 0; // --help, --version
        app.exit(error);
        return {.exit_status = is_answer ? exit_ok : exit_usage};
    }
}

} // namespace routelet::controller
