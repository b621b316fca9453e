#include "cni/spoof_check_table.h"

#include "netlink/nftables_rules.h"

#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_bridge.h>
#include <linux/netfilter_ipv4.h>

#include <algorithm>
#include <array>
#include <iterator>

namespace routelet::cni {
namespace {

namespace nft = netlink::nft;
using netlink::NftElement;
using netlink::NftMap;
using netlink::NftType;
using Bytes = std::vector<std::uint8_t>;

constexpr std::uint8_t icmpv6 = 58; // RFC 8200 section 4; glibc's and Linux's headers that name it clash
// Neighbour discovery (RFC 4861 section 4).
constexpr std::uint8_t router_advertisement = 134;
constexpr std::uint8_t neighbor_advertisement = 136;
constexpr std::uint8_t redirect = 137;

std::vector<NftMap> sets_of(const PodSources& sources)
{
    return {{.name = pod_source_set(IpFamily::v4),
             .key = {NftType::ifname, NftType::ipv4_addr},
             .value = {},
             .elements = sources.ipv4},
            {.name = pod_source_set(IpFamily::v6),
             .key = {NftType::ifname, NftType::ipv6_addr},
             .value = {},
             .elements = sources.ipv6}};
}

nft::Rule refuse()
{
    return {nft::GoTo{"refused"}};
}

nft::Rule is_from_group(std::uint32_t group)
{
    return {nft::LoadMeta{NFT_META_IIFGROUP}, nft::Equals{nft::number(group)}};
}

nft::Rule is_protocol(std::uint16_t ether_type)
{
    return {nft::LoadMeta{NFT_META_PROTOCOL}, nft::Equals{{static_cast<std::uint8_t>(ether_type >> 8U),
                                                           static_cast<std::uint8_t>(ether_type)}}};
}

// The address that `load` finds in the packet is the port's own, or is not.
nft::Rule is_of_port(IpFamily family, nft::LoadHeader load, bool negated)
{
    load.into = nft::registers_of_name;
    return {nft::LoadMeta{NFT_META_IIFNAME}, load, nft::IsInSet{pod_source_set(family), negated}};
}

nft::Rule is_icmpv6()
{
    return {nft::LoadMeta{NFT_META_L4PROTO}, nft::Equals{{icmpv6}}};
}

nft::Rule is_icmpv6(std::uint8_t type)
{
    return nft::joined(
        {is_icmpv6(), {nft::LoadHeader{NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1}, nft::Equals{{type}}}});
}

// Asking whether somebody has an address takes the unspecified one for the sender's (RFC 5227 section 1.1).
std::vector<nft::Rule> rules_for_arp()
{
    const nft::LoadHeader sender{NFT_PAYLOAD_NETWORK_HEADER, 14, 4}; // RFC 826, for Ethernet and IPv4
    return {{sender, nft::Equals{{0, 0, 0, 0}}, nft::Accept{}},
            nft::joined({is_of_port(IpFamily::v4, sender, true), refuse()})};
}

// The same in IPv6 (RFC 4862 section 5.4), and multicast listeners' reports before there is an address (RFC
// 3590). An advertisement of somebody else's address would take its packets, whoever it comes from.
std::vector<nft::Rule> rules_for_ipv6()
{
    const nft::LoadHeader target{NFT_PAYLOAD_TRANSPORT_HEADER, 8, 16};
    const nft::LoadHeader source = nft::source_address(IpFamily::v6);
    return {
        nft::joined({is_icmpv6(router_advertisement), refuse()}),
        nft::joined({is_icmpv6(redirect), refuse()}),
        nft::joined({is_icmpv6(neighbor_advertisement), is_of_port(IpFamily::v6, target, true), refuse()}),
        nft::joined({{source, nft::Equals{Bytes(source.length)}}, is_icmpv6(), {nft::Accept{}}}),
        nft::joined({is_of_port(IpFamily::v6, source, true), refuse()})};
}

netlink::NftChain base_chain(std::int32_t priority, std::vector<nft::Rule> rules)
{
    return {.name = "prerouting",
            .type = "filter",
            .hook = NF_INET_PRE_ROUTING, // the same number on a bridge: NF_BR_PRE_ROUTING
            .priority = priority,
            .rules = std::move(rules)};
}

void add_sorted(std::vector<NftElement>& elements, NftElement element)
{
    const auto at = std::ranges::lower_bound(elements, element);
    if (at == elements.end() || *at != element)
        elements.insert(at, std::move(element));
}

} // namespace

const char* pod_source_set(IpFamily family)
{
    return family == IpFamily::v4 ? "addresses4" : "addresses6";
}

void PodSources::add(const std::string& link, const IpAddress& address)
{
    NftElement element{.key = nft::interface_name(link)};
    nft::append_part(element.key, address.bytes());
    add_sorted(address.family() == IpFamily::v4 ? ipv4 : ipv6, std::move(element));
}

std::string link_in(const NftElement& element)
{
    const auto end = std::find(element.key.begin(), element.key.end(), 0);
    return {element.key.begin(), end};
}

netlink::NftTable spoof_check_table(const PodSources& sources)
{
    const auto for_protocol = [](std::uint16_t ether_type, const char* chain) {
        return nft::joined({is_protocol(ether_type), {nft::GoTo{chain}}});
    };
    return {.name = spoof_check_table_name,
            .family = netlink::NftFamily::bridge,
            .maps = sets_of(sources),
            .chains = {{.name = "refused", .type = "", .rules = {{nft::Count{}, nft::Drop{}}}},
                       {.name = "from-arp", .type = "", .rules = rules_for_arp()},
                       {.name = "from-ipv4",
                        .type = "",
                        .rules = {nft::joined(
                            {is_of_port(IpFamily::v4, nft::source_address(IpFamily::v4), true), refuse()})}},
                       {.name = "from-ipv6", .type = "", .rules = rules_for_ipv6()},
                       {.name = "from-pods",
                        .type = "",
                        .rules = {for_protocol(ETH_P_ARP, "from-arp"), for_protocol(ETH_P_IP, "from-ipv4"),
                                  for_protocol(ETH_P_IPV6, "from-ipv6"), refuse()}},
                       base_chain(NF_BR_PRI_FILTER_BRIDGED, {nft::joined({is_from_group(checked_port_group),
                                                                          {nft::GoTo{"from-pods"}}})})}};
}

netlink::NftTable routed_spoof_check_table()
{
    return {
        .name = spoof_check_table_name,
        .chains = {base_chain(NF_IP_PRI_RAW, {nft::joined({is_from_group(checked_route_group),
                                                           {nft::LoadWayBack{}, nft::Equals{nft::number(0)},
                                                            nft::Count{}, nft::Drop{}}})})}};
}

std::vector<netlink::Request> change_spoof_check_table(const PodSources& from, const PodSources& to)
{
    const std::vector<NftMap> before = sets_of(from);
    const std::vector<NftMap> after = sets_of(to);
    std::vector<netlink::Request> requests;
    for (std::size_t i = 0; i < after.size(); ++i)
        std::ranges::move(
            netlink::change_map({spoof_check_table_name, netlink::NftFamily::bridge}, before[i], after[i]),
            std::back_inserter(requests));
    return requests;
}

IpAddress link_local_of(const netlink::MacAddress& mac)
{
    constexpr std::uint8_t universal = 0x02; // the bit is the other way round there
    const auto& m = mac.bytes;
    const std::array<std::uint8_t, 16> bytes = {
        0xfe, 0x80, 0,    0,    0,    0,    0,   0, static_cast<std::uint8_t>(m[0] ^ universal),
        m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]};
    return *IpAddress::from_bytes(bytes); // 16 bytes are one
}

std::optional<netlink::MacAddress> mac_in(const IpAddress& link_local)
{
    if (link_local.family() != IpFamily::v6)
        return std::nullopt;
    const auto b = link_local.bytes();
    const netlink::MacAddress mac{
        {static_cast<std::uint8_t>(b[8] ^ 0x02U), b[9], b[10], b[13], b[14], b[15]}};
    return link_local_of(mac) == link_local ? std::optional(mac) : std::nullopt;
}

} // namespace routelet::cni
