#include "controller/cni_config.h"

#include "base/file.h"
#include "cni/state_directory.h"
#include "controller/boot_stamp.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <system_error>

namespace routelet::controller {
namespace {

using json = nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr std::string_view file_name = "05-routelet.conflist";
constexpr std::string_view list_version = "1.0.0";
constexpr std::string_view newer_version = "1.1.0"; // has STATUS and GC
constexpr std::string_view our_plugin = "routelet-cni";

// Readable by root alone, as the CIS benchmark asks of the runtime's configuration; runtimes are root.
constexpr mode_t file_mode = 0600;

const CniPlugin* find_plugin(const std::vector<CniPlugin>& plugins, std::string_view type)
{
    const auto found = std::ranges::find(plugins, type, &CniPlugin::type);
    return found == plugins.end() ? nullptr : &*found;
}

// The container runtimes' own rule (go-cni, ocicni).
bool is_configuration(const std::string& name)
{
    const std::string extension = fs::path(name).extension();
    return extension == ".conf" || extension == ".conflist" || extension == ".json";
}

json our_part(const CniList& list)
{
    json ranges = json::array();
    json routes = json::array();
    for (const IpPrefix& subnet : configured_ranges(list.pod_cidrs)) {
        ranges.push_back(json::array({{{"subnet", subnet.to_string()}}}));
        routes.push_back({{"dst", subnet.family() == IpFamily::v4 ? "0.0.0.0/0" : "::/0"}});
    }
    json part = {{"type", our_plugin}, {"bridge", list.bridge}};
    if (list.mode == cni::Mode::ptp) // the bridge is of pods from before
        part["mode"] = "ptp";
    if (list.host_ports == HostPortsBy::native)
        part["capabilities"] = {{"portMappings", true}};
    if (list.host_port_dir.is_absolute()) // DEL closes what another one opened, whoever opens them now
        part["hostPortDir"] = list.host_port_dir.string();
    if (list.spoof_check)
        part["spoofCheck"] = true;
    if (list.mtu != 0)
        part["mtu"] = list.mtu;
    part["ipam"] = {{"type", "host-local"}, {"ranges", ranges}, {"routes", routes}};
    if (!list.import_from.empty())
        part["ipam"]["importFrom"] = list.import_from.string();
    // Of another's files the plugin knows only the absolute path.
    if (list.agent_state.is_absolute())
        part["agentState"] = list.agent_state.string();
    if (list.log_file.is_absolute())
        part["logFile"] = list.log_file.string();
    return part;
}

std::vector<std::string> names_in(const fs::path& directory, std::error_code& error)
{
    std::vector<std::string> names;
    auto entry = fs::directory_iterator(directory, error);
    while (!error && entry != fs::directory_iterator()) {
        std::error_code ignored; // what cannot be looked at is no file for the runtime either
        if (!entry->is_directory(ignored))
            names.push_back(entry->path().filename());
        entry.increment(error);
    }
    return names;
}

} // namespace

bool CniPlugin::speaks(std::string_view version) const
{
    return std::ranges::find(versions, version) != versions.end();
}

Result<std::vector<CniPlugin>> parse_plugins(std::string_view text)
{
    std::vector<CniPlugin> plugins;
    try {
        const json document = json::parse(text);
        for (const json& entry : document.at("plugins"))
            plugins.push_back({entry.at("type"), entry.at("cniVersions")});
    } catch (const json::exception& broken) {
        return make_error(boost::system::errc::bad_message, broken.what());
    }
    return plugins;
}

std::vector<IpPrefix> configured_ranges(const std::vector<IpPrefix>& pod_cidrs)
{
    std::vector<IpPrefix> ranges;
    for (const IpFamily family : {IpFamily::v4, IpFamily::v6}) {
        const auto first = std::ranges::find(pod_cidrs, family, &IpPrefix::family);
        if (first != pod_cidrs.end())
            ranges.push_back(*first);
    }
    return ranges;
}

std::string render_conflist(const CniList& list)
{
    json chain = json::array({our_part(list)});
    // Ours is of the same version as this program where nobody wrote down what it speaks.
    const CniPlugin* ours = find_plugin(list.plugins, our_plugin);
    bool all_speak_newer = ours == nullptr || ours->speaks(newer_version);
    const auto add = [&](bool is_wanted, json part) {
        const CniPlugin* plugin = find_plugin(list.plugins, part["type"].get<std::string>());
        if (!is_wanted || plugin == nullptr || !plugin->speaks(list_version))
            return;
        chain.push_back(std::move(part));
        all_speak_newer = all_speak_newer && plugin->speaks(newer_version);
    };
    add(list.host_ports == HostPortsBy::portmap,
        {{"type", "portmap"}, {"capabilities", {{"portMappings", true}}}, {"snat", true}});
    add(list.bandwidth, {{"type", "bandwidth"}, {"capabilities", {{"bandwidth", true}}}});
    json versions = json::array({list_version});
    if (all_speak_newer)
        versions.push_back(newer_version);
    // Runtimes that know "cniVersions" take the newest of it, others "cniVersion". loadOnlyInlinedPlugins:
    // none from a folder of the network's name.
    const json document = {{"cniVersion", list_version},
                           {"cniVersions", versions},
                           {"name", network_name},
                           {"loadOnlyInlinedPlugins", true},
                           {"plugins", chain}};
    return document.dump(2) + "\n";
}

bool chains(std::string_view conflist, std::string_view plugin)
{
    const json document = json::parse(conflist, nullptr, false);
    if (!document.is_object() || !document.contains("plugins") || !document["plugins"].is_array())
        return false;
    return std::ranges::any_of(document["plugins"], [&](const json& part) {
        return part.is_object() && part.contains("type") && part["type"] == plugin;
    });
}

std::vector<std::string> files_before_ours(std::vector<std::string> names)
{
    std::erase_if(names,
                  [](const std::string& name) { return name >= file_name || !is_configuration(name); });
    std::ranges::sort(names);
    return names;
}

Result<std::vector<std::string>> files_before_ours_in(const fs::path& directory)
{
    std::error_code error;
    auto names = names_in(directory, error);
    if (error)
        return Error{error, "reading " + directory.string()};
    return files_before_ours(std::move(names));
}

void CniConfigFile::check(const std::vector<IpPrefix>& pod_cidrs, std::uint32_t mtu)
{
    findings_.clear();
    if (options_.directory.empty())
        return;
    look_for_others();
    const std::vector<CniPlugin> plugins = read_plugins();
    const HostPortsBy host_ports = choose_host_ports(plugins);
    if (options_.bandwidth)
        look_for_unusable(plugins, "bandwidth", "the pods' bandwidth annotations have no effect");
    if (pod_cidrs.empty())
        return;
    const bool is_stamped = stamp_agent_state();
    write(render_conflist({.pod_cidrs = pod_cidrs,
                           .bridge = options_.bridge,
                           .mode = options_.mode,
                           .host_ports = host_ports,
                           .host_port_dir = options_.host_port_dir,
                           .bandwidth = options_.bandwidth,
                           .spoof_check = options_.spoof_check,
                           .plugins = plugins,
                           .mtu = mtu,
                           .import_from = options_.import_from,
                           .agent_state = is_stamped ? options_.agent_state : fs::path{},
                           .log_file = options_.log_file}));
}

// Where it cannot be written the plugin must not wait for it.
bool CniConfigFile::stamp_agent_state()
{
    if (options_.agent_state.empty())
        return false;
    const Result<> stamped = stamp_with_boot(options_.agent_state);
    if (!stamped)
        findings_.push_back({"agent-state-unwritable",
                             stamped.error().text() +
                                 "; so after a reboot pods may be started before this node has its routes",
                             "mount the folder writable, or correct --state-dir"});
    return stamped.has_value();
}

void CniConfigFile::look_for_others()
{
    const auto names = files_before_ours_in(options_.directory);
    if (!names)
        return; // writing meets the same, and tells it
    for (const std::string& name : *names)
        findings_.push_back(
            {"cni-config-shadowed",
             (options_.directory / name).string() + " sorts before " + std::string(file_name) +
                 ", so the container runtime uses that network and not Routelet's",
             "if it is left over from another CNI plugin, remove the file; one that wraps Routelet's "
             "configuration, as Multus does, may stay"});
}

std::vector<CniPlugin> CniConfigFile::read_plugins()
{
    const auto text = read_file(options_.plugins);
    if (!text && text.error().code == boost::system::errc::no_such_file_or_directory)
        return {};
    auto plugins = text ? parse_plugins(*text) : Result<std::vector<CniPlugin>>(text.error());
    if (!plugins) {
        findings_.push_back({"cni-plugins-unknown",
                             options_.plugins.string() + " cannot be read: " + plugins.error().text() +
                                 "; the plugins portmap and bandwidth are left out",
                             "run routelet install again (restart this node's Routelet pod)"});
        return {};
    }
    return *plugins;
}

// A pod keeps its rules of portmap until portmap's own DEL, which the runtime calls while it is chained; a
// reboot takes both. Pods of this boot may have some where our configuration of this boot chains it, and
// where the network before this one had pods.
bool CniConfigFile::has_pods_of_portmap() const
{
    if (!options_.import_from.empty())
        return true;
    const Result<bool> was_written_now = cni::is_of_this_boot(options_.agent_state);
    const auto present = read_file(options_.directory / file_name);
    return was_written_now && *was_written_now && present && chains(*present, "portmap");
}

HostPortsBy CniConfigFile::choose_host_ports(const std::vector<CniPlugin>& plugins)
{
    if (options_.host_ports == HostPortChoice::native)
        return HostPortsBy::native;
    if (options_.host_ports == HostPortChoice::none)
        return HostPortsBy::none;
    if (options_.host_ports == HostPortChoice::portmap) {
        look_for_unusable(plugins, "portmap", "hostPort does not work");
        return HostPortsBy::portmap;
    }
    const CniPlugin* portmap = find_plugin(plugins, "portmap");
    const bool is_first_time = !keeps_portmap_.has_value();
    if (is_first_time)
        keeps_portmap_ = has_pods_of_portmap();
    if (!*keeps_portmap_ || portmap == nullptr || !portmap->speaks(list_version))
        return HostPortsBy::native;
    if (is_first_time)
        log_.write(LogLine(LogLevel::info, "host-ports-by-portmap")
                       .with("detail",
                             "pods that are there may have rules of the plugin portmap, which only portmap "
                             "removes; it stays chained until this node boots, and while --import-pods is "
                             "given")
                       .with("remedy", "to change over now: drain this node, then give --host-ports native"));
    return HostPortsBy::portmap;
}

// Told of what is wanted and not there, or too old to be chained.
void CniConfigFile::look_for_unusable(const std::vector<CniPlugin>& plugins, std::string_view type,
                                      const char* effect)
{
    const CniPlugin* plugin = find_plugin(plugins, type);
    if (plugin != nullptr && plugin->speaks(list_version))
        return;
    const std::string name(type);
    findings_.push_back(
        {"cni-plugin-unusable",
         (plugin == nullptr ? name + " is not installed"
                            : name + " is installed but does not say that it speaks CNI 1.0.0") +
             "; it is left out, so " + effect,
         "install " + name +
             " (containernetworking/plugins 1.0 or later), then restart this "
             "node's Routelet pod"});
}

void CniConfigFile::write(const std::string& content)
{
    const fs::path path = options_.directory / file_name;
    const auto present = read_file(path);
    if (present && *present == content)
        return;
    // Beside it and renamed over it: only that tells a runtime that watches the folder. Durable, because an
    // empty file after a power loss would keep containerd from loading any.
    const auto written = write_file_atomically(path, content, {.mode = file_mode, .durable = true});
    if (!written) {
        findings_.push_back({"cni-config-unwritable", written.error().text(),
                             "mount the container runtime's CNI configuration folder writable, or correct "
                             "--cni-conf-dir"});
        return;
    }
    log_.write(LogLine(LogLevel::info, "cni-config-written")
                   .with("file", path.string())
                   .with("cause", present ? "changed" : "missing"));
}

} // namespace routelet::controller
