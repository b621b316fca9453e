#include "cni/status.h"

#include "base/file.h"
#include "cni/attachment.h"
#include "cni/bridge_ports.h"
#include "cni/error.h"
#include "cni/ipam.h"
#include "cni/reservations.h"
#include "cni/state_directory.h"

namespace routelet::cni {
namespace {

// ADDs that run just now take a port each, and the runtime hears of it up to five seconds later.
constexpr int spare_ports = 3;

Error unavailable(std::string what)
{
    return failure(ErrorCode::not_available, std::move(what));
}

// The agent writes the file after its first reconciliation, and a reboot makes it invalid, while the network
// configuration stays. Without routes a pod would start and reach nobody.
Result<> check_agent(const std::filesystem::path& file)
{
    if (file.empty())
        return {};
    const Result<bool> valid = is_of_this_boot(file);
    if (!valid)
        return unavailable(valid.error().text());
    if (!*valid)
        return unavailable(
            "the agent routelet has not set up this node's routes since it booted (it writes " +
            file.string() +
            " then); see its log and `routelet status`. If there is no agent any more, take "
            "\"agentState\" out of the network configuration");
    return {};
}

// Whether a pod of this network is there: one of those that the folder knows has its interface.
Result<bool> has_pod(netlink::Socket& host, const std::filesystem::path& state)
{
    for (const AttachmentId& id : indexed_attachments(state)) {
        const Result<std::optional<netlink::Link>> link = netlink::find_link(host, host_interface_name(id));
        if (!link)
            return link.error();
        if (link->has_value())
            return true;
    }
    return false;
}

// What is wrong with a bridge that pods would need.
std::optional<std::string> fault_of(const std::optional<netlink::Link>& bridge, const std::string& name)
{
    if (!bridge)
        return "bridge " + name +
               " is gone, so this node's pods have no network. Delete them, so that they are made anew: "
               "kubectl drain this node, and kubectl delete pod what a DaemonSet has here";
    if (!bridge->is_up())
        return "bridge " + name + " is down, so this node's pods have no network; set it up: ip link set " +
               name + " up";
    return std::nullopt;
}

Result<> check_bridge(netlink::Socket& host, const PodNetwork& network, const std::filesystem::path& state)
{
    const Result<std::optional<netlink::Link>> bridge = netlink::find_link(host, network.bridge);
    if (!bridge)
        return unavailable(bridge.error().text());
    if (bridge->has_value() && (*bridge)->kind != "bridge")
        return unavailable("interface " + network.bridge +
                           " exists and is no bridge; remove it or rename the bridge");
    if (const auto fault = fault_of(*bridge, network.bridge)) {
        const Result<bool> impaired = has_pod(host, state);
        if (!impaired)
            return unavailable(impaired.error().text());
        return *impaired ? failure(ErrorCode::limited_connectivity, *fault) : Result<>{};
    }
    const std::optional<int> ports = count_bridge_ports(network.bridge);
    if (ports && *ports > most_bridge_ports - spare_ports)
        return unavailable("bridge " + network.bridge + " has " + std::to_string(*ports) + " of the " +
                           std::to_string(most_bridge_ports) +
                           " ports that a Linux bridge can have; run fewer pods on this node (kubelet "
                           "--max-pods)");
    return {};
}

} // namespace

Result<> check_status(const Config& config)
{
    const PodNetwork& network = *config.pod;
    const AddressStore store = AddressStore::of(config.network);
    if (auto room = store.check_capacity(network.range_sets); !room)
        return unavailable(message_of(room.error()));
    Result<netlink::Socket> host = netlink::Socket::open();
    if (!host)
        return unavailable(host.error().text());
    if (network.mode == Mode::bridge)
        if (auto bridge = check_bridge(*host, network, store.directory()); !bridge)
            return bridge;
    return check_agent(network.agent_state);
}

} // namespace routelet::cni
