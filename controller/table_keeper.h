#pragma once
#include "base/result.h"
#include "controller/cause.h"
#include "controller/finding.h"
#include "controller/log.h"
#include "netlink/nftables_monitor.h"
#include "netlink/socket.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace routelet::controller {

// Keeps nftables tables of the plugin's as they should be, whoever changes or flushes them: they are looked
// at when they change, at the start, and now and then. Tables that somebody changes again and again are
// repaired more and more slowly. One thread, the io_context's; the plugin may run meanwhile.
class TableKeeper {
public:
    using Clock = Cause::Clock;

    // Which tables, and what is said of them.
    struct Subject {
        std::string table; // their name
        std::vector<netlink::NftFamily> families;
        // Makes them right, and returns what was different, in a few words; empty when nothing was. Fails
        // with cni::ErrorCode::try_again_later while the plugin is at work.
        std::function<Result<std::string>(netlink::Socket& host)> repair;
        std::string restored; // the event's name
        Finding broken;       // while they cannot be repaired; the failure is put behind its detail
        Finding fight;        // while somebody keeps changing them
    };

    TableKeeper(boost::asio::io_context& io, Subject subject, const Log& log);

    // Ends only by cancellation.
    boost::asio::awaitable<void> run();

    std::vector<Finding> findings() const;

private:
    boost::asio::awaitable<void> watch(netlink::NftMonitor monitor);
    void look_at(Clock::time_point when); // the one that is due comes no later
    void look(Clock::time_point now);
    void note_repair(const std::string& difference, Clock::time_point now);
    bool is_fight() const noexcept;

    boost::asio::io_context& io_;
    Subject subject_;
    const Log& log_;
    boost::asio::steady_timer timer_;
    Clock::time_point due_ = Clock::time_point::max(); // what the timer waits for

    std::string by_;               // who changed them last, where that is known
    std::optional<Error> failure_; // of the last look
    std::chrono::seconds retry_in_{1};
    int repairs_ = 0; // without a quiet time in between
    Clock::time_point last_repair_{};
    Clock::time_point not_before_{}; // for the next repair
};

} // namespace routelet::controller
