#include "cni/bridge_repair.h"

#include "cni/attachment.h"
#include "cni/reservations.h"
#include "netlink/route.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <string>

namespace routelet::cni {
namespace {

using netlink::IfIndex;
using netlink::Link;
using netlink::Socket;

// Complete ones only: an ADD sets the alias last.
Result<std::vector<Link>> links_of_pods(Socket& host, const std::filesystem::path& folder)
{
    const Result<std::vector<AttachmentId>> attachments = indexed_attachments(folder);
    if (!attachments)
        return attachments.error();
    std::set<std::string> aliases;
    for (const AttachmentId& id : *attachments)
        aliases.insert(host_interface_alias(id));
    if (aliases.empty())
        return std::vector<Link>{};
    Result<std::vector<Link>> links = netlink::list_links(host);
    if (links)
        std::erase_if(*links, [&aliases](const Link& link) {
            return link.kind != "veth" || !link.is_up() || !aliases.contains(link.alias);
        });
    return links;
}

// Mode::ptp: the node routes to the pod itself. Such a pod may be from before the network changed its mode.
bool is_routed(const std::vector<netlink::Route>& routes, const Link& link)
{
    return std::ranges::any_of(routes, [&link](const netlink::Route& route) {
        return route.oif == link.index && route.destination.length() == route.destination.network().bits();
    });
}

Result<> leave_out_routed(Socket& host, std::vector<Link>& unplugged)
{
    if (unplugged.empty())
        return {};
    const Result<std::vector<netlink::Route>> routes = netlink::list_routes(host);
    if (!routes)
        return routes.error();
    std::erase_if(unplugged, [&routes](const Link& link) { return is_routed(*routes, link); });
    return {};
}

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
    for (Result<>& result : host.execute_all(requests))
        if (!result &&
            result.error().code != boost::system::errc::no_such_device) // a pod that went meanwhile
            return result;
    return {};
}

} // namespace

Result<std::vector<Link>> cut_off_links(Socket& host, const std::filesystem::path& folder,
                                        const std::optional<Link>& bridge)
{
    Result<std::vector<Link>> found = links_of_pods(host, folder);
    if (!found)
        return found;
    std::vector<Link> on_it;
    if (bridge && !bridge->is_up())
        std::ranges::copy_if(*found, std::back_inserter(on_it),
                             [&bridge](const Link& link) { return link.master == bridge->index; });
    std::erase_if(*found, [](const Link& link) { return link.master != IfIndex{}; });
    if (auto left_out = leave_out_routed(host, *found); !left_out)
        return left_out.error();
    found->insert(found->end(), on_it.begin(), on_it.end());
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
    const Result<std::vector<Link>> links = cut_off_links(host, folder, *before);
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
