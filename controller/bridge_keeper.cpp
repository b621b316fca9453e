#include "controller/bridge_keeper.h"

#include "cni/bridge_repair.h"
#include "controller/cni_config.h"

namespace routelet::controller {
namespace {

// As the plugin understands the configuration that the agent writes.
Result<cni::PodNetwork> network_of(const std::string& bridge, const std::vector<IpPrefix>& pod_cidrs,
                                   std::uint32_t mtu)
{
    cni::PodNetwork network;
    network.bridge = bridge;
    network.mtu = mtu;
    for (const IpPrefix& subnet : configured_ranges(pod_cidrs)) {
        const auto range = cni::AddressRange::make(subnet, {});
        if (!range)
            return range.error();
        auto set = cni::RangeSet::make({*range});
        if (!set)
            return set.error();
        network.range_sets.push_back(std::move(*set));
    }
    return network;
}

Result<std::size_t> repair(const cni::PodNetwork& network, const std::filesystem::path& folder)
{
    Result<netlink::Socket> host = netlink::Socket::open();
    if (!host)
        return host.error();
    return cni::repair_bridge(*host, network, folder);
}

// Whether the pods are on the bridge takes a request for each, whether there is one a single one.
bool is_due(const std::string& bridge, BridgeKeeper::Clock::duration since_last)
{
    if (since_last >= std::chrono::seconds(10))
        return true;
    if (since_last < std::chrono::seconds(1))
        return false;
    Result<netlink::Socket> host = netlink::Socket::open();
    const auto link =
        host ? netlink::find_link(*host, bridge) : Result<std::optional<netlink::Link>>(host.error());
    return link && (!link->has_value() || !(*link)->is_up());
}

} // namespace

void BridgeKeeper::look(const std::vector<IpPrefix>& pod_cidrs, std::uint32_t mtu, Clock::time_point now)
{
    if (pod_cidrs.empty() || (looked_at_ && !is_due(options_.bridge, now - *looked_at_)))
        return;
    looked_at_ = now;
    findings_.clear();
    const Result<cni::PodNetwork> network = network_of(options_.bridge, pod_cidrs, mtu);
    const Result<std::size_t> pods =
        network ? repair(*network, options_.folder) : Result<std::size_t>(network.error());
    if (!pods)
        findings_.push_back(
            {"bridge-broken",
             "pods of this node have no bridge, and it cannot be repaired: " + pods.error().text(),
             "as the error says; or delete the node's pods, so that they are made anew"});
    else if (*pods > 0)
        log_.write(LogLine(LogLevel::warn, "bridge-restored")
                       .with("bridge", options_.bridge)
                       .with("pods", *pods)
                       .with("detail", "it was deleted, set down, or pods were taken off it"));
}

} // namespace routelet::controller
