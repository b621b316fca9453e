#include "test/kernel/route_keeper.h"

#include "test/support/catch.h"

#include <poll.h>

#include <algorithm>
#include <iterator>

namespace routelet::test {

using namespace controller;

RouteKeeper::RouteKeeper(Kernel& kernel, Reconciler::Options options)
    : monitor_(need(netlink::Monitor::open())), reconciler_(kernel, log_, std::move(options))
{
}

bool RouteKeeper::drain()
{
    for (;;) {
        const auto events = need(monitor_.read());
        if (events.empty())
            return matters_;
        overruns_ += static_cast<std::size_t>(std::ranges::count_if(
            events, [](const auto& event) { return std::holds_alternative<netlink::Overrun>(event); }));
        matters_ = reconciler_.observe(events) || matters_;
    }
}

bool RouteKeeper::reconcile(std::string_view cause)
{
    matters_ = false;
    return reconciler_.reconcile({cause, Cause::Clock::now()});
}

void RouteKeeper::await(std::chrono::milliseconds time) const
{
    pollfd readable{.fd = monitor_.fd(), .events = POLLIN, .revents = 0};
    (void)::poll(&readable, 1, static_cast<int>(time.count())); // a signal only shortens the wait
}

std::vector<std::string> RouteKeeper::logged(std::string_view event) const
{
    std::vector<std::string> found;
    std::ranges::copy_if(lines_, std::back_inserter(found), [&](const std::string& line) {
        return line.find(" event=" + std::string(event) + " ") != std::string::npos;
    });
    return found;
}

} // namespace routelet::test
