#include "cni/host_port_table.h"

#include "netlink/nftables_rules.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <iterator>

namespace routelet::cni {
namespace {

namespace nft = netlink::nft;
using netlink::NftChain;
using netlink::NftElement;
using netlink::NftMap;
using netlink::NftType;
using Bytes = std::vector<std::uint8_t>;

constexpr std::uint32_t mark = 0x2000; // portmap's default, "markMasqBit": 13
constexpr std::int32_t behind_kube_proxy = NF_IP_PRI_NAT_DST + 1;

// What the tables' parts are called for a family.
struct Family {
    IpFamily family;
    const char* suffix;
    NftType address;
};
constexpr Family ipv4{IpFamily::v4, "4", NftType::ipv4_addr};
constexpr Family ipv6{IpFamily::v6, "6", NftType::ipv6_addr};

void append_port(Bytes& bytes, std::uint16_t port)
{
    const std::array<std::uint8_t, 2> in_network_order = {static_cast<std::uint8_t>(port >> 8U),
                                                          static_cast<std::uint8_t>(port)};
    nft::append_part(bytes, in_network_order);
}

NftElement element_of(const HostPortRecord& record, const HostPort& port)
{
    NftElement element;
    if (!port.host.is_unspecified())
        nft::append_part(element.key, port.host.bytes());
    nft::append_part(element.key, std::array{port.protocol});
    append_port(element.key, port.host_port);
    nft::append_part(element.value, port.pod.bytes());
    append_port(element.value, port.pod_port);
    element.comment = record.pod.empty() ? record.id.container : record.pod;
    return element;
}

void add_unless_taken(std::vector<NftElement>& elements, NftElement element)
{
    if (std::ranges::find(elements, element.key, &NftElement::key) == elements.end())
        elements.push_back(std::move(element));
}

// "all4": whose key is protocol and port; "some4": before them the node's address.
NftMap map_of(const Family& family, bool is_of_all, const std::vector<HostPortRecord>& records)
{
    NftMap map{.name = std::string(is_of_all ? "all" : "some") + family.suffix,
               .key = {NftType::inet_proto, NftType::inet_service},
               .value = {family.address, NftType::inet_service},
               .elements = {}};
    if (!is_of_all)
        map.key.insert(map.key.begin(), family.address);
    for (const HostPortRecord& record : records)
        for (const HostPort& port : record.ports)
            if (port.host.family() == family.family && port.host.is_unspecified() == is_of_all)
                add_unless_taken(map.elements, element_of(record, port));
    return map;
}

NftMap links_of(const std::vector<HostPortRecord>& records)
{
    NftMap links{.name = "links", .key = {NftType::ifname}, .value = {}, .elements = {}};
    for (const HostPortRecord& record : records)
        add_unless_taken(links.elements, {.key = nft::interface_name(record.link)});
    return links;
}

nft::Rule to_the_node()
{
    return {nft::LoadDestinationType{}, nft::Equals{nft::number(RTN_LOCAL)}};
}

nft::Rule from_a_link()
{
    return {nft::LoadMeta{NFT_META_IIFNAME}, nft::IsInSet{"links"}};
}

nft::Rule is_ipv4_loopback(nft::LoadHeader address)
{
    address.length = 1; // of 127.0.0.0/8
    return nft::joined({nft::is_of(IpFamily::v4), {address, nft::Equals{{127}}}});
}

nft::Rule is_ipv6_loopback(const nft::LoadHeader& address)
{
    const auto loopback = IpAddress::parse("::1");
    return nft::joined({nft::is_of(IpFamily::v6),
                        {address, nft::Equals{Bytes(loopback->bytes().begin(), loopback->bytes().end())}}});
}

nft::Rule change_mark(bool is_set)
{
    return {nft::LoadMeta{NFT_META_MARK}, nft::Mask{nft::number(~mark), is_set ? nft::number(mark) : Bytes{}},
            nft::SetMeta{NFT_META_MARK}};
}

// dnat ip to ip daddr . meta l4proto . th dport map @some4
nft::Rule lead_to_pod(const Family& family, bool is_of_all)
{
    constexpr std::uint32_t port_at = 2; // bytes; TCP, UDP and SCTP alike
    constexpr std::uint32_t port_size = 2;
    const unsigned address_registers = nft::registers_of(family.family);
    unsigned next = 0; // register of the key
    nft::Rule rule = nft::is_of(family.family);
    if (!is_of_all) {
        rule.push_back(nft::destination_address(family.family));
        next = address_registers;
    }
    rule.push_back(nft::LoadMeta{NFT_META_L4PROTO, next});
    rule.push_back(nft::LoadHeader{NFT_PAYLOAD_TRANSPORT_HEADER, port_at, port_size, next + 1});
    rule.push_back(nft::LookUp{std::string(is_of_all ? "all" : "some") + family.suffix});
    rule.push_back(nft::DestinationNat{family.family, address_registers});
    return rule;
}

std::vector<NftChain> chains()
{
    const nft::Rule is_marked = {nft::LoadMeta{NFT_META_MARK}, nft::Mask{nft::number(mark)},
                                 nft::Equals{nft::number(mark)}};
    const nft::Rule leaves_the_node = {nft::LoadMeta{NFT_META_OIFNAME},
                                       nft::Equals{nft::interface_name("lo"), true}};
    const nft::Rule masquerade = {nft::MasqueradeFullyRandom{}};
    return {
        {.name = "ports",
         .type = "",
         .rules = {lead_to_pod(ipv4, false), lead_to_pod(ipv4, true), lead_to_pod(ipv6, false),
                   lead_to_pod(ipv6, true)}},
        {.name = "from-links", // the mark stays only on what has been led to a pod
         .type = "",
         .rules = {change_mark(true), {nft::Jump{"ports"}}, change_mark(false)}},
        {.name = "prerouting",
         .type = "nat",
         .hook = NF_INET_PRE_ROUTING,
         .priority = behind_kube_proxy,
         .rules = {nft::joined({to_the_node(), from_a_link(), {nft::GoTo{"from-links"}}}),
                   nft::joined({to_the_node(), {nft::Jump{"ports"}}})}},
        {.name = "output",
         .type = "nat",
         .hook = NF_INET_LOCAL_OUT,
         .priority = behind_kube_proxy,
         .rules = {nft::joined({is_ipv6_loopback(nft::destination_address(IpFamily::v6)), {nft::Return{}}}),
                   nft::joined({to_the_node(), {nft::Jump{"ports"}}})}},
        {.name = "postrouting",
         .type = "nat",
         .hook = NF_INET_POST_ROUTING,
         .priority = NF_IP_PRI_NAT_SRC,
         .rules = {nft::joined({is_marked, masquerade}),
                   nft::joined(
                       {is_ipv4_loopback(nft::source_address(IpFamily::v4)), leaves_the_node, masquerade})}},
        {.name = "guard",
         .type = "filter",
         .hook = NF_INET_PRE_ROUTING,
         .priority = NF_IP_PRI_RAW,
         .rules = {
             nft::joined(
                 {from_a_link(), is_ipv4_loopback(nft::destination_address(IpFamily::v4)), {nft::Drop{}}}),
             nft::joined(
                 {from_a_link(), is_ipv4_loopback(nft::source_address(IpFamily::v4)), {nft::Drop{}}})}}};
}

std::vector<NftMap> maps_of(const std::vector<HostPortRecord>& records)
{
    return {map_of(ipv4, true, records), map_of(ipv4, false, records), map_of(ipv6, true, records),
            map_of(ipv6, false, records), links_of(records)};
}

} // namespace

netlink::NftTable host_port_table(const std::vector<HostPortRecord>& records)
{
    return {.name = host_port_table_name, .sets = {}, .maps = maps_of(records), .chains = chains()};
}

std::vector<netlink::Request> change_host_port_table(const std::vector<HostPortRecord>& from,
                                                     const std::vector<HostPortRecord>& to)
{
    const std::vector<NftMap> before = maps_of(from);
    const std::vector<NftMap> after = maps_of(to);
    std::vector<netlink::Request> requests;
    for (std::size_t i = 0; i < after.size(); ++i) {
        auto more = netlink::change_map(host_port_table_name, before[i], after[i]);
        std::ranges::move(more, std::back_inserter(requests));
    }
    return requests;
}

} // namespace routelet::cni
