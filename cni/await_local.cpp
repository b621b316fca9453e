#include "cni/await_local.h"

#include "netlink/route.h"

#include <linux/rtnetlink.h>

#include <chrono>
#include <thread>

namespace routelet::cni {
namespace {

bool is_local(netlink::Socket& socket, const IpAddress& address)
{
    const Result<netlink::Route> route = netlink::route_to(socket, address);
    return route && route->type == RTN_LOCAL;
}

} // namespace

void await_local(netlink::Socket& socket, const std::vector<IpAddress>& addresses)
{
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(100);
    for (const IpAddress& address : addresses)
        while (address.family() == IpFamily::v6 && !is_local(socket, address) &&
               std::chrono::steady_clock::now() < deadline)
            std::this_thread::sleep_for(std::chrono::microseconds(100));
}

} // namespace routelet::cni
