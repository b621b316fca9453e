#pragma once
#include "controller/egress.h"
#include "netlink/nftables_monitor.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

namespace routelet::controller {

// Turns what nodes, kernel and clock say into calls of Egress. One thread, the io_context's. Never fails: a
// kernel without nf_tables is a finding.
class EgressTask {
public:
    EgressTask(boost::asio::io_context& io, EgressOptions options, const Log& log);

    // Follows what others do to the table. Ends only with the process.
    boost::asio::awaitable<void> watch();

    // After each reconciliation; see plan_egress().
    void follow(const Plan& plan, const OwnRoutes& in_place, const Cause& cause);
    // Reads the table back.
    void check(const Cause& cause);

    std::vector<Finding> findings() const { return egress_.findings(); }

private:
    boost::asio::awaitable<Error> watch(netlink::NftMonitor monitor);
    void report(const Error& error);
    void act(const Cause& cause);

    boost::asio::io_context& io_;
    EgressOptions options_;
    const Log& log_;
    NftMasqueradeTable table_;
    Egress egress_;
    boost::asio::steady_timer timer_;
    std::string reported_; // the error of watching last logged
};

} // namespace routelet::controller
