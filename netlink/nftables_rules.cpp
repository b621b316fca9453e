#include "netlink/nftables_rules.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <net/if.h>

namespace routelet::netlink::nft {
namespace {

constexpr std::size_t register_size = 4; // bytes

} // namespace

Rule joined(std::initializer_list<Rule> parts)
{
    Rule rule;
    for (const Rule& part : parts)
        rule.insert(rule.end(), part.begin(), part.end());
    return rule;
}

Rule is_of(IpFamily family)
{
    const std::uint8_t number = family == IpFamily::v4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
    return {LoadMeta{NFT_META_NFPROTO}, Equals{{number}}};
}

LoadHeader source_address(IpFamily family, unsigned into)
{
    return family == IpFamily::v4 ? LoadHeader{NFT_PAYLOAD_NETWORK_HEADER, 12, 4, into}
                                  : LoadHeader{NFT_PAYLOAD_NETWORK_HEADER, 8, 16, into};
}

LoadHeader destination_address(IpFamily family, unsigned into)
{
    return family == IpFamily::v4 ? LoadHeader{NFT_PAYLOAD_NETWORK_HEADER, 16, 4, into}
                                  : LoadHeader{NFT_PAYLOAD_NETWORK_HEADER, 24, 16, into};
}

std::vector<std::uint8_t> interface_name(std::string_view name)
{
    std::vector<std::uint8_t> bytes(name.begin(), name.end());
    bytes.resize(IFNAMSIZ);
    return bytes;
}

void append_part(std::vector<std::uint8_t>& concatenation, std::span<const std::uint8_t> part)
{
    concatenation.insert(concatenation.end(), part.begin(), part.end());
    concatenation.resize((concatenation.size() + register_size - 1) / register_size * register_size);
}

unsigned registers_of(IpFamily family)
{
    return family == IpFamily::v4 ? 1 : 4;
}

} // namespace routelet::netlink::nft
