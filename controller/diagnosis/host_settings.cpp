#include "controller/diagnosis/host_settings.h"

#include "base/file.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>
#include <sstream>
#include <string_view>
#include <vector>

namespace routelet::controller {
namespace {

namespace fs = std::filesystem;

bool is_there(const fs::path& path)
{
    std::error_code unknown; // what cannot be looked at is as good as not there
    return fs::exists(path, unknown);
}

bool is_visible(const fs::path& root)
{
    return is_there(root / "etc/os-release");
}

// Files of these folders, of each name the one in the first folder that has it, by name (systemd.unit(5) and
// NetworkManager.conf(5) both read drop-ins so).
std::vector<fs::path> drop_ins(const std::vector<fs::path>& folders)
{
    std::map<std::string, fs::path> by_name;
    for (const fs::path& folder : folders) {
        std::error_code failed; // what cannot be read has nothing to say
        for (fs::directory_iterator entry(folder, failed); !failed && entry != fs::directory_iterator();
             entry.increment(failed))
            if (entry->path().extension() == ".conf")
                by_name.try_emplace(entry->path().filename().string(), entry->path());
    }
    std::vector<fs::path> files;
    for (const auto& [name, path] : by_name)
        files.push_back(path);
    return files;
}

std::string_view trimmed(std::string_view text)
{
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0)
        text.remove_prefix(1);
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0)
        text.remove_suffix(1);
    return text;
}

// The last value of a key, wherever it stands: of these files' keys none is in two sections.
std::optional<std::string> value_in(const fs::path& file, std::string_view key)
{
    const Result<std::string> content = read_regular_file(file, 1U << 20U);
    if (!content)
        return std::nullopt;
    std::optional<std::string> value;
    std::istringstream lines(*content);
    for (std::string line; std::getline(lines, line);) {
        const std::size_t equals = line.find('=');
        if (equals != std::string::npos && trimmed(std::string_view(line).substr(0, equals)) == key)
            value = trimmed(std::string_view(line).substr(equals + 1));
    }
    return value;
}

// systemd's booleans (systemd.syntax(7)).
bool is_false(std::string value)
{
    std::ranges::transform(value, value.begin(), [](unsigned char c) { return std::tolower(c); });
    return value == "no" || value == "false" || value == "off" || value == "0" || value == "n" ||
           value == "f";
}

bool names(std::string_view pattern, std::string_view link)
{
    if (pattern.ends_with('*'))
        return link.starts_with(pattern.substr(0, pattern.size() - 1));
    return pattern == link;
}

// "interface-name:v-net-0;interface-name:veth*"
bool lists(std::string_view devices, std::string_view link)
{
    constexpr std::string_view by_name = "interface-name:";
    while (!devices.empty()) {
        const std::size_t end = std::min(devices.find_first_of(";,"), devices.size());
        std::string_view device = trimmed(devices.substr(0, end));
        devices.remove_prefix(std::min(end + 1, devices.size()));
        if (!device.starts_with(by_name))
            continue;
        device.remove_prefix(by_name.size());
        if (device.starts_with('='))
            device.remove_prefix(1);
        if (names(device, link))
            return true;
    }
    return false;
}

} // namespace

NetworkdSettings read_networkd(const fs::path& root)
{
    using Effect = NetworkdSettings::Effect;
    if (!is_visible(root))
        return {};
    if (!is_there(root / "run/systemd/netif/state"))
        return {.effect = Effect::not_there};
    const fs::path folder = "systemd/networkd.conf.d";
    std::vector<fs::path> files = {root / "etc/systemd/networkd.conf"};
    for (fs::path& file : drop_ins({root / "etc" / folder, root / "run" / folder, root / "usr/lib" / folder}))
        files.push_back(std::move(file));
    NetworkdSettings settings{.effect = Effect::removes_routes};
    for (const fs::path& file : files)
        if (const auto value = value_in(file, "ManageForeignRoutes"))
            settings = {.effect = is_false(*value) ? Effect::keeps_routes : Effect::removes_routes,
                        .where = file.string()};
    return settings;
}

NetworkManagerSettings read_network_manager(const fs::path& root, const std::string& link)
{
    using Effect = NetworkManagerSettings::Effect;
    if (!is_visible(root))
        return {};
    if (!is_there(root / "run/NetworkManager"))
        return {.effect = Effect::not_there};
    std::vector<fs::path> files = {root / "etc/NetworkManager/NetworkManager.conf"};
    const fs::path folder = "NetworkManager/conf.d";
    for (fs::path& file : drop_ins({root / "etc" / folder, root / "run" / folder, root / "usr/lib" / folder}))
        files.push_back(std::move(file));
    for (const fs::path& file : files)
        if (const auto devices = value_in(file, "unmanaged-devices"); devices && lists(*devices, link))
            return {.effect = Effect::leaves_alone};
    return {.effect = Effect::manages};
}

} // namespace routelet::controller
