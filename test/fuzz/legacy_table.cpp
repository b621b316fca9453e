// A table of iptables-legacy's as the kernel answers with it: '6' or else, what is known of it, and its
// entries.
#include "netlink/legacy_table.h"
#include "test/fuzz/target.h"

#include <linux/netfilter_ipv4/ip_tables.h>

#include <algorithm>
#include <vector>

namespace {

using namespace routelet;
using namespace routelet::netlink;
using fuzz::require;
using Bytes = std::span<const std::uint8_t>;

bool leads_into(const LegacyTable& table, const LegacyRule& rule)
{
    const bool is_jump = rule.target == LegacyRule::Target::jump || rule.target == LegacyRule::Target::go_to;
    return is_jump ? rule.chain < table.chains.size() : rule.chain == 0;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const Bytes input(data, size);
    if (input.empty())
        return 0;
    const IpFamily family = input[0] == '6' ? IpFamily::v6 : IpFamily::v4;
    const Bytes rest = input.subspan(1);
    const Bytes info = rest.first(std::min(rest.size(), sizeof(ipt_getinfo)));
    // In memory of its own, so that a sanitizer sees every look beyond.
    const std::vector<std::uint8_t> entries(rest.begin() + static_cast<std::ptrdiff_t>(info.size()),
                                            rest.end());
    const auto table = parse_legacy_table(family, info, entries);
    if (!table) {
        require(!table.error().text().empty(), "a failure says why");
        return 0;
    }
    require(table->family == family, "a table is of the family that was asked for");
    require(table->forward < table->chains.size() && table->chains[table->forward].name == "FORWARD",
            "a table has a chain FORWARD");
    std::size_t rules = 0;
    for (const LegacyChain& chain : table->chains) {
        rules += chain.rules.size();
        require(std::ranges::all_of(chain.rules,
                                    [&](const LegacyRule& rule) { return leads_into(*table, rule); }),
                "a jump leads to a chain");
    }
    require(rules * sizeof(ipt_entry) <= entries.size(), "each rule has an entry of its own");
    return 0;
}
