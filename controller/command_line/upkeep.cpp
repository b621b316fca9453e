#include "controller/command_line/commands.h"
#include "controller/command_line/shared.h"

#include <memory>

// The commands that put Routelet on a node, and take it off.
namespace routelet::controller {
namespace {

constexpr const char* install_footer =
    "The plugin is the file routelet-cni beside this program. STATE_DIR/plugins.json tells the agent which "
    "plugins\n"
    "there are. Exit status: 0 done, 1 something could not be written, 2 wrong usage.";

constexpr const char* cleanup_footer =
    "For a node whose agent is gone. What is not marked as Routelet's stays, and so does what pods still "
    "use.\n"
    "Exit status: 0 nothing is left, 1 something is left or could not be removed, 2 wrong usage.";

// Without /proc the path is relative, and reading it says what is wrong.
std::filesystem::path beside_this_program(const char* name)
{
    std::error_code unknown;
    return std::filesystem::read_symlink("/proc/self/exe", unknown).replace_filename(name);
}

} // namespace

void add_install_command(CLI::App& app, CommandLine& line)
{
    const auto options = std::make_shared<InstallOptions>();
    options->plugin = beside_this_program("routelet-cni");
    CLI::App* install =
        app.add_subcommand("install", "Put the CNI plugin where the container runtime finds it");
    add_cni_bin_dir(*install, options->cni_bin_dir);
    add_state_dir(*install, options->state_dir, "Folder for what the agent has to know");
    install->footer(install_footer);
    install->callback([&line, options] { line.install = *options; });
}

void add_cleanup_command(CLI::App& app, CommandLine& line)
{
    struct Given {
        CleanupOptions options;
        OwnershipOptions ownership;
    };
    const auto given = std::make_shared<Given>();
    CleanupOptions& options = given->options;
    CLI::App* cleanup = app.add_subcommand("cleanup", "Take everything of Routelet's off this node");
    cleanup->add_flag("--dry-run", options.dry_run, "Tell what would be removed, and remove nothing");
    cleanup->add_flag(
        "--wait", options.wait,
        "When nothing is left, wait for SIGTERM, as a pod that is not to be started again has to");
    cleanup->add_flag("--force", options.force, "Also remove what pods still use, which cuts them off");
    add_cni_bin_dir(*cleanup, options.cni_bin_dir);
    add_cni_conf_dir(*cleanup, options.cni_conf_dir, "Folder of the runtime's network configurations");
    add_state_dir(*cleanup, options.state_dir, "Folder of the state, as `install` and `run` had it");
    given->ownership.add_to(*cleanup);
    cleanup->footer(cleanup_footer);
    cleanup->callback([&line, given] {
        given->options.bridge = given->ownership.bridge;
        given->options.identity = given->ownership.identity();
        line.cleanup = given->options;
    });
}

} // namespace routelet::controller
