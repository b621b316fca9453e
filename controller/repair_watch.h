#pragma once
#include "base/ip.h"
#include "controller/cause.h"

#include <chrono>
#include <map>
#include <optional>
#include <vector>

namespace routelet::controller {

// Tells a fight from an accident: a route that is taken away is put back at once, and one that is taken away
// again and again is put back more and more slowly, since two programs that both insist burn a node and route
// nothing. Each destination for itself. Pure: times are given.
class RepairWatch {
public:
    using Clock = Cause::Clock;

    static constexpr int usual_fight = 5;              // so many losses of one route
    static constexpr std::chrono::seconds within{60};  // in so long a time, are one
    static constexpr std::chrono::seconds longest{30}; // between two repairs of a fight

    struct Fight {
        int losses = 0;
        std::chrono::milliseconds pause{};
    };

    explicit RepairWatch(int fight = usual_fight) : fight_(fight) {}

    // Somebody took this destination's route away. A fight when it has become one with this loss, or goes on.
    std::optional<Fight> note_loss(const IpPrefix& destination, Clock::time_point now);
    // The route must wait.
    bool holds(const IpPrefix& destination, Clock::time_point now) const;
    // When the next one has waited long enough.
    std::optional<Clock::time_point> due() const;
    // Those that have, since the last call.
    std::vector<IpPrefix> take_due(Clock::time_point now);
    // A link or an address changed: what is lost with it is nobody's doing.
    void forgive() { losses_.clear(); }

private:
    struct Losses {
        int count = 0;
        Clock::time_point last{};
        std::optional<Clock::time_point> held_until;
    };
    void forget_old(Clock::time_point now);

    int fight_;
    std::map<IpPrefix, Losses> losses_;
    Clock::time_point swept_{};
};

} // namespace routelet::controller
