#pragma once
#include "controller/cause.h"
#include "controller/log.h"
#include "controller/node_table.h"

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace routelet::controller {

// A Node that is known and says another address than before is believed only after a while, for operators
// who want that: an address of theirs seldom changes, and a kubelet that lies is found out meanwhile. Until
// then the address before counts, and only that: whatever else the Node says counts at once. A Node that was
// made anew is another node, and has nothing to wait for.
//
// Tells in the log what waits and what came back. Times are given. One thread.
class AddressHold {
public:
    using Clock = Cause::Clock;

    // 0: nothing waits.
    AddressHold(const Log& log, LogBurst& burst, std::chrono::seconds hold)
        : log_(log), burst_(burst), hold_(hold)
    {
    }

    // The Node as it counts now, where that is not as it says; `known` is what counted of it until now, null
    // for one that is new.
    std::optional<k8s::Node> admit(const k8s::Node& node, const NodeRef& known, Clock::time_point now);
    void forget(const std::string& name) { held_.erase(name); }

    // When the next one has waited long enough.
    std::optional<Clock::time_point> due() const;
    // Those that have, as they say; each once.
    std::vector<k8s::Node> take_due(Clock::time_point now);

private:
    struct Held {
        k8s::Node node;    // as it says
        IpAddress address; // the one that is new
        Clock::time_point until;
    };

    void report_held(const std::string& node, const IpAddress& now, const IpAddress& before);
    void report_back(const std::string& node, const IpAddress& address);

    const Log& log_;
    LogBurst& burst_;
    std::chrono::seconds hold_;
    std::map<std::string, Held> held_; // by name
};

} // namespace routelet::controller
