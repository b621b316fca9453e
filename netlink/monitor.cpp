#include "netlink/monitor.h"

#include "netlink/attributes.h"
#include "netlink/datagram.h"

#include <libmnl/libmnl.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

namespace routelet::netlink {
namespace {

constexpr unsigned ipv4_netconf = 1U << (RTNLGRP_IPV4_NETCONF - 1U); // has no RTMGRP_ name
constexpr unsigned groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE |
                            RTMGRP_IPV6_ROUTE | ipv4_netconf;
// Holds some 40,000 route notifications; the default holds 256.
constexpr int receive_buffer = 32 * 1024 * 1024; // bytes
constexpr std::size_t events_at_a_time = 256;

template <class Event, class Object>
void add(std::vector<KernelEvent>& events, Result<Object> parsed, bool removed)
{
    if (parsed)
        events.push_back(Event{std::move(*parsed), removed});
}

void add_route(std::vector<KernelEvent>& events, const nlmsghdr& header,
               std::span<const std::uint8_t> payload)
{
    if (auto route = parse_route(payload))
        events.push_back(
            RouteChanged{std::move(*route), header.nlmsg_type == RTM_DELROUTE, header.nlmsg_pid});
}

void add_forwarding(std::vector<KernelEvent>& events, std::span<const std::uint8_t> payload)
{
    const auto header = read_header<netconfmsg>(payload);
    const auto attributes = Attributes::parse(after_header(payload, sizeof(netconfmsg)));
    IfIndex link{};
    std::uint32_t forwards = 0;
    if (header && header->ncm_family == AF_INET && attributes && attributes->has(NETCONFA_FORWARDING) &&
        attributes->read(NETCONFA_IFINDEX, link) && attributes->read(NETCONFA_FORWARDING, forwards) &&
        to_int(link) > 0) // else: all, or new ones
        events.emplace_back(ForwardingChanged{link, forwards != 0});
}

void add_event(std::vector<KernelEvent>& events, const nlmsghdr& header,
               std::span<const std::uint8_t> payload)
{
    const std::uint16_t type = header.nlmsg_type;
    switch (type) {
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
        return add_route(events, header, payload);
    case RTM_NEWLINK:
    case RTM_DELLINK:
        return add<LinkChanged>(events, parse_link(payload), type == RTM_DELLINK);
    case RTM_NEWADDR:
    case RTM_DELADDR:
        return add<AddressChanged>(events, parse_address(payload), type == RTM_DELADDR);
    case RTM_NEWNETCONF:
        return add_forwarding(events, payload);
    default:
        return;
    }
}

} // namespace

void Monitor::Close::operator()(mnl_socket* socket) const noexcept
{
    (void)mnl_socket_close(socket); // a netlink socket has nothing to flush
}

Result<Monitor> Monitor::open()
{
    Monitor opened(mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (opened.socket_ == nullptr)
        return last_errno("opening an rtnetlink socket for notifications");
    enlarge_receive_buffer(opened.fd(), receive_buffer);
    if (mnl_socket_bind(opened.socket_.get(), groups, MNL_SOCKET_AUTOPID) != 0)
        return last_errno("subscribing to rtnetlink notifications");
    opened.buffer_.resize(datagram_limit);
    return opened;
}

int Monitor::fd() const noexcept
{
    return mnl_socket_get_fd(socket_.get());
}

Result<std::vector<KernelEvent>> Monitor::read()
{
    std::vector<KernelEvent> events;
    const auto done = read_notifications(
        fd(), buffer_, [&] { return events.size() < events_at_a_time; },
        [&](const nlmsghdr& header, std::span<const std::uint8_t> payload) {
            add_event(events, header, payload);
        },
        [&] { events.emplace_back(Overrun{}); });
    if (!done)
        return done.error();
    return events;
}

} // namespace routelet::netlink
