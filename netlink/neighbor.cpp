#include "netlink/neighbor.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

namespace routelet::netlink {
namespace {

Request neighbor(IfIndex link, const IpAddress& address, const MacAddress& mac, std::uint16_t state)
{
    const ndmsg header{.ndm_family = static_cast<std::uint8_t>(address.af()),
                       .ndm_pad1 = 0,
                       .ndm_pad2 = 0,
                       .ndm_ifindex = to_int(link),
                       .ndm_state = state,
                       .ndm_flags = 0,
                       .ndm_type = 0};
    Request request(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, header);
    request.put(NDA_DST, address);
    request.put(NDA_LLADDR, std::span<const std::uint8_t>(mac.bytes));
    return std::move(request.about("setting neighbour " + address.to_string()));
}

} // namespace

Request set_neighbor(IfIndex link, const IpAddress& address, const MacAddress& mac)
{
    return neighbor(link, address, mac, NUD_STALE);
}

Request pin_neighbor(IfIndex link, const IpAddress& address, const MacAddress& mac)
{
    return neighbor(link, address, mac, NUD_PERMANENT);
}

} // namespace routelet::netlink
