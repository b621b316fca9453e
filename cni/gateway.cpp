#include "cni/gateway.h"

#include <algorithm>

namespace routelet::cni {

std::vector<Gateway> gateways(const PodNetwork& network)
{
    std::vector<Gateway> all;
    for (const RangeSet& set : network.range_sets)
        for (const AddressRange& range : set.ranges())
            if (std::ranges::find(all, range.gateway(), &Gateway::address) == all.end())
                all.push_back({range.gateway(), range.subnet().length()});
    return all;
}

bool has_family(const std::vector<Gateway>& gateways, IpFamily family)
{
    return std::ranges::any_of(gateways,
                               [&](const Gateway& gateway) { return gateway.address.family() == family; });
}

} // namespace routelet::cni
