#include "controller/pod_mtu.h"

#include <algorithm>
#include <set>

namespace routelet::controller {

std::uint32_t pod_mtu(const Plan& plan, const LocalFacts& local)
{
    std::set<netlink::IfIndex> links;
    for (const PlannedRoute& route : plan.routes)
        links.insert(route.link);
    for (const DefaultGateway& gateway : local.gateways)
        links.insert(gateway.link);
    std::uint32_t least = 0;
    for (const OnLinkNetwork& network : local.networks)
        if (links.contains(network.link) && network.mtu != 0)
            least = least == 0 ? network.mtu : std::min(least, network.mtu);
    return least;
}

} // namespace routelet::controller
