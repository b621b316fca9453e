#include "netlink/neighbor_monitor.h"

#include "netlink/attributes.h"
#include "netlink/datagram.h"

#include <libmnl/libmnl.h>
#include <linux/filter.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <bit>
#include <cstddef>

namespace routelet::netlink {
namespace {

constexpr int receive_buffer = 1024 * 1024; // bytes: some 1,000 notifications
constexpr std::size_t changes_at_a_time = 256;

// Passes a whole message, or nothing of it. Each notification of a neighbour is a datagram of its own.
Result<> attach_filter(int fd)
{
    constexpr std::uint32_t family_at = sizeof(nlmsghdr) + offsetof(ndmsg, ndm_family);
    // All states are in the low byte.
    constexpr std::uint32_t state_at =
        sizeof(nlmsghdr) + offsetof(ndmsg, ndm_state) + (std::endian::native == std::endian::big ? 1 : 0);
    constexpr std::uint32_t sure = NUD_REACHABLE | NUD_STALE | NUD_PERMANENT | NUD_FAILED;

    std::array<sock_filter, 7> program{{
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, family_at),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 0, 3),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, state_at),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, sure, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0xffffffff), // all of it
        BPF_STMT(BPF_RET | BPF_K, 0),
    }};
    const sock_fprog filter{.len = program.size(), .filter = program.data()};
    if (::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) != 0)
        return last_errno("filtering notifications of neighbours");
    return {};
}

void add_change(std::vector<NeighborChanged>& changes, const nlmsghdr& header,
                std::span<const std::uint8_t> payload)
{
    if (header.nlmsg_type != RTM_NEWNEIGH)
        return;
    const auto neighbor = parse_neighbor(payload);
    const auto place = read_header<ndmsg>(payload);
    const auto attributes = Attributes::parse(after_header(payload, sizeof(ndmsg)));
    std::optional<IpAddress> address;
    if (neighbor && place && attributes && attributes->read(NDA_DST, place->ndm_family, address) && address)
        changes.push_back({IfIndex{place->ndm_ifindex}, *address, *neighbor, header.nlmsg_pid});
}

} // namespace

void NeighborMonitor::Close::operator()(mnl_socket* socket) const noexcept
{
    (void)mnl_socket_close(socket); // a netlink socket has nothing to flush
}

Result<NeighborMonitor> NeighborMonitor::open()
{
    NeighborMonitor opened(mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (opened.socket_ == nullptr)
        return last_errno("opening an rtnetlink socket for notifications of neighbours");
    enlarge_receive_buffer(opened.fd(), receive_buffer);
    if (auto filtered = attach_filter(opened.fd()); !filtered)
        return filtered.error();
    if (mnl_socket_bind(opened.socket_.get(), RTMGRP_NEIGH, MNL_SOCKET_AUTOPID) != 0)
        return last_errno("subscribing to rtnetlink notifications of neighbours");
    opened.buffer_.resize(datagram_limit);
    return opened;
}

int NeighborMonitor::fd() const noexcept
{
    return mnl_socket_get_fd(socket_.get());
}

Result<std::vector<NeighborChanged>> NeighborMonitor::read()
{
    std::vector<NeighborChanged> changes;
    const auto done = read_notifications(
        fd(), buffer_, [&] { return changes.size() < changes_at_a_time; },
        [&](const nlmsghdr& header, std::span<const std::uint8_t> payload) {
            add_change(changes, header, payload);
        },
        [] {});
    if (!done)
        return done.error();
    return changes;
}

} // namespace routelet::netlink
