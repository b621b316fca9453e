#include "cni/link_removal.h"

#include "base/unique_fd.h"
#include "cni/stand_in.h"
#include "netlink/link.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <ctime>

namespace routelet::cni {
namespace {

constexpr timespec look_again{.tv_sec = 0, .tv_nsec = 50'000};

// The child's work. How it ends is of no matter: we see whether the link is gone, and when the pipe closes.
void delete_and_wait(int pipe, netlink::IfIndex link)
{
    if (::dup2(pipe, STDIN_FILENO) < 0)
        return;
    close_all_from(STDOUT_FILENO);
    if (Result<netlink::Socket> socket = netlink::Socket::open())
        (void)socket->execute(netlink::delete_link(link));
}

Result<> delete_ourselves(netlink::Socket& host, netlink::IfIndex link)
{
    const Result<> deleted = host.execute(netlink::delete_link(link));
    if (!deleted && deleted.error().code == boost::system::errc::no_such_device)
        return {}; // gone with the pod's namespace just now
    return deleted;
}

// Until the link is gone, or the child, which then has not done it.
Result<> await_removal(netlink::Socket& host, netlink::IfIndex link, int pipe)
{
    for (;;) {
        const Result<std::optional<netlink::Link>> found = netlink::find_link(host, link);
        if (!found)
            return found.error();
        if (!found->has_value())
            return {};
        struct pollfd child = {pipe, POLLIN, 0};
        if (::ppoll(&child, 1, &look_again, nullptr) > 0)
            return delete_ourselves(host, link); // which meets the same error as the child, and tells it
    }
}

} // namespace

Result<> remove_link(netlink::Socket& host, netlink::IfIndex link)
{
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
        return delete_ourselves(host, link);
    const UniqueFd ours(ends[0]);
    UniqueFd childs(ends[1]);
    const pid_t child = ::fork();
    if (child < 0)
        return delete_ourselves(host, link);
    if (child == 0) {
        delete_and_wait(childs.fd(), link);
        ::_exit(0);
    }
    childs.reset();
    return await_removal(host, link, ours.fd());
}

} // namespace routelet::cni
