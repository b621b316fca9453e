#include "netlink/neighbor.h"

#include "netlink/attributes.h"
#include "netlink/collect.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <optional>

namespace routelet::netlink {
namespace {

ndmsg header_of(IfIndex link, const IpAddress& address, std::uint16_t state)
{
    ndmsg header{};
    header.ndm_family = static_cast<std::uint8_t>(address.af());
    header.ndm_ifindex = to_int(link);
    header.ndm_state = state;
    return header;
}

void put_mac(Request& request, const MacAddress& mac)
{
    request.put(NDA_LLADDR, std::span<const std::uint8_t>(mac.bytes));
}

Request neighbor(IfIndex link, const IpAddress& address, const MacAddress& mac, std::uint16_t state)
{
    Request request(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, header_of(link, address, state));
    request.put(NDA_DST, address);
    put_mac(request, mac);
    return std::move(request.about("setting neighbour " + address.to_string()));
}

// As if a packet were on its way to it: what is not known is asked for at once.
Request use_neighbor(IfIndex link, const IpAddress& address)
{
    ndmsg header = header_of(link, address, 0);
    header.ndm_flags = NTF_USE;
    Request request(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, header);
    request.put(NDA_DST, address);
    return request;
}

// Tunnels and InfiniBand have other addresses than these.
std::optional<MacAddress> mac_in(const Attributes& attributes)
{
    const auto bytes = attributes.find(NDA_LLADDR);
    MacAddress mac;
    if (!bytes || bytes->size() != mac.bytes.size())
        return std::nullopt;
    std::ranges::copy(*bytes, mac.bytes.begin());
    return mac;
}

Result<PinnedMac> parse_pinned(std::span<const std::uint8_t> payload)
{
    const auto header = read_header<ndmsg>(payload);
    const auto attributes = Attributes::parse(after_header(payload, sizeof(ndmsg)));
    if (!header || !attributes)
        return malformed("a neighbour message with a broken attribute");
    const auto mac = mac_in(*attributes);
    const bool is_pinned = (header->ndm_state & NUD_NOARP) != 0 && (header->ndm_flags & NTF_STICKY) != 0;
    if (!is_pinned || !mac)
        return make_error(boost::system::errc::not_supported, "a neighbour that nobody has pinned");
    return PinnedMac{IfIndex{header->ndm_ifindex}, *mac};
}

} // namespace

bool Neighbor::is_confirmed() const noexcept
{
    return (state & (NUD_REACHABLE | NUD_PERMANENT | NUD_NOARP)) != 0;
}

bool Neighbor::is_being_asked() const noexcept
{
    return (state & (NUD_INCOMPLETE | NUD_PROBE | NUD_DELAY)) != 0;
}

std::string_view Neighbor::state_name() const noexcept
{
    switch (state) {
    case NUD_NONE:
        return "NONE";
    case NUD_INCOMPLETE:
        return "INCOMPLETE";
    case NUD_REACHABLE:
        return "REACHABLE";
    case NUD_STALE:
        return "STALE";
    case NUD_DELAY:
        return "DELAY";
    case NUD_PROBE:
        return "PROBE";
    case NUD_FAILED:
        return "FAILED";
    case NUD_NOARP:
        return "NOARP";
    case NUD_PERMANENT:
        return "PERMANENT";
    default:
        return "UNKNOWN";
    }
}

Result<Neighbor> parse_neighbor(std::span<const std::uint8_t> payload)
{
    const auto header = read_header<ndmsg>(payload);
    const auto attributes = Attributes::parse(after_header(payload, sizeof(ndmsg)));
    if (!header || !attributes)
        return malformed("a neighbour message with a broken attribute");
    return Neighbor{header->ndm_state, mac_in(*attributes)};
}

Result<std::optional<Neighbor>> find_neighbor(Socket& socket, IfIndex link, const IpAddress& address)
{
    Request request(RTM_GETNEIGH, 0, header_of(link, address, 0));
    request.about("finding neighbour " + address.to_string()).put(NDA_DST, address);
    Result<std::optional<Neighbor>> found = std::nullopt;
    const auto answered = socket.get(request, [&](const Message& message) {
        if (auto neighbor = parse_neighbor(message.payload))
            found = *neighbor;
        else
            found = neighbor.error().within(request.what());
    });
    if (!answered && answered.error().code == boost::system::errc::no_such_file_or_directory)
        return std::nullopt;
    if (!answered)
        return answered.error();
    return found;
}

// The kernel leaves one that it has believed in lately alone when a packet is sent; it has to be told to
// doubt.
Result<> ask_neighbor(Socket& socket, IfIndex link, const IpAddress& address)
{
    const auto known = find_neighbor(socket, link, address);
    if (!known)
        return known.error();
    const bool has_mac = known->has_value() && (*known)->mac;
    if (has_mac && ((*known)->state & (NUD_PERMANENT | NUD_NOARP)) != 0)
        return {};
    Request request =
        has_mac ? neighbor(link, address, *(*known)->mac, NUD_PROBE) : use_neighbor(link, address);
    return socket.execute(request.about("asking neighbour " + address.to_string()));
}

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
    ndmsg header{};
    header.ndm_family = AF_BRIDGE;
    header.ndm_ifindex = to_int(pinned.port);
    header.ndm_state = NUD_NOARP;
    header.ndm_flags = NTF_MASTER | NTF_STICKY;
    Request request(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, header);
    put_mac(request, pinned.mac);
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
