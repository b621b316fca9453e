#include "cni/sweep.h"

#include "cni/attachment.h"
#include "cni/living.h"
#include "cni/reservations.h"
#include "netlink/link.h"
#include "netlink/netns_id.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <string>

namespace routelet::cni {
namespace {

using netlink::Link;
using netlink::NetnsId;

std::size_t count_cut_off(const std::vector<NetnsId>& known, const std::vector<Link>& links)
{
    return static_cast<std::size_t>(std::ranges::count_if(known, [&links](NetnsId id) {
        return std::ranges::find(links, id, &Link::peer_netns) == links.end();
    }));
}

// A dump can miss a link, so each is asked for.
Result<bool> has_link(netlink::Socket& host, const AttachmentId& id, const std::vector<IpAddress>& addresses)
{
    const Result<std::optional<Link>> by_name = netlink::find_link(host, host_interface_name(id));
    if (!by_name)
        return by_name.error();
    if (by_name->has_value())
        return true;
    for (const IpAddress& address : addresses) {
        const auto by_address = netlink::find_link_by_alternative_name(host, living_name(address));
        if (!by_address)
            return by_address.error();
        if (by_address->has_value())
            return true;
    }
    return false;
}

} // namespace

Result<Presence> look_for_abandoned(netlink::Socket& host, const std::filesystem::path& folder)
{
    const Result<std::vector<AttachmentId>> attachments = indexed_attachments(folder);
    if (!attachments)
        return attachments.error();
    if (attachments->empty() || is_of_earlier_boot(folder)) // the next ADD empties that
        return Presence{};
    const Result<std::vector<NetnsId>> namespaces = netlink::list_netns_ids(host);
    if (!namespaces)
        return namespaces.error();
    const Result<std::vector<Link>> links = netlink::list_links(host);
    if (!links)
        return links.error();

    std::set<std::string> names; // one whose alias somebody changed, or that somebody renamed, is there
    std::set<std::string> aliases;
    for (const Link& link : *links) {
        names.insert(link.name);
        aliases.insert(link.alias);
    }
    std::set<std::string> present; // containers: one with another interface of ours lives
    for (const AttachmentId& id : *attachments)
        if (names.contains(host_interface_name(id)) || aliases.contains(host_interface_alias(id)))
            present.insert(id.container);

    Presence found{{}, count_cut_off(*namespaces, *links)};
    std::ranges::copy_if(*attachments, std::back_inserter(found.abandoned),
                         [&present](const AttachmentId& id) { return !present.contains(id.container); });
    return found;
}

Result<std::vector<IpAddress>> free_abandoned(netlink::Socket& host, const std::filesystem::path& folder,
                                              HostPorts& ports, const AttachmentId& id,
                                              std::chrono::seconds at_least)
{
    return AddressStore(folder).release_if(id, at_least,
                                           [&](const std::vector<IpAddress>& addresses) -> Result<bool> {
                                               const Result<bool> has = has_link(host, id, addresses);
                                               if (!has)
                                                   return has.error();
                                               if (*has)
                                                   return false;
                                               const Result<> released = ports.release(host, id);
                                               return released ? Result<bool>(true) : released.error();
                                           });
}

} // namespace routelet::cni
