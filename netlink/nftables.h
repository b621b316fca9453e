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

// nf_tables (linux/netfilter/nf_tables.h), as far as our tables need it: a table as one value, which can be
// written, compared with the kernel's, and removed. All functions with a Socket want one of
// Socket::open_netfilter().

// One step of a rule. They work on registers of 4 bytes, counted from 0; what is longer, and what is looked
// up as a concatenation, takes the following ones, too. A comparison or look-up that fails ends the rule.
namespace nft {
struct LoadMeta {
    std::uint32_t key = 0; // NFT_META_MARK, NFT_META_NFPROTO ...
    unsigned into = 0;
};
struct SetMeta {
    std::uint32_t key = 0; // NFT_META_MARK
};
struct LoadHeader {
    std::uint32_t base = 0;   // NFT_PAYLOAD_NETWORK_HEADER, NFT_PAYLOAD_TRANSPORT_HEADER
    std::uint32_t offset = 0; // bytes
    std::uint32_t length = 0; // bytes
    unsigned into = 0;
};
struct LoadDestinationType {}; // fib daddr type: RTN_LOCAL ...
// fib saddr . iif oif: the link by which packets to the source would go, if it is the one that this came by;
// else 0.
struct LoadWayBack {};
struct Mask {
    std::vector<std::uint8_t> bits;
    std::vector<std::uint8_t> flipped{}; // as long as bits; empty: none
};
struct Equals {
    std::vector<std::uint8_t> value;
    bool negated = false;
};
struct IsInSet {
    std::string set;
    bool negated = false;
};
struct LookUp {
    std::string map; // what it holds replaces the key
};
struct Return {};
struct Accept {};
struct Drop {};
struct Count {}; // packets and bytes, for people
struct Jump {
    std::string chain; // a regular one; what comes behind is gone on with when it ends
};
struct GoTo {
    std::string chain; // and nothing comes behind
};
struct MasqueradeFullyRandom {}; // masquerade fully-random: the source port is taken at random
struct DestinationNat {
    IpFamily family = IpFamily::v4; // the address is in register 0
    unsigned port = 0;              // the register with the port
};

// A number as registers have it: in the machine's own byte order.
std::vector<std::uint8_t> number(std::uint32_t value);

using Expression =
    std::variant<LoadMeta, SetMeta, LoadHeader, LoadDestinationType, LoadWayBack, Mask, Equals, IsInSet,
                 LookUp, Return, Accept, Drop, Count, Jump, GoTo, MasqueradeFullyRandom, DestinationNat>;
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

// nft(8)'s numbers for types, by which it shows elements; to the kernel they say nothing.
enum class NftType : std::uint32_t {
    ipv4_addr = 7,
    ipv6_addr = 8,
    inet_proto = 12,
    inet_service = 13,
    ifname = 41
};

struct NftElement {
    std::vector<std::uint8_t> key;
    std::vector<std::uint8_t> value{}; // of a map
    std::string comment{};             // at most 127 bytes are kept; for people

    friend auto operator<=>(const NftElement&, const NftElement&) = default;
};

// A set of single keys, or a map from them to values. Keys and values are one type, or several in a row, each
// filled up to 4 bytes with zeros.
struct NftMap {
    std::string name;
    std::vector<NftType> key;
    std::vector<NftType> value; // empty: a set
    std::vector<NftElement> elements;
};

// A base chain, with policy accept; a regular one, which others jump to, when it has no type.
struct NftChain {
    std::string name;
    std::string type;        // "nat", "filter"
    std::uint32_t hook{};    // NF_INET_POST_ROUTING
    std::int32_t priority{}; // NF_IP_PRI_NAT_SRC
    std::vector<nft::Rule> rules;
};

enum class NftFamily : std::uint8_t { inet = 1, bridge = 7 }; // NFPROTO_INET, NFPROTO_BRIDGE

// What tells a table from others. Of family inet where nothing else is said; the name is somebody else's
// memory.
struct NftTableId {
    std::string_view name;
    NftFamily family = NftFamily::inet;

    NftTableId(const char* table) : name(table) {}
    NftTableId(std::string_view table, NftFamily of) : name(table), family(of) {}
    std::string to_string() const; // "inet routelet"
};

// Chains are in an order in which each comes before those that jump to it.
struct NftTable {
    std::string name;
    NftFamily family = NftFamily::inet;
    std::vector<NftSet> sets{};
    std::vector<NftMap> maps{};
    std::vector<NftChain> chains;

    NftTableId id() const { return {name, family}; }
};

// Each is for Socket::execute_atomically(), alone or with others in front and behind.
//
// Writes the table anew, whatever is there: packets meet the old table or the new one, never none or half of
// one.
std::vector<Request> replace_table(const NftTable& table);
// Changes the elements that differ, and leaves the others alone; empty when none does. Requires: the same
// set.
std::vector<Request> change_set(NftTableId table, const NftSet& from, const NftSet& to);
// The same of a map. Fails, changing nothing, when the kernel's is not as `from` has it: with
// no_such_file_or_directory or file_exists.
std::vector<Request> change_map(NftTableId table, const NftMap& from, const NftMap& to);

// The number of the kernel's rules of now, of all tables together: each change by anybody makes it another.
Result<std::uint32_t> rules_generation(Socket& socket);

// The elements of a set or map of single keys, sorted, without comments. Fails with
// no_such_file_or_directory.
Result<std::vector<NftElement>> list_elements(Socket& socket, NftTableId table, const std::string& map);

// Whether a set of ranges has that address in one. Fails with no_such_file_or_directory.
Result<bool> has_address(Socket& socket, NftTableId table, const std::string& set, const IpAddress& address);

Result<bool> has_table(Socket& socket, NftTableId table);

// What is different in the kernel, in a few words, in whatever way anybody changed it: "the table is
// missing", "rule 2 of chain postrouting is missing". Empty when it is as replace_table() writes it.
// Counters, handles and what later kernels may tell in addition do not count.
Result<std::string> difference_of_table(Socket& socket, const NftTable& wanted);

// True when there was one, and it is gone now; false when there was none, or the kernel has no nf_tables.
Result<bool> remove_table(Socket& socket, NftTableId table);

} // namespace routelet::netlink
