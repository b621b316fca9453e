#include "cni/bridge_ports.h"

#include "base/unique_fd.h"

#include <linux/if_bridge.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

namespace routelet::cni {

std::optional<int> count_bridge_ports(const std::string& bridge)
{
    std::array<int, most_bridge_ports + 1> links{}; // by the port's number; 0 where there is none
    std::array<unsigned long, 4> arguments = {BRCTL_GET_PORT_LIST,
                                              reinterpret_cast<unsigned long>(links.data()), links.size(), 0};
    ifreq request = {};
    if (bridge.size() >= sizeof request.ifr_name)
        return std::nullopt;
    std::ranges::copy(bridge, static_cast<char*>(request.ifr_name));
    request.ifr_data = reinterpret_cast<char*>(arguments.data());
    const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)); // any will do
    if (!socket || ::ioctl(socket.fd(), SIOCDEVPRIVATE, &request) < 0)
        return std::nullopt;
    return static_cast<int>(std::ranges::count_if(links, [](int link) { return link != 0; }));
}

} // namespace routelet::cni
