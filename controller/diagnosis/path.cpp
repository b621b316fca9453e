#include "controller/diagnosis/path.h"

#include "cni/living.h"
#include "cni/reservations.h"
#include "controller/cni_config.h"
#include "controller/forwarding.h"
#include "controller/masquerade_table.h"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <chrono>
#include <thread>

namespace routelet::controller {
namespace {

using netlink::IfIndex;
using netlink::Link;
using netlink::Neighbor;
using netlink::Socket;

std::optional<Link> link_or_none(Result<std::optional<Link>> found)
{
    return found ? std::move(*found) : std::nullopt;
}

bool is_claimed(const Subject& subject, const IpPrefix& destination)
{
    return std::ranges::find(subject.claims, destination.to_string(), &NodeReport::destination) !=
           subject.claims.end();
}

std::vector<netlink::Route> routes_to_claims(Socket& socket, const Subject& subject)
{
    Result<std::vector<netlink::Route>> routes = netlink::list_routes(socket);
    if (!routes)
        return {};
    std::erase_if(*routes,
                  [&](const netlink::Route& route) { return !is_claimed(subject, route.destination); });
    return std::move(*routes);
}

// Asks, and waits for what becomes of it.
Result<std::optional<Neighbor>> answer_of(Socket& socket, IfIndex link, const IpAddress& address)
{
    constexpr std::chrono::milliseconds patience(3500); // it asks three times, and waits a second each
    constexpr std::chrono::milliseconds pause(20);
    if (const auto asked = netlink::ask_neighbor(socket, link, address); !asked)
        return asked.error();
    const auto deadline = std::chrono::steady_clock::now() + patience;
    for (;;) {
        Result<std::optional<Neighbor>> found = netlink::find_neighbor(socket, link, address);
        const bool is_waited_for = found && found->has_value() && (*found)->is_being_asked();
        if (!is_waited_for || std::chrono::steady_clock::now() > deadline)
            return found;
        std::this_thread::sleep_for(pause);
    }
}

// Whom packets are handed to: the gateway, or the address itself; nobody when it is this machine's.
std::optional<IpAddress> neighbor_on(const netlink::Route& way, const std::optional<Link>& link,
                                     const IpAddress& address)
{
    if (!link || link->is_loopback() || !link->is_up() || way.type != RTN_UNICAST)
        return std::nullopt;
    return way.gateway.value_or(address);
}

std::optional<std::string> reservation(const PathOptions& options, const IpAddress& address)
{
    const auto content = cni::read_unlocked(options.state_dir / "ipam" / network_name / address.to_string());
    if (!content || !content->has_value())
        return std::nullopt;
    const auto owner = cni::parse_reservation(**content);
    return owner ? owner->container + "/" + owner->interface : "nobody that can be read";
}

bool is_not_forwarding(const Link& link, IpFamily family)
{
    return family == IpFamily::v4 ? !link.forwards_ipv4 : !forwards_ipv6(link.name);
}

// Packets of this machine's pods come in by their bridge, and answers by the link of the way there.
std::vector<std::string> links_that_do_not_forward(Socket& socket, const PathFacts& path,
                                                   const PathOptions& options, IpFamily family)
{
    std::vector<Link> links;
    if (path.link && !path.link->is_loopback())
        links.push_back(*path.link);
    const bool is_bridge = path.link && path.link->name == options.pod_bridge;
    if (const auto bridge = link_or_none(netlink::find_link(socket, options.pod_bridge));
        bridge && !is_bridge)
        links.push_back(*bridge);
    std::vector<std::string> names;
    for (const Link& link : links)
        if (is_not_forwarding(link, family))
            names.push_back(link.name);
    return names;
}

SourceAddress source_address(const IpAddress& destination)
{
    Result<Socket> socket = Socket::open_netfilter();
    if (!socket)
        return SourceAddress::not_known;
    const auto has_table = netlink::has_table(*socket, masquerade_table_name);
    if (!has_table)
        return SourceAddress::not_known;
    if (!*has_table)
        return SourceAddress::no_table;
    const auto is_exempt =
        netlink::has_address(*socket, masquerade_table_name,
                             destination.family() == IpFamily::v4 ? "exempt4" : "exempt6", destination);
    if (!is_exempt)
        return SourceAddress::not_known;
    return *is_exempt ? SourceAddress::kept : SourceAddress::masqueraded;
}

} // namespace

Result<PathFacts> read_path(const Subject& subject, const PathOptions& options)
{
    Result<Socket> socket = Socket::open();
    if (!socket)
        return socket.error();
    const IpAddress& address = *subject.address;
    PathFacts path{.way = netlink::route_to(*socket, address)};
    path.routes = routes_to_claims(*socket, subject);
    if (path.way && path.way->oif != IfIndex{})
        path.link = link_or_none(netlink::find_link(*socket, path.way->oif));
    if (path.way)
        path.neighbor_address = neighbor_on(*path.way, path.link, address);
    if (path.neighbor_address)
        path.neighbor = answer_of(*socket, path.link->index, *path.neighbor_address);
    path.pod_link = link_or_none(netlink::find_link_by_alternative_name(*socket, cni::living_name(address)));
    path.reserved_for = reservation(options, address);
    path.not_forwarding = links_that_do_not_forward(*socket, path, options, address.family());
    path.source = source_address(address);
    return path;
}

} // namespace routelet::controller
