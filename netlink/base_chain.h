#pragma once
#include "netlink/socket.h"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace routelet::netlink {

// A chain of anybody's nftables tables that packets meet at a hook (nft(8), "Chains"). iptables-nft keeps its
// chains in such tables; iptables-legacy does not (netlink/legacy_table.h).
struct BaseChain {
    std::string family; // as nft(8) has it: "inet", "ip", "ip6"
    std::string table;
    std::string name;
    bool drops = false;      // its policy: what no rule has judged
    std::uint32_t rules = 0; // how many it has

    std::string to_string() const { return name + " of nftables table " + family + " " + table; }
    friend bool operator==(const BaseChain&, const BaseChain&) = default;
};

// Those at `hook` (NF_INET_FORWARD ...; linux/netfilter.h) of families inet, ip and ip6, by a socket of
// Socket::open_netfilter(). Fails with operation_not_supported where the kernel has no nf_tables.
Result<std::vector<BaseChain>> list_base_chains(Socket& socket, std::uint32_t hook);

// Chains of any kind, of the same families, whose table and name `is_wanted` takes: "FLANNEL-FWD of nftables
// table ip filter". Fails as list_base_chains() does.
using IsWantedChain = std::function<bool(std::string_view table, std::string_view name)>;
Result<std::vector<std::string>> list_chains(Socket& socket, const IsWantedChain& is_wanted);

} // namespace routelet::netlink
