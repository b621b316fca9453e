#pragma once
#include "base/ip.h"
#include "controller/log.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <thread>

namespace routelet::controller {

// Has the kernel forget the connections of pods that are gone, while their addresses rest (ipam.cooldown), so
// that the next pod with such an address begins with none. The plugin has no time for it: the kernel goes
// through all its connections. For the same reason it is done by a thread of its own, at most once in
// `interval`, whatever the number of pods, and not at all while none go.
class ConnectionSweep {
public:
    struct Options {
        std::filesystem::path folder; // the network's, in the plugin's dataDir
        std::chrono::seconds interval{20};
    };

    // Lives as long as the io_context runs.
    ConnectionSweep(boost::asio::io_context& io, Options options, const Log& log)
        : io_(io), options_(std::move(options)), log_(log)
    {
    }

    // Looks now and then. Ends only by cancellation.
    boost::asio::awaitable<void> run();

private:
    void look(std::chrono::system_clock::time_point now);
    void report(const Result<std::size_t>& forgotten);

    boost::asio::io_context& io_;
    Options options_;
    const Log& log_;
    std::set<IpAddress> done_; // of those that rest now
    bool is_busy_ = false;
    std::string failure_; // of the last time
    std::jthread worker_; // last: it ends before the rest does
};

} // namespace routelet::controller
