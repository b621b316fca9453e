#include "controller/install.h"

#include "base/file.h"
#include "base/unique_fd.h"
#include "base/version.h"
#include "controller/plugin_version.h"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace routelet::controller {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view own_plugin = "routelet-cni";
// In the order in which the network configuration has them.
constexpr std::array chained_plugins = {own_plugin, std::string_view("portmap"),
                                        std::string_view("bandwidth")};

std::string remedy_for(const boost::system::error_code& code, const std::string& folder)
{
    using namespace boost::system;
    if (code == errc::read_only_file_system)
        return " (mount " + folder +
               " writable, or name a folder that is with --cni-bin-dir and --state-dir)";
    if (code == errc::permission_denied || code == errc::operation_not_permitted)
        return " (" + folder + " has to belong to root, and no security module may forbid writing there)";
    if (code == errc::no_space_on_device)
        return " (make room on the file system of " + folder + ")";
    return {};
}

Error with_remedy(const Error& error, const fs::path& folder)
{
    return {error.code, error.context + remedy_for(error.code, folder.string())};
}

Result<> ensure_folder(const fs::path& folder, const Log& log)
{
    std::error_code failed;
    if (fs::create_directories(folder, failed))
        log.write(LogLine(LogLevel::info, "install-folder-made").with("path", folder.string()));
    if (failed)
        return with_remedy({failed, "making " + folder.string()}, folder);
    return {};
}

// Two installs at once would each take the other's temporary file for a leftover. The kernel frees the lock
// of a killed process.
Result<UniqueFd> lock_folder(const fs::path& folder)
{
    UniqueFd directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory)
        return last_errno("opening " + folder.string());
    if (::flock(directory.fd(), LOCK_EX | LOCK_NB) != 0)
        return last_errno("locking " + folder.string() + ": another `routelet install` is at work there");
    return directory;
}

bool is_leftover(const std::string& name)
{
    return name.starts_with("." + std::string(own_plugin) + ".") && name.ends_with(".tmp");
}

void remove_leftovers(const fs::path& folder, const Log& log)
{
    std::error_code failed;
    for (fs::directory_iterator it(folder, failed); !failed && it != fs::directory_iterator();
         it.increment(failed)) {
        std::error_code not_removed;
        if (is_leftover(it->path().filename()) && fs::remove(it->path(), not_removed))
            log.write(LogLine(LogLevel::info, "install-leftover-removed").with("path", it->path().string()));
    }
}

bool is_installed(const fs::path& target, std::string_view content)
{
    struct stat status {};
    if (::lstat(target.c_str(), &status) != 0 || !S_ISREG(status.st_mode) ||
        (status.st_mode & 07777U) != 0755U)
        return false;
    const Result<std::string> there = read_file(target, largest_plugin);
    return there && *there == content;
}

Result<> copy_plugin(const InstallOptions& options, const Log& log)
{
    const Result<std::string> content = read_file(options.plugin, largest_plugin);
    if (!content)
        return content.error();
    const fs::path target = options.cni_bin_dir / own_plugin;
    const bool is_there = is_installed(target, *content);
    if (!is_there) {
        const auto written = write_file_atomically(target, *content, {.mode = 0755, .durable = true});
        if (!written)
            return with_remedy(written.error(), options.cni_bin_dir);
    }
    log.write(LogLine(LogLevel::info, is_there ? "plugin-kept" : "plugin-installed")
                  .with("path", target.string())
                  .with("version", version())
                  .with("commit", commit()));
    return {};
}

// What somebody else has put there stays, and so does a link whose target is away for a moment.
Result<> link_loopback(const fs::path& folder, const Log& log)
{
    const fs::path link = folder / "loopback";
    std::error_code failed;
    fs::create_symlink(own_plugin, link, failed);
    if (failed && failed != std::errc::file_exists)
        return with_remedy({failed, "making " + link.string()}, folder);
    if (!failed)
        log.write(LogLine(LogLevel::info, "plugin-installed")
                      .with("path", link.string())
                      .with("detail", "there was no plugin of that name, which runtimes need for each pod"));
    return {};
}

std::vector<std::string> versions_of(const fs::path& plugin, const Log& log)
{
    Result<std::vector<std::string>> versions = ask_cni_versions(plugin);
    if (versions)
        return std::move(*versions);
    // A program linked against libraries that are not here, as in the image, cannot be started.
    log.write(LogLine(LogLevel::warn, "plugin-not-asked")
                  .with("path", plugin.string())
                  .with("error", versions.error()));
    return {};
}

std::string describe_plugins(const fs::path& folder, const Log& log)
{
    auto plugins = nlohmann::ordered_json::array();
    for (const std::string_view type : chained_plugins) {
        const fs::path path = folder / type;
        std::error_code ignored; // what cannot be looked at cannot be chained either
        if (fs::is_regular_file(path, ignored))
            plugins.push_back({{"type", type}, {"cniVersions", versions_of(path, log)}});
    }
    return nlohmann::ordered_json{{"plugins", plugins}}.dump() + "\n";
}

} // namespace

Result<> install(const InstallOptions& options, const Log& log)
{
    for (const fs::path& folder : {options.cni_bin_dir, options.state_dir})
        if (auto made = ensure_folder(folder, log); !made)
            return made;
    const Result<UniqueFd> lock = lock_folder(options.cni_bin_dir);
    if (!lock)
        return lock.error();
    remove_leftovers(options.cni_bin_dir, log);
    if (auto copied = copy_plugin(options, log); !copied)
        return copied;
    if (auto linked = link_loopback(options.cni_bin_dir, log); !linked)
        return linked;
    const auto written =
        write_file_atomically(options.state_dir / "plugins.json", describe_plugins(options.cni_bin_dir, log));
    if (!written)
        return with_remedy(written.error(), options.state_dir);
    return {};
}

} // namespace routelet::controller
