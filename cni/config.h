#pragma once
#include "base/result.h"
#include "cni/environment.h"
#include "cni/host_port.h"
#include "cni/log_file.h"
#include "cni/range.h"
#include "cni/result.h"
#include "netlink/link.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace routelet::cni {

inline constexpr std::size_t config_limit = 1U << 20U; // bytes of standard input

// The network configuration that every verb needs: enough to find what ADD left behind, whatever became of
// the rest of the configuration since.
struct Network {
    CniVersion version = CniVersion::v1_1_0;
    std::string name;                                      // the identity of the network: never changes
    std::filesystem::path data_dir = "/run/routelet/ipam"; // ipam.dataDir
    std::filesystem::path import_from{};                   // ipam.importFrom: see AddressStore; may be empty
    LogSettings log{};                                     // logFile, logLevel
    std::filesystem::path host_port_dir = "/run/routelet/host-ports"; // hostPortDir: see HostPorts
};

// How pods are joined: their host ends are ports of a bridge, or the node routes to each.
enum class Mode { bridge, ptp };

// What ADD, CHECK and STATUS need besides.
struct PodNetwork {
    Mode mode = Mode::bridge;
    std::string bridge = "v-net-0"; // Mode::bridge
    std::uint32_t mtu = 0;          // bytes; 0: the kernel's default
    bool hairpin = true;      // Mode::bridge; where the node routes, packets may go back the way they came
    bool spoof_check = false; // spoofCheck: see SpoofCheck
    std::vector<RangeSet> range_sets;              // at least one; an address of each
    std::chrono::seconds cooldown{60};             // ipam.cooldown: how long a freed address rests
    std::vector<ResultRoute> routes;               // each with its gateway, the default routes included
    std::vector<IpAddress> wanted_addresses;       // asked for by CNI_ARGS, args.cni or runtimeConfig
    std::optional<netlink::MacAddress> wanted_mac; // the same, in rising precedence
    std::vector<PortMapping> port_mappings;        // runtimeConfig.portMappings
    std::string dns;                               // the "dns" object as JSON text, empty when there is none
    std::optional<AttachmentResult> previous;      // prevResult
    std::filesystem::path agent_state;             // agentState: see check_status(); empty: no agent is asked
};

// The whole of standard input, understood as far as the verb needs it.
struct Config {
    Network network;
    std::optional<PodNetwork> pod;                              // ADD, CHECK, STATUS
    std::optional<std::vector<AttachmentId>> valid_attachments; // GC: cni.dev/valid-attachments, if given
};

// Reads a network configuration (CNI SPEC 1.1.0, section 1; keys are case-sensitive, unknown ones are
// ignored, null counts as absent). Fails with
// - decoding_failure when it is not one JSON object of bounded size and depth,
// - incompatible_version when cniVersion is none of ours, or is older than the verb,
// - invalid_config when a key is missing or has the wrong type or value: the message names it,
// - unsupported_field when a known key asks for what we do not do: the message names key and value.
// DEL and GC look at nothing beyond Network, and take a log that makes no sense for none, so that no change
// of the configuration keeps them from cleaning.
Result<Config> parse_config(std::string_view text, Verb verb, const CniArgs& args);

// Where a configuration that may be anything wants calls to be logged.
LogSettings asked_log(std::string_view text);

// The cniVersion of a configuration that may be anything; empty when it has none.
std::string asked_version(std::string_view text);

} // namespace routelet::cni
