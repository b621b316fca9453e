#include "netlink/neighbor.h"

#include "netlink/attributes.h"
#include "netlink/collect.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>

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

Result<PinnedMac> parse_pinned(std::span<const std::uint8_t> payload)
{
    const auto header = read_header<ndmsg>(payload);
    const auto attributes = Attributes::parse(after_header(payload, sizeof(ndmsg)));
    if (!header || !attributes)
        return malformed("a neighbour message with a broken attribute");
    PinnedMac pinned{IfIndex{header->ndm_ifindex}, {}};
    const auto mac = attributes->find(NDA_LLADDR);
    const bool is_pinned = (header->ndm_state & NUD_NOARP) != 0 && (header->ndm_flags & NTF_STICKY) != 0;
    if (!is_pinned || !mac || mac->size() != pinned.mac.bytes.size())
        return make_error(boost::system::errc::not_supported, "a neighbour that nobody has pinned");
    std::ranges::copy(*mac, pinned.mac.bytes.begin());
    return pinned;
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

Request pin_mac(const PinnedMac& pinned)
{
    const ndmsg header{.ndm_family = AF_BRIDGE,
                       .ndm_pad1 = 0,
                       .ndm_pad2 = 0,
                       .ndm_ifindex = to_int(pinned.port),
                       .ndm_state = NUD_NOARP,
                       .ndm_flags = NTF_MASTER | NTF_STICKY,
                       .ndm_type = 0};
    Request request(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, header);
    request.put(NDA_LLADDR, std::span<const std::uint8_t>(pinned.mac.bytes));
    return std::move(request.about("pinning MAC address " + pinned.mac.to_string() + " to bridge port " +
                                   std::to_string(to_int(pinned.port))));
}

Result<std::vector<PinnedMac>> list_pinned_macs(Socket& socket)
{
    ndmsg header{};
    header.ndm_family = AF_BRIDGE;
    Request request(RTM_GETNEIGH, 0, header);
    Result<std::vector<PinnedMac>> pinned =
        collect(socket, request.about("listing the MAC addresses that bridges know"), parse_pinned);
    if (pinned)
        std::ranges::sort(*pinned);
    return pinned;
}

} // namespace routelet::netlink
