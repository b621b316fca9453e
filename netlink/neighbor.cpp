#include "netlink/neighbor.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

namespace routelet::netlink {

Request set_neighbor(IfIndex link, const IpAddress& address, const MacAddress& mac)
{
    const ndmsg header{.ndm_family = static_cast<std::uint8_t>(address.af()),
                       .ndm_pad1 = 0,
                       .ndm_pad2 = 0,
                       .ndm_ifindex = to_int(link),
                       .ndm_state = NUD_STALE,
                       .ndm_flags = 0,
                       .ndm_type = 0};
    Request request(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, header);
    request.put(NDA_DST, address);
    request.put(NDA_LLADDR, std::span<const std::uint8_t>(mac.bytes));
    return std::move(request.about("setting neighbour " + address.to_string()));
}

} // namespace routelet::netlink
