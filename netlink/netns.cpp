#include "netlink/netns.h"

#include <fcntl.h>
#include <linux/nsfs.h>
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
    NetNamespace opened;
    opened.fd_ = UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status {};
    if (!opened.fd_ || ::fstat(opened.fd(), &status) != 0)
        return last_errno("opening network namespace " + path.string());
    if (!is_network_namespace(opened.fd(), status))
        return make_error(boost::system::errc::invalid_argument,
                          "opening network namespace " + path.string() + ": it is something else");
    opened.device_ = status.st_dev;
    opened.inode_ = status.st_ino;
    return opened;
}

Result<NetNamespace> NetNamespace::current()
{
    return open("/proc/thread-self/ns/net");
}

Result<> NetNamespace::enter() const
{
    if (::setns(fd(), CLONE_NEWNET) != 0)
        return last_errno("entering a network namespace");
    return {};
}

} // namespace routelet::netlink
