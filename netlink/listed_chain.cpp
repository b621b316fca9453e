#include "netlink/listed_chain.h"

#include "netlink/attributes.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <optional>

namespace routelet::netlink {
namespace {

const char* name_of(std::uint8_t family)
{
    switch (family) {
    case NFPROTO_INET:
        return "inet";
    case NFPROTO_IPV4:
        return "ip";
    case NFPROTO_IPV6:
        return "ip6";
    default:
        return nullptr; // of frames, not of packets
    }
}

std::optional<std::uint32_t> number(const Attributes& attributes, std::uint16_t type)
{
    std::uint32_t value = 0; // in network order
    if (!attributes.has(type) || !attributes.read(type, value))
        return std::nullopt;
    return ntohl(value);
}

// Empty for a chain of other families.
std::optional<ListedChain> parse_chain(std::span<const std::uint8_t> payload)
{
    const auto header = read_header<nfgenmsg>(payload);
    const auto attributes = Attributes::parse(after_header(payload, sizeof(nfgenmsg)));
    const char* const family = header ? name_of(header->nfgen_family) : nullptr;
    if (family == nullptr || !attributes)
        return std::nullopt;
    ListedChain chain{.family = family, .table = {}, .name = {}};
    Attributes place; // stays empty where there is no hook
    if (!attributes->read(NFTA_CHAIN_TABLE, chain.table) || !attributes->read(NFTA_CHAIN_NAME, chain.name) ||
        !attributes->read(NFTA_CHAIN_HOOK, place))
        return std::nullopt;
    chain.drops = number(*attributes, NFTA_CHAIN_POLICY) == NF_DROP;
    chain.rules = number(*attributes, NFTA_CHAIN_USE).value_or(0);
    chain.hook = number(place, NFTA_HOOK_HOOKNUM);
    return chain;
}

} // namespace

Result<std::vector<ListedChain>> list_chains(Socket& socket,
                                             const std::function<bool(const ListedChain&)>& is_wanted)
{
    nfgenmsg header{};
    header.version = NFNETLINK_V0; // of all families
    Request request(NFNL_SUBSYS_NFTABLES << 8U | NFT_MSG_GETCHAIN, 0, header);
    request.about("listing nftables chains");
    std::vector<ListedChain> chains;
    const auto dumped = socket.dump(
        request, [&] { chains.clear(); },
        [&](const Message& message) {
            auto chain = parse_chain(message.payload);
            if (chain && is_wanted(*chain))
                chains.push_back(std::move(*chain));
        });
    if (!dumped && dumped.error().code == boost::system::errc::invalid_argument)
        return make_error(boost::system::errc::operation_not_supported, request.what());
    if (!dumped)
        return dumped.error();
    return chains;
}

} // namespace routelet::netlink
