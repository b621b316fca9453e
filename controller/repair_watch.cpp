#include "controller/repair_watch.h"

#include <algorithm>

namespace routelet::controller {

std::optional<RepairWatch::Fight> RepairWatch::note_loss(const IpPrefix& destination, Clock::time_point now)
{
    forget_old(now);
    Losses& losses = losses_[destination];
    if (now - losses.last > within + longest)
        losses.count = 0;
    losses.last = now;
    ++losses.count;
    if (losses.count < fight_)
        return {};
    const int doublings = std::min(losses.count - fight_, 5);
    const std::chrono::milliseconds pause =
        std::min<std::chrono::milliseconds>(std::chrono::seconds(1 << doublings), longest);
    losses.held_until = now + pause;
    return Fight{losses.count, pause};
}

bool RepairWatch::holds(const IpPrefix& destination, Clock::time_point now) const
{
    const auto found = losses_.find(destination);
    return found != losses_.end() && found->second.held_until && now < *found->second.held_until;
}

std::optional<RepairWatch::Clock::time_point> RepairWatch::due() const
{
    std::optional<Clock::time_point> first;
    for (const auto& [destination, losses] : losses_)
        if (losses.held_until && (!first || *losses.held_until < *first))
            first = losses.held_until;
    return first;
}

std::vector<IpPrefix> RepairWatch::take_due(Clock::time_point now)
{
    std::vector<IpPrefix> due;
    for (auto& [destination, losses] : losses_)
        if (losses.held_until && *losses.held_until <= now) {
            due.push_back(destination);
            losses.held_until.reset();
        }
    return due;
}

// Now and then, so that a table that was flushed once is not remembered for good.
void RepairWatch::forget_old(Clock::time_point now)
{
    if (now - swept_ < within)
        return;
    swept_ = now;
    std::erase_if(losses_, [&](const auto& entry) {
        return !entry.second.held_until && now - entry.second.last > within + longest;
    });
}

} // namespace routelet::controller
