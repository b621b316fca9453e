#include "netlink/base_chain.h"

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
std::optional<BaseChain> parse_names(const std::optional<nfgenmsg>& header, const Attributes& attributes)
{
    const char* const family = header ? name_of(header->nfgen_family) : nullptr;
    if (family == nullptr)
        return std::nullopt;
    BaseChain chain{.family = family, .table = {}, .name = {}};
    if (!attributes.read(NFTA_CHAIN_TABLE, chain.table) || !attributes.read(NFTA_CHAIN_NAME, chain.name))
        return std::nullopt;
    return chain;
}

// Empty for a chain at another hook, or at none.
std::optional<BaseChain> parse_base_chain(std::span<const std::uint8_t> payload, std::uint32_t hook)
{
    const auto attributes = Attributes::parse(after_header(payload, sizeof(nfgenmsg)));
    Attributes place;
    if (!attributes || !attributes->read(NFTA_CHAIN_HOOK, place) || number(place, NFTA_HOOK_HOOKNUM) != hook)
        return std::nullopt;
    std::optional<BaseChain> chain = parse_names(read_header<nfgenmsg>(payload), *attributes);
    if (chain) {
        chain->drops = number(*attributes, NFTA_CHAIN_POLICY) == NF_DROP;
        chain->rules = number(*attributes, NFTA_CHAIN_USE).value_or(0);
    }
    return chain;
}

// Of all families; `take` is called for each chain, `restart` before that if the kernel has to be asked
// again.
Result<> dump_chains(Socket& socket, const std::function<void()>& restart,
                     const std::function<void(std::span<const std::uint8_t>)>& take)
{
    nfgenmsg header{};
    header.version = NFNETLINK_V0;
    Request request(NFNL_SUBSYS_NFTABLES << 8U | NFT_MSG_GETCHAIN, 0, header);
    request.about("listing nftables chains");
    auto dumped = socket.dump(request, restart, [&](const Message& message) { take(message.payload); });
    if (!dumped && dumped.error().code == boost::system::errc::invalid_argument)
        return make_error(boost::system::errc::operation_not_supported, request.what());
    return dumped;
}

} // namespace

Result<std::vector<BaseChain>> list_base_chains(Socket& socket, std::uint32_t hook)
{
    std::vector<BaseChain> chains;
    const auto dumped = dump_chains(
        socket, [&] { chains.clear(); },
        [&](std::span<const std::uint8_t> payload) {
            if (auto chain = parse_base_chain(payload, hook))
                chains.push_back(std::move(*chain));
        });
    if (!dumped)
        return dumped.error();
    return chains;
}

Result<std::vector<std::string>> list_chains(Socket& socket, const IsWantedChain& is_wanted)
{
    std::vector<std::string> chains;
    const auto dumped = dump_chains(
        socket, [&] { chains.clear(); },
        [&](std::span<const std::uint8_t> payload) {
            const auto attributes = Attributes::parse(after_header(payload, sizeof(nfgenmsg)));
            const auto chain =
                attributes ? parse_names(read_header<nfgenmsg>(payload), *attributes) : std::nullopt;
            if (chain && is_wanted(chain->table, chain->name))
                chains.push_back(chain->to_string());
        });
    if (!dumped)
        return dumped.error();
    return chains;
}

} // namespace routelet::netlink
