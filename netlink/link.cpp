#include "netlink/link.h"

#include "netlink/attributes.h"
#include "netlink/collect.h"

#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdio>

namespace routelet::netlink {
namespace {

std::optional<std::uint8_t> hex_digit(char c) noexcept
{
    if (c >= '0' && c <= '9')
        return static_cast<std::uint8_t>(c - '0');
    const char lower = static_cast<char>(c | 0x20);
    if (lower >= 'a' && lower <= 'f')
        return static_cast<std::uint8_t>(lower - 'a' + 10);
    return std::nullopt;
}

// What a link is, and what its bridge says of it (IFLA_LINKINFO).
bool read_link_info(const Attributes& attributes, Link& link)
{
    Attributes info;
    Attributes port;
    std::string master_kind;
    if (!attributes.read(IFLA_LINKINFO, info) || !info.read(IFLA_INFO_KIND, link.kind) ||
        !info.read(IFLA_INFO_SLAVE_KIND, master_kind))
        return false;
    if (master_kind != "bridge") // the numbers inside IFLA_INFO_SLAVE_DATA mean something else then
        return true;
    std::uint8_t hairpin = 0;
    std::uint8_t locked = 0;
    std::uint8_t learning = 0;
    if (!info.read(IFLA_INFO_SLAVE_DATA, port) || !port.read(IFLA_BRPORT_MODE, hairpin) ||
        !port.read(IFLA_BRPORT_LOCKED, locked) || !port.read(IFLA_BRPORT_LEARNING, learning))
        return false;
    if (port.has(IFLA_BRPORT_MODE))
        link.hairpin = hairpin != 0;
    link.is_locked = locked != 0 && learning == 0;
    return true;
}

// The settings of one family are an array of 32-bit numbers; older kernels have fewer.
std::uint32_t setting(const Attributes& family, std::uint16_t type, std::size_t position)
{
    const auto settings = family.find(type);
    return settings ? read_header<std::uint32_t>(after_header(*settings, position * sizeof(std::uint32_t)))
                          .value_or(0)
                    : 0;
}

// net.ipv4.conf.<link> and net.ipv6.conf.<link>, as far as the link has these families.
bool read_settings(const Attributes& attributes, Link& link)
{
    Attributes families;
    Attributes ipv4;
    Attributes ipv6;
    if (!attributes.read(IFLA_AF_SPEC, families) || !families.read(AF_INET, ipv4) ||
        !families.read(AF_INET6, ipv6))
        return false;
    link.forwards_ipv4 = setting(ipv4, IFLA_INET_CONF, IPV4_DEVCONF_FORWARDING - 1) != 0;
    link.routes_localnet = setting(ipv4, IFLA_INET_CONF, IPV4_DEVCONF_ROUTE_LOCALNET - 1) != 0;
    link.accepts_router_advertisements = setting(ipv6, IFLA_INET6_CONF, DEVCONF_ACCEPT_RA) != 0;
    link.keeps_ipv6_addresses = setting(ipv6, IFLA_INET6_CONF, DEVCONF_KEEP_ADDR_ON_DOWN) == 1;
    if (ipv6.has(IFLA_INET6_CONF))
        link.disables_ipv6 = setting(ipv6, IFLA_INET6_CONF, DEVCONF_DISABLE_IPV6) != 0;
    return true;
}

// False when it is there and no number.
bool read_peer_netns(const Attributes& attributes, Link& link)
{
    std::uint32_t id = 0;
    if (!attributes.read(IFLA_LINK_NETNSID, id))
        return false;
    if (attributes.has(IFLA_LINK_NETNSID))
        link.peer_netns = NetnsId{static_cast<int>(id)};
    return true;
}

std::optional<MacAddress> mac_in(const Attributes& attributes)
{
    const auto bytes = attributes.find(IFLA_ADDRESS);
    MacAddress mac;
    if (!bytes || bytes->size() != mac.bytes.size()) // tunnels and InfiniBand have others
        return std::nullopt;
    std::ranges::copy(*bytes, mac.bytes.begin());
    return mac;
}

ifinfomsg for_link(IfIndex index, unsigned flags = 0)
{
    return {.ifi_family = AF_UNSPEC,
            .__ifi_pad = 0,
            .ifi_type = 0,
            .ifi_index = to_int(index),
            .ifi_flags = flags,
            .ifi_change = flags};
}

void put_mac(Request& request, const MacAddress& mac)
{
    request.put(IFLA_ADDRESS, std::span<const std::uint8_t>(mac.bytes));
}

void put_mtu(Request& request, std::uint32_t mtu)
{
    if (mtu != 0)
        request.put_u32(IFLA_MTU, mtu);
}

// One queue, each way. A veth uses one anyway, but is made with as many as the machine may have processors,
// which Linux then takes back, waiting until nobody uses them.
void put_one_queue(Request& request)
{
    request.put_u32(IFLA_NUM_TX_QUEUES, 1);
    request.put_u32(IFLA_NUM_RX_QUEUES, 1);
}

std::string named(IfIndex link)
{
    return "link " + std::to_string(to_int(link));
}

// Without a terminating zero, which the kernel would count among the 255 bytes.
void put_alias(Request& request, std::string_view alias)
{
    request.put(IFLA_IFALIAS, std::span(reinterpret_cast<const std::uint8_t*>(alias.data()), alias.size()));
}

// The link that `request` (RTM_GETLINK) names, or none.
Result<std::optional<Link>> find(Socket& socket, Request request)
{
    request.put_u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    Result<std::optional<Link>> found = std::nullopt;
    const auto answered = socket.get(request, [&](const Message& message) {
        if (auto link = parse_link(message.payload))
            found = std::move(*link);
        else
            found = link.error().within(request.what());
    });
    if (!answered && answered.error().code == boost::system::errc::no_such_device)
        return std::nullopt;
    if (!answered)
        return answered.error();
    return found;
}

Result<NamedLink> parse_named_link(std::span<const std::uint8_t> payload)
{
    Result<Link> link = parse_link(payload);
    if (!link)
        return link.error();
    NamedLink named{std::move(*link), {}};
    Attributes names;
    const auto attributes = Attributes::parse(after_header(payload, sizeof(ifinfomsg)));
    if (!attributes || !attributes->read(IFLA_PROP_LIST, names))
        return malformed("a link message with a broken list of names");
    names.for_each([&named](std::uint16_t type, std::span<const std::uint8_t> name) {
        const auto end = std::ranges::find(name, 0);
        if (type == IFLA_ALT_IFNAME)
            named.further_names.emplace_back(name.begin(), end);
    });
    return named;
}

// A setting of net.ipv4.conf.<link>.
void switch_on(Request& request, std::uint16_t setting)
{
    request.nest(IFLA_AF_SPEC, [&] {
        request.nest(AF_INET, [&] { request.nest(IFLA_INET_CONF, [&] { request.put_u32(setting, 1); }); });
    });
}

} // namespace

Result<MacAddress> MacAddress::parse(std::string_view text)
{
    const Error not_a_mac = make_error(boost::system::errc::invalid_argument,
                                       "\"" + std::string(text) + "\" is not an Ethernet address");
    MacAddress mac;
    if (text.size() != mac.bytes.size() * 3 - 1)
        return not_a_mac;
    for (std::size_t i = 0; i < mac.bytes.size(); ++i) {
        const auto high = hex_digit(text[i * 3]);
        const auto low = hex_digit(text[i * 3 + 1]);
        const bool last = i + 1 == mac.bytes.size();
        if (!high || !low || (!last && text[i * 3 + 2] != ':'))
            return not_a_mac;
        mac.bytes[i] = static_cast<std::uint8_t>(*high * 16 + *low);
    }
    return mac;
}

std::string MacAddress::to_string() const
{
    std::array<char, 18> text{};
    (void)std::snprintf(text.data(), text.size(), "%02x:%02x:%02x:%02x:%02x:%02x", bytes[0], bytes[1],
                        bytes[2], bytes[3], bytes[4], bytes[5]); // always 17 characters
    return text.data();
}

bool Link::is_up() const noexcept
{
    return (flags & IFF_UP) != 0;
}

bool Link::has_carrier() const noexcept
{
    return (flags & IFF_LOWER_UP) != 0;
}

bool Link::is_loopback() const noexcept
{
    return (flags & IFF_LOOPBACK) != 0;
}

Result<Link> parse_link(std::span<const std::uint8_t> payload)
{
    const auto header = read_header<ifinfomsg>(payload);
    if (!header || header->ifi_index <= 0)
        return malformed("a link message without a link");
    // Bridges tell about their ports in messages of their own: RTM_DELLINK there means "left the bridge".
    if (header->ifi_family != AF_UNSPEC)
        return make_error(boost::system::errc::not_supported, "a link message of one protocol only");
    const auto attributes = Attributes::parse(after_header(payload, sizeof *header));
    if (!attributes)
        return malformed("a link message with a broken attribute");

    Link link;
    link.index = IfIndex{header->ifi_index};
    link.mac = mac_in(*attributes);
    link.flags = header->ifi_flags;
    const bool well_formed =
        attributes->read(IFLA_IFNAME, link.name) && attributes->read(IFLA_IFALIAS, link.alias) &&
        attributes->read(IFLA_MTU, link.mtu) && attributes->read(IFLA_MASTER, link.master) &&
        attributes->read(IFLA_GROUP, link.group) && attributes->read(IFLA_LINK, link.peer) &&
        read_peer_netns(*attributes, link) && read_link_info(*attributes, link) &&
        read_settings(*attributes, link);
    if (!well_formed || link.name.empty())
        return malformed("a link message with an attribute of a wrong size, or no name");
    return link;
}

Result<std::vector<Link>> list_links(Socket& socket)
{
    Request request(RTM_GETLINK, 0, ifinfomsg{});
    request.put_u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    return collect(socket, request.about("listing links"), parse_link);
}

Result<std::optional<Link>> find_link(Socket& socket, std::string_view name)
{
    if (name.empty() || name.size() >= IFNAMSIZ)
        return std::nullopt; // no link can have that name
    Request request(RTM_GETLINK, 0, ifinfomsg{});
    request.about("finding link " + std::string(name)).put(IFLA_IFNAME, name);
    return find(socket, std::move(request));
}

Result<std::optional<Link>> find_link(Socket& socket, IfIndex index)
{
    if (to_int(index) <= 0)
        return std::nullopt;
    Request request(RTM_GETLINK, 0, for_link(index));
    return find(socket, std::move(request.about("finding " + named(index))));
}

Result<std::optional<Link>> find_link_by_alternative_name(Socket& socket, std::string_view name)
{
    Request request(RTM_GETLINK, 0, ifinfomsg{});
    request.about("finding link " + std::string(name)).put(IFLA_ALT_IFNAME, name);
    Result<std::optional<Link>> found = find(socket, std::move(request));
    // An old kernel does not see that the request has a name.
    if (!found && found.error().code == boost::system::errc::invalid_argument)
        return std::nullopt;
    return found;
}

Result<std::vector<NamedLink>> list_named_links(Socket& socket)
{
    Request request(RTM_GETLINK, 0, ifinfomsg{});
    request.put_u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    return collect(socket, request.about("listing links"), parse_named_link);
}

Request make_bridge(const NewBridge& bridge)
{
    Request link(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, for_link(IfIndex{}, IFF_UP));
    link.put(IFLA_IFNAME, bridge.name);
    put_mac(link, bridge.mac);
    put_mtu(link, bridge.mtu);
    link.nest(IFLA_LINKINFO, [&] {
        link.put(IFLA_INFO_KIND, "bridge");
        link.nest(IFLA_INFO_DATA, [&] { link.put_u8(IFLA_BR_MCAST_SNOOPING, 0); });
    });
    return std::move(link.about("making bridge " + bridge.name));
}

Request make_veth(const NewVeth& veth)
{
    Request link(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, for_link(IfIndex{}, IFF_UP));
    link.put(IFLA_IFNAME, veth.host_name);
    put_mac(link, veth.host_mac);
    put_mtu(link, veth.mtu);
    put_one_queue(link);
    if (veth.bridge != IfIndex{})
        link.put(IFLA_MASTER, veth.bridge);
    if (veth.group != 0)
        link.put_u32(IFLA_GROUP, veth.group);
    link.nest(IFLA_LINKINFO, [&] {
        link.put(IFLA_INFO_KIND, "veth");
        link.nest(IFLA_INFO_DATA, [&] {
            link.nest(VETH_INFO_PEER, [&] {
                link.put_header(ifinfomsg{});
                link.put(IFLA_IFNAME, veth.pod_name);
                put_mac(link, veth.pod_mac);
                put_mtu(link, veth.mtu);
                put_one_queue(link);
                link.put_u32(IFLA_NET_NS_FD, static_cast<std::uint32_t>(veth.pod_netns_fd));
            });
        });
    });
    return std::move(link.about("making veth pair " + veth.host_name + " and " + veth.pod_name));
}

Request set_port_up(const PortSettings& settings)
{
    // RTM_NEWLINK, without NLM_F_CREATE: RTM_SETLINK ignores IFLA_INFO_SLAVE_DATA.
    Request link(RTM_NEWLINK, 0, for_link(settings.port, IFF_UP));
    put_alias(link, settings.alias);
    link.nest(IFLA_LINKINFO, [&] {
        link.put(IFLA_INFO_SLAVE_KIND, "bridge");
        link.nest(IFLA_INFO_SLAVE_DATA, [&] { link.put_u8(IFLA_BRPORT_MODE, settings.hairpin ? 1 : 0); });
    });
    return std::move(link.about("setting up bridge port " + std::to_string(to_int(settings.port))));
}

Request lock_port(IfIndex port)
{
    Request link(RTM_NEWLINK, 0, for_link(port));
    link.nest(IFLA_LINKINFO, [&] {
        link.put(IFLA_INFO_SLAVE_KIND, "bridge");
        link.nest(IFLA_INFO_SLAVE_DATA, [&] {
            link.put_u8(IFLA_BRPORT_LEARNING, 0);
            link.put_u8(IFLA_BRPORT_LOCKED, 1);
        });
    });
    return std::move(link.about("locking bridge port " + std::to_string(to_int(port))));
}

Request set_alias(IfIndex link, std::string_view alias)
{
    Request request(RTM_SETLINK, 0, for_link(link));
    put_alias(request, alias);
    return std::move(request.about("giving " + named(link) + " the alias " + std::string(alias)));
}

Request add_alternative_name(IfIndex link, std::string_view name)
{
    Request request(RTM_NEWLINKPROP, NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND, for_link(link));
    request.nest(IFLA_PROP_LIST, [&] { request.put(IFLA_ALT_IFNAME, name); });
    return std::move(request.about("giving " + named(link) + " the name " + std::string(name)));
}

Request set_link_up(IfIndex link)
{
    Request request(RTM_SETLINK, 0, for_link(link, IFF_UP));
    return std::move(request.about("setting " + named(link) + " up"));
}

Request set_master(IfIndex link, IfIndex bridge)
{
    Request request(RTM_SETLINK, 0, for_link(link));
    request.put(IFLA_MASTER, bridge);
    return std::move(request.about("making " + named(link) + " a port of " + named(bridge)));
}

Request delete_link(std::string_view name)
{
    Request request(RTM_DELLINK, 0, ifinfomsg{});
    request.put(IFLA_IFNAME, name);
    return std::move(request.about("deleting link " + std::string(name)));
}

Request delete_link(IfIndex link)
{
    Request request(RTM_DELLINK, 0, for_link(link));
    return std::move(request.about("deleting " + named(link)));
}

Request enable_ipv4_forwarding(IfIndex link)
{
    Request request(RTM_SETLINK, 0, for_link(link));
    switch_on(request, IPV4_DEVCONF_FORWARDING);
    return std::move(request.about("enabling IPv4 forwarding on " + named(link)));
}

Request route_localnet(IfIndex link)
{
    Request request(RTM_SETLINK, 0, for_link(link));
    switch_on(request, IPV4_DEVCONF_ROUTE_LOCALNET);
    return std::move(request.about("setting route_localnet of " + named(link)));
}

} // namespace routelet::netlink
