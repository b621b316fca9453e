#include "controller/table_keeper.h"

#include "cni/error.h"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <unistd.h>

#include <algorithm>

namespace asio = boost::asio;

namespace routelet::controller {
namespace {

using std::chrono::seconds;

constexpr seconds usual_interval{300};
constexpr std::chrono::milliseconds busy_interval{50}; // the plugin is at work on the tables itself
constexpr seconds plugin_pause{2};
constexpr seconds longest_retry{60}; // after failures
constexpr int free_repairs = 3;      // so many at once, then with pauses
constexpr seconds longest_pause{30};
constexpr seconds quiet{60}; // so long without a repair, and the fight is over

} // namespace

TableKeeper::TableKeeper(asio::io_context& io, Subject subject, const Log& log)
    : io_(io), subject_(std::move(subject)), log_(log), timer_(io)
{
}

asio::awaitable<void> TableKeeper::run()
{
    asio::steady_timer pause(io_);
    for (;;) {
        auto monitor = netlink::NftMonitor::open(subject_.table, subject_.families);
        look_at(Clock::now()); // what happened before was not seen
        if (monitor)
            co_await watch(std::move(*monitor));
        pause.expires_after(seconds(10));
        co_await pause.async_wait(asio::use_awaitable);
    }
}

// Until the monitor fails: without notifications the tables are looked at now and then. What the plugin does
// is right as a rule, so that many pods that start or stop at once have the tables looked at once.
asio::awaitable<void> TableKeeper::watch(netlink::NftMonitor monitor)
{
    constexpr std::uint32_t nobody = 0;
    asio::posix::stream_descriptor readable(io_, ::dup(monitor.fd()));
    for (;;) {
        co_await readable.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
        auto news = monitor.read(nobody);
        if (!news)
            co_return;
        if (!news->changed && !news->overrun)
            continue;
        const bool is_by_plugin = !news->overrun && news->by.starts_with("routelet-cni ");
        by_ = std::move(news->by);
        look_at(std::max(Clock::now() + (is_by_plugin ? plugin_pause : seconds(0)), not_before_));
    }
}

void TableKeeper::look_at(Clock::time_point when)
{
    if (when >= due_)
        return;
    due_ = when;
    timer_.expires_at(when);
    timer_.async_wait([this](const boost::system::error_code& cancelled) {
        if (cancelled)
            return;
        due_ = Clock::time_point::max();
        look(Clock::now());
    });
}

void TableKeeper::look(Clock::time_point now)
{
    if (now >= last_repair_ + quiet)
        repairs_ = 0;
    Result<netlink::Socket> host = netlink::Socket::open();
    const Result<std::string> difference = host ? subject_.repair(*host) : Result<std::string>(host.error());
    if (!difference && cni::has_code(difference.error(), cni::ErrorCode::try_again_later))
        return look_at(now + busy_interval);
    failure_ = difference ? std::optional<Error>{} : difference.error();
    if (failure_) {
        look_at(now + retry_in_);
        retry_in_ = std::min(retry_in_ * 2, longest_retry);
        return;
    }
    retry_in_ = seconds(1);
    if (!difference->empty())
        note_repair(*difference, now);
    by_.clear();
    look_at(now + usual_interval);
}

// What is changed again while it must not be repaired yet, is looked at once it may be.
void TableKeeper::note_repair(const std::string& difference, Clock::time_point now)
{
    LogLine line(LogLevel::warn, subject_.restored);
    line.add("found", difference);
    if (!by_.empty())
        line.add("by", by_);
    log_.write(line);
    ++repairs_;
    last_repair_ = now;
    if (is_fight())
        not_before_ =
            now + std::min(seconds(1) * (1 << std::min(repairs_ - free_repairs - 1, 5)), longest_pause);
}

bool TableKeeper::is_fight() const noexcept
{
    return repairs_ > free_repairs;
}

std::vector<Finding> TableKeeper::findings() const
{
    std::vector<Finding> findings;
    if (failure_) {
        findings.push_back(subject_.broken);
        findings.back().detail += ": " + failure_->text();
    }
    if (is_fight() && Clock::now() < last_repair_ + quiet)
        findings.push_back(subject_.fight);
    return findings;
}

} // namespace routelet::controller
