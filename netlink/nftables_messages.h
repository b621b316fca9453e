#pragma once
// Private to netlink/: the messages that write a table, which are also what the kernel shows of it.
#include "netlink/nftables.h"

#include <span>
#include <string>
#include <vector>

namespace routelet::netlink::nft {

// An element of a set of intervals is a boundary: an interval is the element that it begins with and the one
// behind its last, which is marked. An interval that reaches the top of the address space has no end.
struct Boundary {
    IpAddress key;
    bool is_end = false;

    friend auto operator<=>(const Boundary&, const Boundary&) = default;
};
std::vector<Boundary> boundaries_of(std::span<const IpRange> ranges);

Request request(NftFamily family, int type, unsigned flags); // NFT_MSG_NEWTABLE ...
Request table_request(int type, unsigned flags, NftTableId table);

Request add_table(NftTableId table);
Request describe_set(NftTableId table, const NftSet& set);
Request describe_set(NftTableId table, const NftMap& map);
Request add_chain(NftTableId table, const NftChain& chain);
Request add_rule(NftTableId table, const std::string& chain, const Rule& rule);

} // namespace routelet::netlink::nft
