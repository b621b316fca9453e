#pragma once
#include "base/ip.h"
#include "base/result.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace routelet::netlink {

// The tables of iptables-legacy and ip6tables-legacy, which nftables does not show, as far as they tell what
// becomes of packets that are forwarded (linux/netfilter_ipv4/ip_tables.h, linux/netfilter/x_tables.h).

// The names of links that a rule is for: all of them, one, or those that begin so.
struct LinkPattern {
    std::array<char, 16> name{};
    std::array<char, 16> mask{}; // of the name's bits, those that count
    bool is_inverted = false;

    bool is_any() const noexcept { return mask == std::array<char, 16>{}; }
    bool matches(std::string_view link) const noexcept;

    friend bool operator==(const LinkPattern&, const LinkPattern&) = default;
};

struct LegacyRule {
    // pass: the next rule is asked, as after LOG. drop: REJECT, too. leave: back to the chain before, or the
    // policy. go_to: a jump that does not come back here. other: a target that is not known here.
    enum class Target { pass, accept, drop, leave, jump, go_to, other };

    LinkPattern in{};
    LinkPattern out{};
    bool has_more_conditions = false; // addresses, a protocol, any match but a comment: the next two, too
    bool is_for_known_connections = false; // no packet is taken that begins a connection
    bool is_for_marked = false;            // no packet is taken that has no mark
    Target target = Target::pass;
    std::size_t chain = 0; // of jump and go_to: its place in the table

    friend bool operator==(const LegacyRule&, const LegacyRule&) = default;
};

struct LegacyChain {
    std::string name;
    std::vector<LegacyRule> rules{};

    friend bool operator==(const LegacyChain&, const LegacyChain&) = default;
};

// Invariant of what is read: `forward` and the targets of all jumps are places in `chains`. Jumps may lead in
// a circle, which the kernel does not let them.
struct LegacyTable {
    IpFamily family = IpFamily::v4;
    std::string name; // "filter"
    std::vector<LegacyChain> chains{};
    std::size_t forward = 0; // the place of chain FORWARD
    bool drops = false;      // its policy

    std::string program() const { return family == IpFamily::v4 ? "iptables-legacy" : "ip6tables-legacy"; }
    std::string to_string() const { return "FORWARD of " + program() + "'s table " + name; }

    friend bool operator==(const LegacyTable&, const LegacyTable&) = default;
};

// `info`: a struct ipt_getinfo; `entries`: the table's, as IPT_SO_GET_ENTRIES has them behind its header.
// Fails with bad_message when they are not what they should be, or have no chain FORWARD.
Result<LegacyTable> parse_legacy_table(IpFamily family, std::span<const std::uint8_t> info,
                                       std::span<const std::uint8_t> entries);

// Those of the calling thread's network namespace that have a chain FORWARD, in the order in which packets
// meet them. Needs CAP_NET_ADMIN. Asks only for tables that `net`, which is /proc/net of that namespace,
// lists: for another the kernel would load a module, and make it.
Result<std::vector<LegacyTable>>
list_legacy_tables(IpFamily family, const std::filesystem::path& net = "/proc/thread-self/net");

} // namespace routelet::netlink
