#include "cni/gateway.h"

#include "cni/await_local.h"

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

Result<> ensure_addresses(netlink::Socket& host, const std::vector<netlink::InterfaceAddress>& addresses)
{
    std::vector<netlink::Request> requests;
    for (const netlink::InterfaceAddress& address : addresses)
        requests.push_back(netlink::add_address(address));
    const std::vector<Result<>> results = host.execute_all(requests);
    std::vector<IpAddress> added;
    for (std::size_t i = 0; i < addresses.size(); ++i) {
        if (!results[i] && results[i].error().code != boost::system::errc::file_exists)
            return results[i];
        if (results[i])
            added.push_back(addresses[i].address);
    }
    await_local(host, added);
    return {};
}

} // namespace routelet::cni
