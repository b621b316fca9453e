#include "cni/bridge_repair.h"

#include "cni/attachment.h"
#include "cni/reservations.h"
#include "cni/spoof_check.h"
#include "netlink/route.h"

#include <algorithm>

namespace routelet::cni {
namespace {

using netlink::IfIndex;
using netlink::Link;
using netlink::Socket;

// Complete: an ADD sets the alias last.
bool is_link_of(const Link& link, const AttachmentId& id)
{
    return link.kind == "veth" && link.is_up() && link.alias == host_interface_alias(id);
}

// Mode::ptp: the node routes to the pod itself. Such a pod may be from before the network changed its mode.
bool is_routed(const std::vector<netlink::Route>& routes, const Link& link)
{
    return std::ranges::any_of(routes, [&link](const netlink::Route& route) {
        return route.oif == link.index && route.destination.length() == route.destination.network().bits();
    });
}

// Tells who has no connection. The routes, of which there may be thousands, are read once it matters.
class Judge {
public:
    Judge(Socket& host, const std::optional<Link>& bridge) : host_(host), bridge_(bridge) {}

    Result<bool> is_cut_off(const Link& link)
    {
        if (link.master != IfIndex{})
            return bridge_ && !bridge_->is_up() && link.master == bridge_->index;
        if (!routes_) {
            Result<std::vector<netlink::Route>> routes = netlink::list_routes(host_);
            if (!routes)
                return routes.error();
            routes_ = std::move(*routes);
        }
        return !is_routed(*routes_, link);
    }

private:
    Socket& host_;
    const std::optional<Link>& bridge_;
    std::optional<std::vector<netlink::Route>> routes_;
};

// All are attempted; the first failure is told.
Result<> plug_in(Socket& host, const Link& bridge, const std::vector<Link>& links, bool hairpin)
{
    std::vector<netlink::Request> requests;
    for (const Link& link : links) {
        if (link.master != bridge.index)
            requests.push_back(netlink::set_master(link.index, bridge.index));
        requests.push_back(
            netlink::set_port_up({.port = link.index, .alias = link.alias, .hairpin = hairpin}));
    }
    if (auto plugged = execute_on_pods(host, requests); !plugged)
        return plugged;
    if (std::ranges::none_of(links, is_checked))
        return {};
    const auto named = netlink::list_named_links(host);
    if (!named)
        return named.error();
    const auto unlocked = find_unlocked_ports(host, *named);
    if (!unlocked)
        return unlocked.error();
    return execute_on_pods(host, unlocked->remedy);
}

} // namespace

Result<std::vector<Link>> cut_off_links(Socket& host, const std::filesystem::path& folder,
                                        const std::optional<Link>& bridge, std::size_t most)
{
    const Result<std::vector<AttachmentId>> attachments = indexed_attachments(folder);
    if (!attachments)
        return attachments.error();
    std::vector<Link> found;
    Judge judge(host, bridge);
    for (const AttachmentId& id : *attachments) {
        if (found.size() == most)
            break;
        const Result<std::optional<Link>> link = netlink::find_link(host, host_interface_name(id));
        if (!link)
            return link.error();
        if (!link->has_value() || !is_link_of(**link, id))
            continue;
        const Result<bool> is_cut_off = judge.is_cut_off(**link);
        if (!is_cut_off)
            return is_cut_off.error();
        if (*is_cut_off)
            found.push_back(**link);
    }
    return found;
}

Result<std::size_t> repair_bridge(Socket& host, const PodNetwork& network,
                                  const std::filesystem::path& folder)
{
    if (network.mode != Mode::bridge)
        return std::size_t{0};
    const Result<std::optional<Link>> before = netlink::find_link(host, network.bridge);
    if (!before)
        return before.error();
    const Result<std::vector<Link>> links = cut_off_links(host, folder, *before, all_links);
    if (!links)
        return links.error();
    if (links->empty() || (before->has_value() && (*before)->kind != "bridge"))
        return std::size_t{0};

    // What fails of it last, as the machine's IPv6 forwarding, does not keep pods from each other.
    const auto ensured = ensure_network(host, network);
    const Result<std::optional<Link>> bridge = netlink::find_link(host, network.bridge);
    if (!bridge)
        return bridge.error();
    if (bridge->has_value())
        if (auto plugged = plug_in(host, **bridge, *links, network.hairpin); !plugged)
            return plugged.error();
    if (!ensured)
        return ensured.error();
    return links->size();
}

} // namespace routelet::cni
