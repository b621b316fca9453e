#pragma once
#include "netlink/socket.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace routelet::netlink {

// A chain of anybody's nftables tables. iptables-nft keeps its chains in such tables; iptables-legacy does
// not (netlink/legacy_table.h).
struct ListedChain {
    std::string family; // as nft(8) has it: "inet", "ip", "ip6"
    std::string table;
    std::string name;
    bool drops = false;                  // its policy, which is for packets that none of its rules decides
    std::uint32_t rules = 0;             // how many it has
    std::optional<std::uint32_t> hook{}; // where packets meet it (NF_INET_FORWARD); of base chains only

    // "FORWARD of nftables table ip filter"
    std::string to_string() const { return name + " of nftables table " + family + " " + table; }

    friend bool operator==(const ListedChain&, const ListedChain&) = default;
};

// Those of families inet, ip and ip6 that `is_wanted` takes, of all tables, in one dump. The socket is one of
// Socket::open_netfilter(). Fails with operation_not_supported where the kernel has no nf_tables.
Result<std::vector<ListedChain>> list_chains(Socket& socket,
                                             const std::function<bool(const ListedChain&)>& is_wanted);

} // namespace routelet::netlink
