#pragma once
// Private to netlink/: how Socket and the monitors read.
#include "base/result.h"

#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

namespace routelet::netlink {

// Twice what the kernel ever fills for a dump (32 KiB), and far more than one notification.
constexpr std::size_t datagram_limit = 65536; // bytes

// The next datagram that the kernel itself sent (nl_pid 0); those of other processes are thrown away. `flags`
// is recvmsg's. Fails with its errno, notably resource_unavailable_try_again when nothing came and
// no_buffer_space when something was lost, and with message_size when `buffer` was too small.
Result<std::span<const std::uint8_t>> receive(int fd, std::span<std::uint8_t> buffer, int flags);

// Calls `take` with every whole message of a datagram: its header, and the payload behind it.
void for_each_message(
    std::span<const std::uint8_t> datagram,
    const std::function<void(const nlmsghdr& header, std::span<const std::uint8_t> payload)>& take);

// Reads notifications that wait on a non-blocking socket, for as long as there are any and `has_room` says
// so: calls `take` with every message, and `lost` where some were lost. Fails with recvmsg's errno.
Result<> read_notifications(
    int fd, std::span<std::uint8_t> buffer, const std::function<bool()>& has_room,
    const std::function<void(const nlmsghdr& header, std::span<const std::uint8_t> payload)>& take,
    const std::function<void()>& lost);

// Asks for a receive buffer of that size; settles for what net.core.rmem_max allows without CAP_NET_ADMIN.
void enlarge_receive_buffer(int fd, int bytes) noexcept;

// Makes room for a datagram of that size, likewise; never shrinks.
void enlarge_send_buffer(int fd, std::size_t bytes) noexcept;

} // namespace routelet::netlink
