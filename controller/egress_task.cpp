#include "controller/egress_task.h"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <unistd.h>

namespace asio = boost::asio;

namespace routelet::controller {

EgressTask::EgressTask(asio::io_context& io, EgressOptions options, const Log& log)
    : io_(io), options_(std::move(options)), log_(log), egress_(table_, log, options_.masquerade), timer_(io)
{
}

asio::awaitable<void> EgressTask::watch()
{
    if (!options_.masquerade) {
        act({"start", Cause::Clock::now()});
        co_return;
    }
    asio::steady_timer pause(io_);
    for (;;) {
        auto monitor = netlink::NftMonitor::open(masquerade_table_name);
        if (monitor) {
            const Error error = co_await watch(std::move(*monitor));
            report(error);
        } else {
            report(monitor.error());
        }
        pause.expires_after(std::chrono::seconds(10));
        co_await pause.async_wait(asio::use_awaitable);
    }
}

// Until the monitor fails.
asio::awaitable<Error> EgressTask::watch(netlink::NftMonitor monitor)
{
    asio::posix::stream_descriptor readable(io_, ::dup(monitor.fd()));
    check({"start", Cause::Clock::now()}); // what happened before was not seen
    for (;;) {
        co_await readable.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
        const Cause cause{"kernel", Cause::Clock::now()};
        auto news = monitor.read(table_.port().value_or(0));
        if (!news)
            co_return news.error();
        if (news->overrun)
            egress_.doubt_after_loss();
        if (news->changed)
            egress_.doubt(std::move(news->by));
        if (news->overrun || news->changed)
            act(cause);
    }
}

// Told when it is new. What a kernel without nfnetlink lacks is told by Egress.
void EgressTask::report(const Error& error)
{
    const std::string text = error.text();
    if (text == reported_ || error.code == boost::system::errc::protocol_not_supported)
        return;
    reported_ = text;
    log_.write(LogLine(LogLevel::error, "kernel-watch-failed").with("error", text));
}

void EgressTask::follow(const Plan& plan, const OwnRoutes& in_place, const Cause& cause)
{
    if (!options_.masquerade)
        return;
    egress_.want(plan_egress(plan, in_place, options_));
    act(cause);
}

void EgressTask::check(const Cause& cause)
{
    egress_.doubt();
    act(cause);
}

void EgressTask::act(const Cause& cause)
{
    egress_.act(cause, Cause::Clock::now());
    const auto due = egress_.due();
    timer_.cancel();
    if (!due)
        return;
    timer_.expires_at(*due);
    timer_.async_wait([this](const boost::system::error_code& cancelled) {
        if (!cancelled)
            act({"retry", Cause::Clock::now()});
    });
}

} // namespace routelet::controller
