#include "netlink/datagram.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

namespace routelet::netlink {

Result<std::span<const std::uint8_t>> receive(int fd, std::span<std::uint8_t> buffer, int flags)
{
    for (;;) {
        sockaddr_nl sender{};
        iovec place{.iov_base = buffer.data(), .iov_len = buffer.size()};
        msghdr message{};
        message.msg_name = &sender;
        message.msg_namelen = sizeof sender;
        message.msg_iov = &place;
        message.msg_iovlen = 1;

        const ssize_t size = ::recvmsg(fd, &message, flags);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            return last_errno("reading from a netlink socket");
        const bool from_kernel = message.msg_namelen == sizeof sender && sender.nl_pid == 0;
        if (!from_kernel)
            continue;
        if ((message.msg_flags & MSG_TRUNC) != 0)
            return make_error(boost::system::errc::message_size, "reading from a netlink socket");
        return std::span<const std::uint8_t>(buffer.first(static_cast<std::size_t>(size)));
    }
}

void for_each_message(
    std::span<const std::uint8_t> datagram,
    const std::function<void(const nlmsghdr& header, std::span<const std::uint8_t> payload)>& take)
{
    // libmnl's own loop takes a length of 2^31 and more for a negative one, which fits everywhere.
    nlmsghdr header{};
    while (datagram.size() >= sizeof header) {
        std::memcpy(&header, datagram.data(), sizeof header);
        if (header.nlmsg_len < sizeof header || header.nlmsg_len > datagram.size())
            return;
        take(header, datagram.first(header.nlmsg_len).subspan(sizeof header));
        datagram = datagram.subspan(std::min<std::size_t>(NLMSG_ALIGN(header.nlmsg_len), datagram.size()));
    }
}

Result<> read_notifications(
    int fd, std::span<std::uint8_t> buffer, const std::function<bool()>& has_room,
    const std::function<void(const nlmsghdr& header, std::span<const std::uint8_t> payload)>& take,
    const std::function<void()>& lost)
{
    namespace errc = boost::system::errc;
    while (has_room()) {
        const auto datagram = receive(fd, buffer, 0);
        if (datagram) {
            for_each_message(*datagram, take);
            continue;
        }
        const auto& code = datagram.error().code;
        if (code == errc::resource_unavailable_try_again)
            break;
        if (code != errc::no_buffer_space && code != errc::message_size)
            return datagram.error();
        lost();
    }
    return {};
}

void enlarge_receive_buffer(int fd, int bytes) noexcept
{
    if (::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0)
        (void)::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes); // smaller: it overruns earlier
}

void enlarge_send_buffer(int fd, std::size_t bytes) noexcept
{
    int now = 0;
    socklen_t size = sizeof now;
    (void)::getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &now, &size);                     // 0: then it is set
    const int wanted = static_cast<int>(std::min(bytes, std::size_t{INT_MAX / 2})); // the kernel doubles it
    if (now / 2 >= wanted)
        return;
    if (::setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &wanted, sizeof wanted) != 0)
        (void)::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &wanted, sizeof wanted); // too small: sending says so
}

} // namespace routelet::netlink
