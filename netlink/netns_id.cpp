#include "netlink/netns_id.h"

#include "netlink/attributes.h"
#include "netlink/collect.h"

#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>

namespace routelet::netlink {
namespace {

// The payload of RTM_NEWNSID.
Result<NetnsId> parse_netns_id(std::span<const std::uint8_t> payload)
{
    const auto attributes = Attributes::parse(after_header(payload, sizeof(rtgenmsg)));
    std::uint32_t id = 0;
    if (!attributes || !attributes->has(NETNSA_NSID) || !attributes->read(NETNSA_NSID, id))
        return malformed("a network namespace's id that is none");
    return NetnsId{static_cast<int>(id)};
}

} // namespace

Result<std::vector<NetnsId>> list_netns_ids(Socket& socket)
{
    Request request(RTM_GETNSID, 0, rtgenmsg{});
    return collect(socket, request.about("listing the ids of network namespaces"), parse_netns_id);
}

} // namespace routelet::netlink
