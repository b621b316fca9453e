#include "netlink/address.h"

#include "netlink/attributes.h"
#include "netlink/collect.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>

namespace routelet::netlink {
namespace {

Request address_request(std::uint16_t type, std::uint16_t flags, const InterfaceAddress& address)
{
    const ifaddrmsg header{.ifa_family = static_cast<std::uint8_t>(address.address.af()),
                           .ifa_prefixlen = static_cast<std::uint8_t>(address.length),
                           .ifa_flags = 0,
                           .ifa_scope = RT_SCOPE_UNIVERSE,
                           .ifa_index = static_cast<std::uint32_t>(to_int(address.link))};
    Request request(type, flags, header);
    request.put(IFA_LOCAL, address.address);
    request.put(IFA_ADDRESS, address.address);
    return request;
}

std::string text_of(const InterfaceAddress& address)
{
    return "address " + address.address.to_string() + "/" + std::to_string(address.length);
}

Request addresses_of(IfIndex link)
{
    ifaddrmsg header{};
    header.ifa_index = static_cast<std::uint32_t>(to_int(link));
    Request request(RTM_GETADDR, 0, header);
    return std::move(request.about("listing addresses"));
}

} // namespace

Result<InterfaceAddress> parse_address(std::span<const std::uint8_t> payload)
{
    const auto header = read_header<ifaddrmsg>(payload);
    if (!header || (header->ifa_family != AF_INET && header->ifa_family != AF_INET6))
        return malformed("an address message of neither family");
    const auto attributes = Attributes::parse(after_header(payload, sizeof *header));
    if (!attributes)
        return malformed("an address message with a broken attribute");

    std::optional<IpAddress> address;
    std::uint32_t flags = header->ifa_flags;
    std::uint8_t protocol = 0;
    const bool well_formed =
        attributes->read(IFA_ADDRESS, header->ifa_family, address) &&
        attributes->read(IFA_LOCAL, header->ifa_family, address) && // the one that counts
        attributes->read(IFA_FLAGS, flags) && attributes->read(IFA_PROTO, protocol);
    if (!well_formed || !address || header->ifa_prefixlen > address->bits())
        return malformed("an address message with a broken address");
    return InterfaceAddress{.link = IfIndex{static_cast<int>(header->ifa_index)},
                            .address = *address,
                            .length = header->ifa_prefixlen,
                            .flags = flags,
                            .protocol = protocol};
}

Result<std::vector<InterfaceAddress>> list_addresses(Socket& socket)
{
    return collect(socket, addresses_of(IfIndex{}), parse_address);
}

Result<std::vector<InterfaceAddress>> list_addresses(Socket& socket, IfIndex link)
{
    auto addresses = collect(socket, addresses_of(link), parse_address);
    if (addresses) // kernels before 4.20 answer with every link's
        std::erase_if(*addresses, [&](const InterfaceAddress& address) { return address.link != link; });
    return addresses;
}

Request add_address(const InterfaceAddress& address)
{
    const bool v4 = address.address.family() == IpFamily::v4;
    Request request = address_request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, address);
    if (v4 && address.length <= 30) // a /31 has none (RFC 3021)
        request.put(IFA_BROADCAST, address.network().last());
    request.put_u32(IFA_FLAGS, address.flags | (v4 ? 0U : IFA_F_NODAD));
    if (address.protocol != 0)
        request.put_u8(IFA_PROTO, address.protocol);
    return std::move(request.about("adding " + text_of(address)));
}

Request delete_address(const InterfaceAddress& address)
{
    Request request = address_request(RTM_DELADDR, 0, address);
    return std::move(request.about("removing " + text_of(address)));
}

} // namespace routelet::netlink
