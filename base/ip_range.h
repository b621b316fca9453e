#pragma once
#include "base/ip.h"

#include <ostream>
#include <vector>

namespace routelet {

// All addresses from `first` to `last`, both included. Invariant: of one family, and first <= last.
struct IpRange {
    IpAddress first;
    IpAddress last;

    friend auto operator<=>(const IpRange&, const IpRange&) = default;
    friend std::ostream& operator<<(std::ostream& out, const IpRange& range)
    {
        return out << range.first << '-' << range.last;
    }
};

// The fewest ranges that hold exactly the addresses that the prefixes hold, ascending, IPv4 first: no two
// overlap, and no two are adjacent. The order of the prefixes does not matter.
std::vector<IpRange> merged(std::vector<IpPrefix> prefixes);

} // namespace routelet
