#include "controller/masquerade_table.h"

#include "netlink/nftables_rules.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4.h>

#include <algorithm>
#include <iterator>

namespace routelet::controller {
namespace {

using netlink::NftSet;
namespace nft = netlink::nft;

nft::Rule leave_to_kube_proxy()
{
    // kube-proxy's --iptables-masquerade-bit 14 and nftables mode: it masquerades these packets itself.
    constexpr std::uint32_t mark = 0x4000;
    return {nft::LoadMeta{NFT_META_MARK}, nft::Mask{nft::number(mark)}, nft::Equals{nft::number(mark)},
            nft::Return{}};
}

nft::Rule masquerade(IpFamily family, const std::string& pods, const std::string& exempt)
{
    return nft::joined({nft::is_of(family),
                        {nft::source_address(family), nft::IsInSet{pods}, nft::destination_address(family),
                         nft::IsInSet{.set = exempt, .negated = true}, nft::MasqueradeFullyRandom{}}});
}

NftSet set_of(const std::string& name, IpFamily family, const std::vector<IpRange>& ranges)
{
    NftSet set{.name = name + (family == IpFamily::v4 ? "4" : "6"), .family = family, .ranges = {}};
    for (const IpRange& range : ranges)
        if (range.first.family() == family)
            set.ranges.push_back(range);
    return set;
}

std::vector<NftSet> sets_of(const EgressSets& sets)
{
    return {set_of("pods", IpFamily::v4, sets.pods), set_of("pods", IpFamily::v6, sets.pods),
            set_of("exempt", IpFamily::v4, sets.exempt), set_of("exempt", IpFamily::v6, sets.exempt)};
}

// The ranges that one has and the other has not.
std::size_t count_changes(const NftSet& from, const NftSet& to)
{
    std::vector<IpRange> changed;
    std::ranges::set_symmetric_difference(from.ranges, to.ranges, std::back_inserter(changed));
    return changed.size();
}

} // namespace

netlink::NftTable masquerade_table(const EgressSets& sets)
{
    return {.name = masquerade_table_name,
            .sets = sets_of(sets),
            .chains = {{.name = "postrouting",
                        .type = "nat",
                        .hook = NF_INET_POST_ROUTING,
                        .priority = NF_IP_PRI_NAT_SRC,
                        .rules = {leave_to_kube_proxy(), masquerade(IpFamily::v4, "pods4", "exempt4"),
                                  masquerade(IpFamily::v6, "pods6", "exempt6")}}}};
}

Result<netlink::Socket*> NftMasqueradeTable::socket()
{
    if (!socket_) {
        auto opened = netlink::Socket::open_netfilter();
        if (!opened)
            return opened.error();
        socket_ = std::move(*opened);
    }
    return &*socket_;
}

std::optional<std::uint32_t> NftMasqueradeTable::port() const noexcept
{
    return socket_ ? std::optional(socket_->port()) : std::nullopt;
}

Result<std::string> NftMasqueradeTable::difference(const EgressSets& sets)
{
    const auto open = socket();
    return open ? netlink::difference_of_table(**open, masquerade_table(sets)) : open.error();
}

Result<> NftMasqueradeTable::write(const EgressSets& sets)
{
    const auto open = socket();
    return open ? (*open)->execute_atomically(netlink::replace_table(masquerade_table(sets))) : open.error();
}

Result<std::size_t> NftMasqueradeTable::change(const EgressSets& from, const EgressSets& to)
{
    const auto open = socket();
    if (!open)
        return open.error();
    const std::vector<NftSet> before = sets_of(from);
    const std::vector<NftSet> after = sets_of(to);
    std::vector<netlink::Request> requests;
    std::size_t changes = 0;
    for (std::size_t i = 0; i < before.size(); ++i) {
        auto more = netlink::change_set(masquerade_table_name, before[i], after[i]);
        std::ranges::move(more, std::back_inserter(requests));
        changes += count_changes(before[i], after[i]);
    }
    if (const auto changed = (*open)->execute_atomically(requests); !changed)
        return changed.error();
    return changes;
}

Result<bool> NftMasqueradeTable::remove()
{
    const auto open = socket();
    if (!open && open.error().code == boost::system::errc::protocol_not_supported)
        return false; // no nfnetlink, no table
    return open ? netlink::remove_table(**open, masquerade_table_name) : open.error();
}

} // namespace routelet::controller
