#include "base/ip_range.h"

#include <algorithm>

namespace routelet {
namespace {

// Whether `next`, which begins no earlier, leaves no gap behind `range`. The address after a family's last
// one is its first: it follows nothing.
bool continues(const IpRange& range, const IpAddress& next)
{
    if (next.family() != range.last.family())
        return false;
    return next <= range.last || next == range.last.plus(1);
}

} // namespace

std::vector<IpRange> merged(std::vector<IpPrefix> prefixes)
{
    if (!std::ranges::is_sorted(prefixes))
        std::ranges::sort(prefixes);
    std::vector<IpRange> ranges;
    for (const IpPrefix& prefix : prefixes) {
        if (!ranges.empty() && continues(ranges.back(), prefix.network()))
            ranges.back().last = std::max(ranges.back().last, prefix.last());
        else
            ranges.push_back({prefix.network(), prefix.last()});
    }
    return ranges;
}

} // namespace routelet
