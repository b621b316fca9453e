#pragma once
#include "base/ip.h"
#include "netlink/nftables.h"

#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <vector>

namespace routelet::netlink::nft {

// What rules of several tables are put together from.

Rule joined(std::initializer_list<Rule> parts);

Rule is_of(IpFamily family); // meta nfproto: in tables of family inet

// A packet's addresses (RFC 791, RFC 8200), into the registers from `into` on.
LoadHeader source_address(IpFamily family, unsigned into = 0);
LoadHeader destination_address(IpFamily family, unsigned into = 0);

// What keys and values are made of: a link's name as NFT_META_IIFNAME gives it; and bytes filled up to whole
// registers, as a concatenation has them.
std::vector<std::uint8_t> interface_name(std::string_view name);
void append_part(std::vector<std::uint8_t>& concatenation, std::span<const std::uint8_t> part);

// How many registers such an address, or a link's name, takes.
unsigned registers_of(IpFamily family);
inline constexpr unsigned registers_of_name = 4;

} // namespace routelet::netlink::nft
