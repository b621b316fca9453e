#pragma once
#include "cni/host_ports.h"
#include "controller/cause.h"
#include "controller/finding.h"
#include "controller/log.h"
#include "netlink/nftables_monitor.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace routelet::controller {

// Keeps the kernel's table of host ports as the plugin's records say (cni/host_ports.h), whoever changes or
// flushes it: it is looked at when it changes, at the start, and now and then. A table that somebody changes
// again and again is repaired more and more slowly. One thread, the io_context's; the plugin may run
// meanwhile.
class HostPortKeeper {
public:
    using Clock = Cause::Clock;

    // `folder` is the plugin's "hostPortDir"; it need not exist.
    HostPortKeeper(boost::asio::io_context& io, std::filesystem::path folder, const Log& log);

    // Ends only by cancellation.
    boost::asio::awaitable<void> run();

    // host-ports-broken, host-ports-fight.
    std::vector<Finding> findings() const;

private:
    boost::asio::awaitable<void> watch(netlink::NftMonitor monitor);
    void look_at(Clock::time_point when); // the one that is due comes no later
    void look(Clock::time_point now);
    void note_repair(const std::string& difference, Clock::time_point now);
    bool is_fight() const noexcept;

    boost::asio::io_context& io_;
    cni::HostPorts ports_;
    const Log& log_;
    boost::asio::steady_timer timer_;
    Clock::time_point due_ = Clock::time_point::max(); // what the timer waits for

    std::string by_;               // who changed the table last, where that is known
    std::optional<Error> failure_; // of the last look
    std::chrono::seconds retry_in_{1};
    int repairs_ = 0; // without a quiet time in between
    Clock::time_point last_repair_{};
    Clock::time_point not_before_{}; // for the next repair
};

} // namespace routelet::controller
