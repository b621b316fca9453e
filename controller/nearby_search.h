#pragma once
#include <algorithm>
#include <cstddef>
#include <iterator>

namespace routelet::controller {

// std::ranges::partition_point, for many searches in one range: it looks first where the last one ended, and
// right behind. A cluster that grew by and by has podCIDRs and addresses in the order of its nodes, and its
// nodes' addresses all lie on one side of its pods'; then nothing is searched for, and memory is read in its
// order. In any other order it takes two comparisons more.
//
// Not for two threads at once. The range may be another one each time.
class NearbySearch {
public:
    // The first element of which `is_before` is false. Requires: it is true of none behind.
    template <class Range, class Predicate>
    auto operator()(Range& range, Predicate is_before)
    {
        const auto begin = std::ranges::begin(range);
        const std::size_t size = std::ranges::size(range);
        const auto is_point = [&](std::size_t at) {
            return at <= size && (at == 0 || is_before(begin[at - 1])) &&
                   (at == size || !is_before(begin[at]));
        };
        if (!is_point(last_) && !is_point(++last_))
            last_ = static_cast<std::size_t>(std::ranges::partition_point(range, is_before) - begin);
        return begin + static_cast<std::ptrdiff_t>(last_);
    }

private:
    std::size_t last_ = 0;
};

} // namespace routelet::controller
