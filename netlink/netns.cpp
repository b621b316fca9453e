#include "netlink/netns.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <linux/sockios.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

namespace routelet::netlink {
namespace {

// Only a regular file (as nsfs's are) is asked: an ioctl may do anything to a device.
bool is_network_namespace(int fd, const struct stat& status)
{
    return S_ISREG(status.st_mode) && ::ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET;
}

} // namespace

Result<NetNamespace> NetNamespace::open(const std::filesystem::path& path)
{
    // O_NONBLOCK: a FIFO opens at once and is then refused.
    return hold(UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)),
                "opening network namespace " + path.string());
}

Result<NetNamespace> NetNamespace::current()
{
    return open("/proc/thread-self/ns/net");
}

Result<NetNamespace> NetNamespace::of(const Socket& socket)
{
    return hold(UniqueFd(::ioctl(socket.fd(), SIOCGSKNS)), "opening a socket's network namespace");
}

// `fd`: what open(2) or ioctl(2) returned just now.
Result<NetNamespace> NetNamespace::hold(UniqueFd fd, const std::string& what)
{
    struct stat status {};
    if (!fd || ::fstat(fd.fd(), &status) != 0)
        return last_errno(what);
    if (!is_network_namespace(fd.fd(), status))
        return make_error(boost::system::errc::invalid_argument, what + ": it is something else");
    NetNamespace held;
    held.fd_ = std::move(fd);
    held.device_ = status.st_dev;
    held.inode_ = status.st_ino;
    return held;
}

Result<> NetNamespace::enter() const
{
    if (::setns(fd(), CLONE_NEWNET) != 0)
        return last_errno("entering a network namespace");
    return {};
}

} // namespace routelet::netlink
