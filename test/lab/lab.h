#pragma once
#include "test/lab/api.h"
#include "test/lab/fault.h"
#include "test/lab/server.h"
#include "test/lab/store.h"

#include <boost/asio/steady_timer.hpp>

#include <set>

namespace routelet::lab {

// What all connections of a server share. Belongs to the server's thread.
struct Lab {
    Lab(Store from, ReadRules rules) : store(std::move(from)), api(store, rules) {}
    Lab(const Lab&) = delete;
    Lab& operator=(const Lab&) = delete;

    Store store;
    Api api;
    FaultList faults;
    std::vector<RequestRecord> requests;
    std::filesystem::path tokens;
    std::chrono::milliseconds bookmark_interval{};
    std::chrono::milliseconds version_wait{};
    std::function<void(const RequestRecord&)> on_write;
    std::function<void()> on_change;              // the store has a new version, or forgot some
    std::set<boost::asio::steady_timer*> waiting; // cancelled by wake()

    void wake()
    {
        for (auto* timer : waiting)
            timer->cancel();
    }
};

// The paths that only a lab has: /lab/faults, /lab/compact, /lab/requests. Nothing for other paths.
// For administrators.
std::optional<Reply> answer_lab(Lab& lab, const Request& request);

} // namespace routelet::lab
