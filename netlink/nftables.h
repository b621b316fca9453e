#pragma once
#include "base/ip_range.h"
#include "netlink/message.h"
#include "netlink/socket.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace routelet::netlink {

// nf_tables (linux/netfilter/nf_tables.h), as far as a table for address translation needs it: a table of
// family inet as one value, which can be written, compared with the kernel's, and removed. All functions with
// a Socket want one of Socket::open_netfilter().

// One step of a rule; all of them work on the first register. A comparison that fails ends the rule.
namespace nft {
struct LoadMeta {
    std::uint32_t key = 0; // NFT_META_MARK, NFT_META_NFPROTO
};
struct LoadNetworkHeader {
    std::uint32_t offset = 0; // bytes
    std::uint32_t length = 0; // bytes
};
struct Mask {
    std::vector<std::uint8_t> bits;
};
struct Equals {
    std::vector<std::uint8_t> value;
};
struct IsInSet {
    std::string set;
    bool negated = false;
};
struct Return {};
struct MasqueradeFullyRandom {}; // masquerade fully-random: the source port is taken at random

using Expression =
    std::variant<LoadMeta, LoadNetworkHeader, Mask, Equals, IsInSet, Return, MasqueradeFullyRandom>;
using Rule = std::vector<Expression>;
} // namespace nft

// Invariant: the ranges ascend, are of one family, and no two overlap or are adjacent (as merged() makes
// them).
struct NftSet {
    std::string name;
    IpFamily family = IpFamily::v4;
    std::vector<IpRange> ranges;

    friend bool operator==(const NftSet&, const NftSet&) = default;
};

// A base chain, with policy accept.
struct NftChain {
    std::string name;
    std::string type;        // "nat"
    std::uint32_t hook{};    // NF_INET_POST_ROUTING
    std::int32_t priority{}; // NF_IP_PRI_NAT_SRC
    std::vector<nft::Rule> rules;
};

struct NftTable {
    std::string name;
    std::vector<NftSet> sets;
    std::vector<NftChain> chains;
};

// Each is for Socket::execute_atomically(), alone or with others in front and behind.
//
// Writes the table anew, whatever is there: packets meet the old table or the new one, never none or half of
// one.
std::vector<Request> replace_table(const NftTable& table);
// Changes the elements that differ, and leaves the others alone; empty when none does. Requires: the same
// set.
std::vector<Request> change_set(std::string_view table, const NftSet& from, const NftSet& to);

// What is different in the kernel, in a few words, in whatever way anybody changed it: "the table is
// missing", "rule 2 of chain postrouting is missing". Empty when it is as replace_table() writes it.
// Counters, handles and what later kernels may tell in addition do not count.
Result<std::string> difference_of_table(Socket& socket, const NftTable& wanted);

// True when there was one, and it is gone now; false when there was none, or the kernel has no nf_tables.
Result<bool> remove_table(Socket& socket, std::string_view table);

} // namespace routelet::netlink
