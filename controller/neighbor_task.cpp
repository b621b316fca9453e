#include "controller/neighbor_task.h"

#include "controller/reconciler.h"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <unistd.h>

#include <algorithm>
#include <set>
#include <utility>

namespace asio = boost::asio;

namespace routelet::controller {
namespace {

const PlannedRoute* route_through(const Plan& plan, netlink::IfIndex link, const IpAddress& gateway)
{
    const auto route = std::ranges::find_if(plan.routes, [&](const PlannedRoute& planned) {
        return planned.gateway == gateway && planned.link == link;
    });
    return route == plan.routes.end() ? nullptr : &*route;
}

} // namespace

asio::awaitable<void> NeighborTask::watch()
{
    asio::steady_timer pause(io_);
    for (;;) {
        auto monitor = netlink::NeighborMonitor::open();
        const Error error = monitor ? co_await watch(std::move(*monitor)) : monitor.error();
        if (std::string text = error.text(); text != std::exchange(reported_, text))
            log_.write(LogLine(LogLevel::error, "kernel-watch-failed").with("error", text));
        pause.expires_after(std::chrono::seconds(10));
        co_await pause.async_wait(asio::use_awaitable);
    }
}

// Until the monitor fails.
asio::awaitable<Error> NeighborTask::watch(netlink::NeighborMonitor monitor)
{
    asio::posix::stream_descriptor readable(io_, ::dup(monitor.fd()));
    for (;;) {
        co_await readable.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
        const auto changes = monitor.read();
        if (!changes)
            co_return changes.error();
        for (const netlink::NeighborChanged& change : *changes)
            note(change);
        burst_.end();
    }
}

void NeighborTask::note(const netlink::NeighborChanged& change)
{
    const PlannedRoute* route = route_through(reconciler_.plan(), change.link, change.address);
    if (route == nullptr)
        return;
    const auto news = history_.note(change, NeighborHistory::Clock::now());
    forget_others();
    if (!news || !burst_.has_room(LogLevel::debug, "kernel-neighbor"))
        return;
    LogLine line(LogLevel::debug, "kernel-neighbor");
    line.add("what", to_string(news->what));
    line.add("address", change.address);
    line.add("dev", reconciler_.local().link_name(change.link));
    line.add("node", route->node->name);
    if (news->mac)
        line.add("mac", *news->mac);
    if (news->was)
        line.add("was", *news->was);
    line.add("by", change.port);
    if (news->untold > 0)
        line.add("more", news->untold);
    log_.write(line);
}

// Nodes come and go.
void NeighborTask::forget_others()
{
    if (history_.size() <= forget_at_)
        return;
    std::set<std::pair<netlink::IfIndex, IpAddress>> next_hops;
    for (const PlannedRoute& route : reconciler_.plan().routes)
        next_hops.emplace(route.link, route.gateway);
    history_.forget_others([&](netlink::IfIndex link, const IpAddress& address) {
        return next_hops.contains({link, address});
    });
    forget_at_ = 2 * next_hops.size();
}

} // namespace routelet::controller
