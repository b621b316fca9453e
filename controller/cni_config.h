#pragma once
#include "base/ip.h"
#include "base/result.h"
#include "cni/config.h"
#include "controller/finding.h"
#include "controller/log.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace routelet::controller {

// A CNI plugin that is installed on this node, and the versions of the CNI specification that it says it
// speaks; none when it could not be asked.
struct CniPlugin {
    std::string type;
    std::vector<std::string> versions;

    bool speaks(std::string_view version) const;
    friend bool operator==(const CniPlugin&, const CniPlugin&) = default;
};

// What `routelet install` writes: {"plugins": [{"type": "portmap", "cniVersions": ["1.0.0"]}]}. Fails with
// bad_message.
Result<std::vector<CniPlugin>> parse_plugins(std::string_view text);

inline constexpr std::string_view network_name = "routelet"; // runtimes keep state under it: never changes

// Who leads ports of the node to pods (hostPort).
enum class HostPortsBy { native, portmap, none };
// What the user wants. automatic: native, but for portmap where pods of this boot may have its rules, which
// only its own DEL removes.
enum class HostPortChoice { automatic, native, portmap, none };

// The network configuration list for container runtimes (CNI SPEC 1.1.0, section 1): routelet-cni with the
// own podCIDRs, the first of each family, then portmap and bandwidth if they are wanted, installed and speak
// 1.0.0. A plugin that is chained but missing fails every pod of the node. Pure.
struct CniList {
    std::vector<IpPrefix> pod_cidrs;
    std::string bridge;
    cni::Mode mode = cni::Mode::bridge;
    HostPortsBy host_ports = HostPortsBy::native;
    std::filesystem::path host_port_dir{}; // where the plugin keeps which pod has which port; empty: its own
    bool bandwidth = false;
    bool spoof_check = false; // as the plugin's key
    std::vector<CniPlugin> plugins{};
    std::uint32_t mtu = 0;               // bytes; 0: the kernel's default
    std::filesystem::path import_from{}; // host-local's folder of the network before, if any
    std::filesystem::path
        agent_state{};                // what tells the plugin that the agent has set up the node, if anything
    std::filesystem::path log_file{}; // the plugin's, if any
};
// The podCIDRs that pods get addresses of: the first of each family, IPv4's before IPv6's.
std::vector<IpPrefix> configured_ranges(const std::vector<IpPrefix>& pod_cidrs);
std::string render_conflist(const CniList& list);

// Whether a network configuration list chains that plugin; a text that is no such list does not.
bool chains(std::string_view conflist, std::string_view plugin);

// Of the files of the runtime's folder, those that it prefers to ours: it takes the first by name.
std::vector<std::string> files_before_ours(std::vector<std::string> names);
// The same, of a folder; its subfolders do not count. Fails with the errno of reading it.
Result<std::vector<std::string>> files_before_ours_in(const std::filesystem::path& directory);

// The file DIRECTORY/05-routelet.conflist: written once the node is ready, from then on kept what it should
// be, whoever edits or deletes it, and never removed. Other files in the folder are never touched.
class CniConfigFile {
public:
    struct Options {
        std::filesystem::path directory; // the container runtime's conf_dir; empty: no file is written
        std::filesystem::path plugins;   // what `routelet install` wrote; need not exist
        std::string bridge;
        cni::Mode mode = cni::Mode::bridge;
        HostPortChoice host_ports = HostPortChoice::automatic;
        std::filesystem::path host_port_dir{}; // as CniList has it
        bool bandwidth = false;
        bool spoof_check = false;
        std::filesystem::path import_from{}; // as CniList has it
        std::filesystem::path agent_state{}; // the file that says so; empty: none is written
        std::filesystem::path log_file{};    // as CniList has it
    };

    CniConfigFile(Options options, const Log& log) : options_(std::move(options)), log_(log) {}

    // Looks at the folder, and writes the file when it is not what it should be, and before it agent_state: a
    // configuration from before a reboot names that, and is believed by the plugin only once it is there.
    // Without podCIDRs, while the node is not ready, whatever is there stays. Reads two small files and a
    // directory, so call it as often as you like.
    void check(const std::vector<IpPrefix>& pod_cidrs, std::uint32_t mtu);

    // Of the last check.
    const std::vector<Finding>& findings() const noexcept { return findings_; }

private:
    std::vector<CniPlugin> read_plugins();
    HostPortsBy choose_host_ports(const std::vector<CniPlugin>& plugins);
    bool has_pods_of_portmap() const;
    void look_for_unusable(const std::vector<CniPlugin>& plugins, std::string_view type, const char* effect);
    void look_for_others();
    bool stamp_agent_state();
    void write(const std::string& content);

    Options options_;
    const Log& log_;
    std::optional<bool> keeps_portmap_; // found out once: what we write ourselves says nothing
    std::vector<Finding> findings_;
};

} // namespace routelet::controller
