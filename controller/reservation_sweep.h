#pragma once
#include "cni/environment.h"
#include "controller/cause.h"
#include "controller/finding.h"
#include "controller/log.h"
#include "netlink/socket.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <vector>

namespace routelet::controller {

// Frees addresses of pods that went without the plugin's DEL, which runtimes give up now and then: otherwise
// a node runs out of addresses in months, and then STATUS keeps it from getting pods, whose ADD could mend
// it.
//
// An address is freed when its pod's container has had no interface on this node for `grace`, seen at each
// look and by a clock that nobody sets, and its files are as old, and no network namespace is left that could
// be that pod's with its interface deleted by hand. One thread, the io_context's; the plugin may run
// meanwhile.
class ReservationSweep {
public:
    using Clock = Cause::Clock;
    struct Options {
        std::filesystem::path folder;     // the network's, in the plugin's dataDir
        std::filesystem::path host_ports; // the plugin's "hostPortDir"
        std::chrono::seconds grace{600};
        std::chrono::seconds interval{120};
    };

    ReservationSweep(Options options, const Log& log) : options_(std::move(options)), log_(log) {}

    // Looks now and then. Ends only by cancellation.
    boost::asio::awaitable<void> run(boost::asio::io_context& io);

    void look(Clock::time_point now);

    // What waits to be freed, from the second look on that it is seen at, and what keeps it.
    std::vector<Finding> findings() const;

private:
    Result<> look_at(netlink::Socket& host, Clock::time_point now);
    void note_abandoned(const std::vector<cni::AttachmentId>& abandoned, Clock::time_point now);
    Result<> free_due(netlink::Socket& host, Clock::time_point now);

    Options options_;
    const Log& log_;
    std::map<cni::AttachmentId, Clock::time_point> abandoned_since_;
    Clock::time_point looked_at_{};
    std::size_t cut_off_namespaces_ = 0;
    std::optional<Error> failed_; // the last look
};

} // namespace routelet::controller
