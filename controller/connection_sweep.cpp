#include "controller/connection_sweep.h"

#include "cni/freed_connections.h"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <iterator>

namespace asio = boost::asio;

namespace routelet::controller {

asio::awaitable<void> ConnectionSweep::run()
{
    asio::steady_timer timer(io_);
    for (;;) {
        look(std::chrono::system_clock::now());
        timer.expires_after(options_.interval);
        co_await timer.async_wait(asio::use_awaitable);
    }
}

void ConnectionSweep::look(std::chrono::system_clock::time_point now)
{
    if (is_busy_)
        return;
    // Each comes at two looks at least, also when the clock is set.
    const auto freed = cni::freed_lately(options_.folder, 3 * options_.interval, now);
    if (!freed)
        return report(freed.error());
    std::set<IpAddress> fresh;
    std::ranges::set_difference(*freed, done_, std::inserter(fresh, fresh.end()));
    done_ = *freed;
    if (fresh.empty())
        return;
    is_busy_ = true;
    worker_ = std::jthread([this, fresh = std::move(fresh)] {
        asio::post(io_, [this, forgotten = cni::forget_connections_of(fresh, options_.folder)] {
            is_busy_ = false;
            report(forgotten);
        });
    });
}

// A failure is told when it is new.
void ConnectionSweep::report(const Result<std::size_t>& forgotten)
{
    const std::string failure = forgotten ? "" : forgotten.error().text();
    if (!failure.empty() && failure != failure_)
        log_.write(LogLine(LogLevel::warn, "connections-kept").with("error", failure));
    failure_ = failure;
    if (forgotten && *forgotten > 0)
        log_.write(LogLine(LogLevel::debug, "connections-forgotten").with("connections", *forgotten));
}

} // namespace routelet::controller
