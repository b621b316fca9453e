#include "controller/diagnosis/echo.h"

#include "base/unique_fd.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

namespace routelet::controller {
namespace {

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size = 0;

    explicit SocketAddress(const IpAddress& address)
    {
        if (address.family() == IpFamily::v4) {
            sockaddr_in v4{};
            v4.sin_family = AF_INET;
            std::memcpy(&v4.sin_addr, address.bytes().data(), sizeof v4.sin_addr);
            std::memcpy(&storage, &v4, sizeof v4);
            size = sizeof v4;
        } else {
            sockaddr_in6 v6{};
            v6.sin6_family = AF_INET6;
            std::memcpy(&v6.sin6_addr, address.bytes().data(), sizeof v6.sin6_addr);
            std::memcpy(&storage, &v6, sizeof v6);
            size = sizeof v6;
        }
    }
    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

bool is_v4(const Echo& echo)
{
    return echo.to.family() == IpFamily::v4;
}

// Never fragmented, whatever the kernel has heard of the way's MTU.
bool forbid_fragments(int fd, bool v4)
{
    const int never = v4 ? IP_PMTUDISC_PROBE : IPV6_PMTUDISC_PROBE;
    return v4 ? ::setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &never, sizeof never) == 0
              : ::setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &never, sizeof never) == 0;
}

// ICMP's header is 8 bytes in both versions; the kernel fills in identifier and checksum, and hands answers
// to the socket with that identifier only.
std::vector<std::uint8_t> request_of(const Echo& echo)
{
    const std::size_t ip_header = is_v4(echo) ? 20 : 40;
    std::vector<std::uint8_t> bytes(std::max<std::size_t>(echo.packet, 84) - ip_header, 0);
    bytes[0] = is_v4(echo) ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
    return bytes;
}

bool await_answer(int fd, std::uint8_t type, std::chrono::milliseconds patience)
{
    const auto deadline = std::chrono::steady_clock::now() + patience;
    for (;;) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
        if (left.count() <= 0)
            return false;
        pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
        if (::poll(&waiting, 1, static_cast<int>(left.count())) <= 0)
            continue;
        std::array<std::uint8_t, 8> answer{};
        const ssize_t got = ::recv(fd, answer.data(), answer.size(), MSG_DONTWAIT);
        if (got > 0 && answer[0] == type)
            return true;
    }
}

} // namespace

Result<bool> is_answered(const Echo& echo)
{
    const bool v4 = is_v4(echo);
    const std::string what = "sending an echo from " + echo.from.to_string() + " to " + echo.to.to_string();
    const UniqueFd fd(::socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC,
                               v4 ? IPPROTO_ICMP : static_cast<int>(IPPROTO_ICMPV6)));
    if (!fd)
        return last_errno(what);
    const SocketAddress from(echo.from);
    const SocketAddress to(echo.to);
    if (!forbid_fragments(fd.fd(), v4) || ::bind(fd.fd(), from.get(), from.size) != 0 ||
        ::connect(fd.fd(), to.get(), to.size) != 0)
        return last_errno(what);
    const std::vector<std::uint8_t> request = request_of(echo);
    if (::send(fd.fd(), request.data(), request.size(), 0) < 0) {
        if (errno == EMSGSIZE || errno == EHOSTUNREACH || errno == ENETUNREACH)
            return false;
        return last_errno(what);
    }
    return await_answer(fd.fd(), v4 ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY, echo.patience);
}

} // namespace routelet::controller
