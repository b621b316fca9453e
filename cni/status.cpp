#include "cni/status.h"

#include "cni/bridge_ports.h"
#include "cni/bridge_repair.h"
#include "cni/error.h"
#include "cni/ipam.h"
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

// What is wrong with a bridge that pods would need.
std::optional<std::string> fault_of(const std::optional<netlink::Link>& bridge, const std::string& name)
{
    if (!bridge)
        return "bridge " + name +
               " is gone, so pods of this node have no network. The agent makes it again within seconds; "
               "without one, delete the pods, so that they are made anew: kubectl drain this node, and "
               "kubectl "
               "delete pod what a DaemonSet has here";
    if (!bridge->is_up())
        return "bridge " + name + " is down, so pods of this node have no network; set it up: ip link set " +
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
        const Result<std::vector<netlink::Link>> cut_off = cut_off_links(host, state, *bridge, 1);
        if (!cut_off)
            return unavailable(cut_off.error().text());
        return cut_off->empty() ? Result<>{} : failure(ErrorCode::limited_connectivity, *fault);
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
