#include "cni/freed_connections.h"

#include "cni/reservations.h"
#include "cni/resting.h"
#include "netlink/conntrack.h"

namespace routelet::cni {
namespace {

// Errs to the careful side: what cannot be read may be somebody's.
bool is_reserved(const std::filesystem::path& folder, const IpAddress& address)
{
    const auto content = read_unlocked(folder / address.to_string());
    return !content || content->has_value();
}

} // namespace

Result<std::set<IpAddress>> freed_lately(const std::filesystem::path& folder, std::chrono::seconds rest,
                                         std::chrono::system_clock::time_point now)
{
    const auto content = read_unlocked(folder / RestingAddresses::file_name);
    if (!content)
        return content.error();
    std::set<IpAddress> freed = RestingAddresses::parse(content->value_or(""), rest, now).addresses();
    std::erase_if(freed, [&](const IpAddress& address) { return is_reserved(folder, address); });
    return freed;
}

Result<std::size_t> forget_connections_of(const std::set<IpAddress>& addresses,
                                          const std::filesystem::path& folder)
{
    if (addresses.empty() || netlink::count_connections() == 0)
        return std::size_t{0};
    Result<netlink::Socket> netfilter = netlink::Socket::open_netfilter();
    if (!netfilter)
        return netfilter.error();
    const auto end_of = [&](const netlink::Connection& connection) {
        return addresses.contains(connection.original.source) ? connection.original.source
                                                              : connection.reply.source;
    };
    auto found = netlink::list_connections(*netfilter, {}, [&](const netlink::Connection& connection) {
        return addresses.contains(end_of(connection));
    });
    if (!found)
        return found.error();
    std::erase_if(*found, [&](const netlink::Connection& connection) {
        return is_reserved(folder, end_of(connection));
    });
    return netlink::forget_connections(*netfilter, *found);
}

} // namespace routelet::cni
