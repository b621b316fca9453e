#include "test/bench/rtnetlink.h"

#include "base/result.h"

#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <stdexcept>
#include <string>

namespace routelet::bench {
namespace {

[[noreturn]] void fail(const std::string& what)
{
    throw std::runtime_error(last_errno(what).text());
}

void put(std::vector<std::uint8_t>& attributes, std::uint16_t type, std::span<const std::uint8_t> value)
{
    const rtattr head{.rta_len = static_cast<std::uint16_t>(RTA_LENGTH(value.size())), .rta_type = type};
    const auto* const bytes = reinterpret_cast<const std::uint8_t*>(&head);
    attributes.insert(attributes.end(), bytes, bytes + sizeof head);
    attributes.insert(attributes.end(), value.begin(), value.end()); // addresses and numbers need no padding
}

void put(std::vector<std::uint8_t>& attributes, std::uint16_t type, std::uint32_t value)
{
    put(attributes, type, {reinterpret_cast<const std::uint8_t*>(&value), sizeof value});
}

std::span<const std::uint8_t> value_of(const rtattr* attribute)
{
    return {static_cast<const std::uint8_t*>(RTA_DATA(attribute)), RTA_PAYLOAD(attribute)};
}

std::uint32_t number_in(const rtattr* attribute)
{
    std::uint32_t number = 0;
    std::memcpy(&number, RTA_DATA(attribute), sizeof number);
    return number;
}

// Of RTM_NEWROUTE or RTM_DELROUTE; nothing for default routes.
std::optional<Route> parse_route(const nlmsghdr& header)
{
    const auto* const message = static_cast<const rtmsg*>(NLMSG_DATA(&header));
    Route route{.table = message->rtm_table, .protocol = message->rtm_protocol, .type = message->rtm_type};
    std::optional<IpAddress> network;
    auto left = static_cast<int>(RTM_PAYLOAD(&header));
    for (const rtattr* attribute = RTM_RTA(message); RTA_OK(attribute, left);
         attribute = RTA_NEXT(attribute, left)) {
        if (attribute->rta_type == RTA_DST)
            network = IpAddress::from_bytes(value_of(attribute)).value();
        else if (attribute->rta_type == RTA_GATEWAY)
            route.gateway = IpAddress::from_bytes(value_of(attribute)).value();
        else if (attribute->rta_type == RTA_PRIORITY)
            route.metric = number_in(attribute);
        else if (attribute->rta_type == RTA_TABLE)
            route.table = number_in(attribute);
    }
    if (!network)
        return std::nullopt;
    route.destination = IpPrefix::of(*network, message->rtm_dst_len);
    return route;
}

} // namespace

bool Route::leads_to_pods() const
{
    static const IpPrefix pods = IpPrefix::parse("10.0.0.0/8").value();
    return table == RT_TABLE_MAIN && type == RTN_UNICAST && gateway && pods.contains(destination);
}

Rtnetlink::Rtnetlink(std::uint32_t groups)
    : socket_(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)), buffer_(65536)
{
    const int room = 256 << 20; // bytes: the notifications of some 100,000 routes
    const sockaddr_nl address{.nl_family = AF_NETLINK, .nl_pad = 0, .nl_pid = 0, .nl_groups = groups};
    if (!socket_ || setsockopt(socket_.fd(), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) != 0 ||
        bind(socket_.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        fail("opening an rtnetlink socket");
}

void Rtnetlink::send_payload(std::uint16_t type, std::uint16_t flags, std::span<const std::uint8_t> payload)
{
    const nlmsghdr header{.nlmsg_len = static_cast<std::uint32_t>(sizeof header + payload.size()),
                          .nlmsg_type = type,
                          .nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags),
                          .nlmsg_seq = 1,
                          .nlmsg_pid = 0};
    std::vector<std::uint8_t> bytes(sizeof header);
    std::memcpy(bytes.data(), &header, sizeof header);
    bytes.insert(bytes.end(), payload.begin(), payload.end());
    if (::send(fd(), bytes.data(), bytes.size(), 0) < 0)
        fail("sending to the kernel");
}

void Rtnetlink::read(const std::function<void(const nlmsghdr&)>& take)
{
    const ssize_t size = recv(fd(), buffer_.data(), buffer_.size(), 0);
    if (size < 0)
        fail(errno == ENOBUFS ? "notifications were lost" : "reading from the kernel");
    auto left = static_cast<int>(size);
    for (const auto* header = reinterpret_cast<const nlmsghdr*>(buffer_.data()); NLMSG_OK(header, left);
         header = NLMSG_NEXT(header, left))
        take(*header);
}

std::vector<Route> list_routes()
{
    Rtnetlink kernel(0);
    rtmsg any{};
    any.rtm_family = AF_INET;
    kernel.send(RTM_GETROUTE, NLM_F_DUMP, any);
    std::vector<Route> routes;
    for (bool done = false; !done;)
        kernel.read([&](const nlmsghdr& header) {
            done = done || header.nlmsg_type == NLMSG_DONE || header.nlmsg_type == NLMSG_ERROR;
            const auto route = header.nlmsg_type == RTM_NEWROUTE ? parse_route(header) : std::nullopt;
            if (route && route->leads_to_pods())
                routes.push_back(*route);
        });
    return routes;
}

void remove_route(Rtnetlink& kernel, const Route& route)
{
    rtmsg header{};
    header.rtm_family = static_cast<std::uint8_t>(route.destination.network().af());
    header.rtm_dst_len = static_cast<std::uint8_t>(route.destination.length());
    header.rtm_table = static_cast<std::uint8_t>(route.table);
    header.rtm_protocol = route.protocol;
    header.rtm_scope = RT_SCOPE_NOWHERE; // whatever scope it has
    header.rtm_type = route.type;
    std::vector<std::uint8_t> attributes;
    put(attributes, RTA_DST, route.destination.network().bytes());
    if (route.metric != 0)
        put(attributes, RTA_PRIORITY, route.metric);
    kernel.send(RTM_DELROUTE, 0, header, attributes);
}

void set_link(Rtnetlink& kernel, unsigned index, bool up)
{
    ifinfomsg header{};
    header.ifi_index = static_cast<int>(index);
    header.ifi_flags = up ? IFF_UP : 0;
    header.ifi_change = IFF_UP;
    kernel.send(RTM_SETLINK, NLM_F_ACK, header);
    kernel.read([&](const nlmsghdr& answer) {
        errno = -static_cast<const nlmsgerr*>(NLMSG_DATA(&answer))->error;
        if (errno != 0)
            fail("setting the link");
    });
}

void Announcements::read(const Take& take)
{
    kernel_.read([&](const nlmsghdr& header) {
        if (header.nlmsg_type != RTM_NEWROUTE && header.nlmsg_type != RTM_DELROUTE)
            return;
        if (const auto route = parse_route(header))
            take(*route, header.nlmsg_type == RTM_DELROUTE);
    });
}

void Announcements::read_until(const std::function<bool()>& done, Clock::time_point deadline,
                               const Take& take)
{
    while (!done()) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
        pollfd readable{.fd = fd(), .events = POLLIN, .revents = 0};
        const int ready = left > 0 ? poll(&readable, 1, static_cast<int>(left)) : 0;
        if (ready < 0)
            fail("waiting for notifications");
        if (ready == 0)
            throw std::runtime_error("what was waited for did not come in time");
        read(take);
    }
}

} // namespace routelet::bench
