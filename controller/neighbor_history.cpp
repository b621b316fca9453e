#include "controller/neighbor_history.h"

#include <linux/neighbour.h>

#include <utility>

namespace routelet::controller {

std::string_view to_string(NeighborNews::What what) noexcept
{
    switch (what) {
    case NeighborNews::What::silent:
        return "silent";
    case NeighborNews::What::answers:
        return "answers";
    case NeighborNews::What::moved:
        return "moved";
    case NeighborNews::What::removed:
        return "removed";
    }
    return "?";
}

std::optional<NeighborNews> NeighborHistory::note(const netlink::NeighborChanged& change,
                                                  Clock::time_point now)
{
    Known& known = known_[{change.link, change.address}];
    std::optional<NeighborNews> news = change_of(known, change);
    if (!news)
        return std::nullopt;
    if (now - known.minute >= std::chrono::minutes(1)) {
        known.minute = now;
        known.told = 0;
    }
    if (known.told == most_a_minute) {
        ++known.untold;
        return std::nullopt;
    }
    ++known.told;
    news->untold = std::exchange(known.untold, 0);
    return news;
}

std::optional<NeighborNews> NeighborHistory::change_of(Known& known, const netlink::NeighborChanged& change)
{
    using What = NeighborNews::What;
    if ((change.neighbor.state & NUD_FAILED) != 0) {
        if (known.is_silent)
            return std::nullopt;
        const bool is_removed = change.port != 0;
        known.is_silent = !is_removed;
        return NeighborNews{is_removed ? What::removed : What::silent, known.mac};
    }
    if (!change.neighbor.mac)
        return std::nullopt; // a link without such addresses, a tunnel
    const auto was = std::exchange(known.mac, change.neighbor.mac);
    const bool has_moved = was && was != known.mac;
    const bool was_silent = std::exchange(known.is_silent, false);
    if (!was_silent && !has_moved)
        return std::nullopt;
    return NeighborNews{was_silent ? What::answers : What::moved, known.mac, has_moved ? was : std::nullopt};
}

} // namespace routelet::controller
