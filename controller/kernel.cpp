#include "controller/kernel.h"

#include <algorithm>
#include <iterator>

namespace routelet::controller {
namespace {

// Requests that are made before they are sent: as many as stay in the processor's cache.
constexpr std::size_t at_once = 512;

netlink::Request to_request(const RouteChange& change)
{
    switch (change.kind) {
    case RouteChange::Kind::create:
        return netlink::create_route(change.route);
    case RouteChange::Kind::replace:
        return netlink::replace_route(change.route);
    case RouteChange::Kind::take_over:
    case RouteChange::Kind::remove:
        break;
    }
    return netlink::delete_route(change.route);
}

bool is_removal(const RouteChange& change)
{
    return change.kind == RouteChange::Kind::remove || change.kind == RouteChange::Kind::take_over;
}

} // namespace

Result<NetlinkKernel> NetlinkKernel::open()
{
    auto socket = netlink::Socket::open();
    if (!socket)
        return socket.error();
    return NetlinkKernel(std::move(*socket));
}

Result<KernelState> NetlinkKernel::read()
{
    auto links = netlink::list_links(socket_);
    if (!links)
        return links.error();
    auto addresses = netlink::list_addresses(socket_);
    if (!addresses)
        return addresses.error();
    auto routes = netlink::list_routes(socket_);
    if (!routes)
        return routes.error();
    return KernelState{std::move(*links), std::move(*addresses), std::move(*routes)};
}

std::vector<Result<>> NetlinkKernel::apply(const std::vector<RouteChange>& changes)
{
    std::vector<Result<>> results;
    results.reserve(changes.size());
    std::vector<netlink::Request> requests;
    requests.reserve(std::min(changes.size(), at_once));
    for (const RouteChange& change : changes) {
        requests.push_back(to_request(change));
        if (requests.size() == at_once || &change == &changes.back()) {
            std::ranges::move(socket_.execute_all(requests), std::back_inserter(results));
            requests.clear();
        }
    }
    for (std::size_t i = 0; i < changes.size(); ++i)
        if (is_removal(changes[i]) && !results[i] &&
            results[i].error().code == boost::system::errc::no_such_process)
            results[i] = Result<>{};
    return results;
}

Result<> NetlinkKernel::enable_ipv4_forwarding(netlink::IfIndex link)
{
    return socket_.execute(netlink::enable_ipv4_forwarding(link));
}

} // namespace routelet::controller
