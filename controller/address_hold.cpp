#include "controller/address_hold.h"

#include <algorithm>
#include <utility>

namespace routelet::controller {
namespace {

const IpAddress* first_of(IpFamily family, const std::vector<IpAddress>& addresses)
{
    const auto found = std::ranges::find(addresses, family, &IpAddress::family);
    return found == addresses.end() ? nullptr : &*found;
}

// What a node's routes go through is the first address of each family.
struct Change {
    IpAddress before;
    IpAddress now;
};
std::optional<Change> change_of_address(const NodeClaim& before, const NodeClaim& now)
{
    for (const IpFamily family : {IpFamily::v4, IpFamily::v6}) {
        const IpAddress* const was = first_of(family, before.internal_ips);
        const IpAddress* const is = first_of(family, now.internal_ips);
        if (was != nullptr && is != nullptr && *was != *is)
            return Change{*was, *is};
    }
    return {};
}

k8s::Node with_addresses_of(const NodeClaim& before, k8s::Node node)
{
    node.internal_ips.clear();
    for (const IpAddress& address : before.internal_ips)
        node.internal_ips.push_back(address.to_string());
    return node;
}

} // namespace

std::optional<k8s::Node> AddressHold::admit(const k8s::Node& node, const NodeRef& known,
                                            Clock::time_point now)
{
    if (hold_.count() == 0 || node.is_oversized)
        return {};
    const NodeRef claim = NodeClaim::of(node);
    if (!known || known->created != claim->created) {
        held_.erase(node.name);
        return {};
    }
    const auto held = held_.find(node.name);
    const auto change = change_of_address(*known, *claim);
    if (!change) {
        if (held != held_.end()) {
            report_back(node.name, held->second.address);
            held_.erase(held);
        }
        return {};
    }
    if (held != held_.end() && held->second.address == change->now) {
        held->second.node = node;
    } else {
        held_.insert_or_assign(node.name, Held{node, change->now, now + hold_});
        report_held(node.name, change->now, change->before);
    }
    return with_addresses_of(*known, node);
}

std::optional<AddressHold::Clock::time_point> AddressHold::due() const
{
    std::optional<Clock::time_point> first;
    for (const auto& [name, held] : held_)
        if (!first || held.until < *first)
            first = held.until;
    return first;
}

std::vector<k8s::Node> AddressHold::take_due(Clock::time_point now)
{
    std::vector<k8s::Node> due;
    std::erase_if(held_, [&](auto& entry) {
        const bool is_due = entry.second.until <= now;
        if (is_due)
            due.push_back(std::move(entry.second.node));
        return is_due;
    });
    return due;
}

void AddressHold::report_held(const std::string& node, const IpAddress& now, const IpAddress& before)
{
    if (burst_.has_room(LogLevel::warn, "node-address-held"))
        log_.write(
            LogLine(LogLevel::warn, "node-address-held")
                .with("node", node)
                .with("address", now)
                .with("counts", before)
                .with("hold_s", hold_.count())
                .with("detail", "the node says another address than before, which does not count yet")
                .with("remedy",
                      "if nobody moved that node, delete its Node and find out what its kubelet does"));
}

void AddressHold::report_back(const std::string& node, const IpAddress& address)
{
    if (burst_.has_room(LogLevel::info, "node-address-back"))
        log_.write(LogLine(LogLevel::info, "node-address-back")
                       .with("node", node)
                       .with("not", address)
                       .with("detail", "the node says the address that counts again"));
}

} // namespace routelet::controller
