#include "cni/living.h"

#include "cni/attachment.h"

namespace routelet::cni {
namespace {

constexpr std::string_view prefix = "pod-";

// Of an alias as host_interface_alias() makes it: "<container>/<interface>".
std::optional<AttachmentId> attachment_of(const std::string& alias)
{
    const std::size_t slash = alias.rfind('/');
    if (slash == std::string::npos)
        return std::nullopt;
    AttachmentId id{alias.substr(0, slash), alias.substr(slash + 1)};
    if (!is_container_id(id.container) || !is_interface_name(id.interface))
        return std::nullopt;
    return id;
}

} // namespace

std::string living_name(const IpAddress& address)
{
    return std::string(prefix) + address.to_string();
}

std::optional<IpAddress> address_in(std::string_view living_name)
{
    if (!living_name.starts_with(prefix))
        return std::nullopt;
    const Result<IpAddress> address = IpAddress::parse(living_name.substr(prefix.size()));
    return address ? std::optional(*address) : std::nullopt;
}

bool is_host_end(const netlink::Link& link)
{
    const std::optional<AttachmentId> id = attachment_of(link.alias);
    return id && link.name == host_interface_name(*id);
}

LivingLookup living_on(netlink::Socket& host, netlink::IfIndex bridge)
{
    return [&host, bridge](const IpAddress& address) -> Result<std::optional<LivingPod>> {
        const auto link = netlink::find_link_by_alternative_name(host, living_name(address));
        if (!link)
            return link.error();
        if (!link->has_value())
            return std::optional<LivingPod>{};
        if ((*link)->kind != "veth" || (*link)->master != bridge)
            return std::optional(LivingPod{});
        return std::optional(LivingPod{attachment_of((*link)->alias)});
    };
}

} // namespace routelet::cni
