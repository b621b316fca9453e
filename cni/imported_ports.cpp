#include "cni/imported_ports.h"

#include "base/unique_fd.h"
#include "cni/error.h"

#include <nlohmann/json.hpp>

#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <string_view>

namespace routelet::cni {
namespace {

// No stream: those of the standard library would make the plugin larger by half.
std::optional<std::string> find_portmap(std::string_view plugin_path)
{
    while (!plugin_path.empty()) {
        const std::string_view folder = plugin_path.substr(0, plugin_path.find(':'));
        plugin_path.remove_prefix(std::min(folder.size() + 1, plugin_path.size()));
        std::string program = std::string(folder) + "/portmap";
        if (folder.starts_with('/') && ::access(program.c_str(), X_OK) == 0)
            return program;
    }
    return std::nullopt;
}

// Without a mapping it does nothing; which one there is, it does not look at. Every version speaks 0.3.1.
std::string configuration(const std::string& network)
{
    return nlohmann::json{
        {"cniVersion", "0.3.1"},
        {"name", network},
        {"type", "portmap"},
        {"runtimeConfig", {{"portMappings", {{{"hostPort", 1}, {"containerPort", 1}, {"protocol", "tcp"}}}}}}}
        .dump();
}

// A file in memory, as the child's input or output: nobody waits for whom, as with pipes.
Result<UniqueFd> file_with(const std::string& content)
{
    UniqueFd file(::memfd_create("portmap", MFD_CLOEXEC));
    if (!file ||
        ::pwrite(file.fd(), content.data(), content.size(), 0) != static_cast<ssize_t>(content.size()))
        return last_errno("making a file in memory");
    return file;
}

std::string content_of(const UniqueFd& file)
{
    std::array<char, 512> text{}; // of a message
    const ssize_t size = ::pread(file.fd(), text.data(), text.size(), 0);
    return {text.data(), size > 0 ? static_cast<std::size_t>(size) : 0};
}

// Its exit status, or -1 when a signal ended it.
Result<int> run(std::string program, const UniqueFd& input, const UniqueFd& output)
{
    posix_spawn_file_actions_t files;
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawn_file_actions_adddup2(&files, input.fd(), STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&files, output.fd(), STDOUT_FILENO);
    std::array<char*, 2> arguments{program.data(), nullptr};
    pid_t child = -1;
    const int failed = ::posix_spawn(&child, program.c_str(), &files, nullptr, arguments.data(), ::environ);
    ::posix_spawn_file_actions_destroy(&files);
    if (failed != 0)
        return Error{{failed, boost::system::generic_category()}, "starting " + program};
    int status = 0;
    while (::waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return last_errno("waiting for " + program);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

} // namespace

Result<> remove_imported_ports(const AttachmentId& id, const Network& network, const std::string& plugin_path)
{
    const std::optional<std::string> program = find_portmap(plugin_path);
    if (!program)
        return {};
    const std::string before = network.import_from.filename().string();
    const Result<UniqueFd> input = file_with(configuration(before));
    if (!input)
        return input.error();
    const Result<UniqueFd> output = file_with("");
    if (!output)
        return output.error();
    const Result<int> status = run(*program, *input, *output);
    if (!status)
        return status.error();
    if (*status != 0)
        return failure(ErrorCode::system_failure, "taking back the host ports that network " + before +
                                                      " gave " + id.container + ": " + *program +
                                                      " said: " + content_of(*output));
    return {};
}

} // namespace routelet::cni
