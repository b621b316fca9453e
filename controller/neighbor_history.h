#pragma once
#include "netlink/neighbor_monitor.h"

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

namespace routelet::controller {

// What became of a next hop, of all that the kernel announces of it.
struct NeighborNews {
    enum class What {
        silent,  // it did not answer when it was asked
        answers, // it was silent, and answers
        moved,   // it answers from another MAC address: a failover, or another machine has its IP address
        removed  // somebody removed the entry; the kernel asks anew
    };
    What what = What::silent;
    std::optional<netlink::MacAddress> mac{}; // where it is, or was
    std::optional<netlink::MacAddress> was{}; // before, when that is another
    std::size_t untold = 0;                   // more changes of it that were not told before this one
};
std::string_view to_string(NeighborNews::What what) noexcept; // "silent"

// Tells the few changes of neighbours that matter from the many confirmations: a neighbour that packets go to
// is confirmed every half minute or so, and one that is gone fails every three seconds. Of what was before
// the first announcement nothing is known.
//
// Two machines that fight for an address, or a host that means harm, do not fill the history: of each
// neighbour a few changes a minute are told.
class NeighborHistory {
public:
    using Clock = std::chrono::steady_clock;
    static constexpr std::size_t most_a_minute = 6;

    std::optional<NeighborNews> note(const netlink::NeighborChanged& change, Clock::time_point now);

    std::size_t size() const noexcept { return known_.size(); }
    // Forgets those that are no next hops any more: of which `is_kept` is false.
    template <class IsKept>
    void forget_others(IsKept is_kept)
    {
        std::erase_if(known_, [&](const auto& one) { return !is_kept(one.first.first, one.first.second); });
    }

private:
    struct Known {
        std::optional<netlink::MacAddress> mac; // it answered last from there
        bool is_silent = false;
        Clock::time_point minute{}; // began then
        std::size_t told = 0;       // in it
        std::size_t untold = 0;
    };
    static std::optional<NeighborNews> change_of(Known& known, const netlink::NeighborChanged& change);

    std::map<std::pair<netlink::IfIndex, IpAddress>, Known> known_;
};

} // namespace routelet::controller
