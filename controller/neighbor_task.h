#pragma once
#include "controller/log.h"
#include "controller/neighbor_history.h"
#include "controller/plan.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <functional>
#include <string>

namespace routelet::controller {

class Reconciler;

// Tells the flight recorder, and a log that shows debug, of the next hops of routes: which stopped answering,
// which answers again, which has another MAC address. Changes nothing: routes do not depend on it. One
// thread, the io_context's.
class NeighborTask {
public:
    NeighborTask(boost::asio::io_context& io, const Log& log, const Reconciler& reconciler)
        : io_(io), log_(log), burst_(log), reconciler_(reconciler)
    {
    }

    // Ends only with the process.
    boost::asio::awaitable<void> watch();

private:
    boost::asio::awaitable<Error> watch(netlink::NeighborMonitor monitor);
    void note(const netlink::NeighborChanged& change);
    void forget_others();

    boost::asio::io_context& io_;
    const Log& log_;
    LogBurst burst_;
    const Reconciler& reconciler_;
    NeighborHistory history_;
    std::size_t forget_at_ = 0; // when the history is so large
    std::string reported_;      // the error of watching last logged
};

} // namespace routelet::controller
