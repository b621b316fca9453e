#pragma once
#include "base/result.h"
#include "base/unique_fd.h"
#include "netlink/socket.h"

#include <filesystem>
#include <string>

namespace routelet::netlink {

// A network namespace, held open (network_namespaces(7)).
class NetNamespace {
public:
    // Fails with the errno of open, and with invalid_argument when the path is something else than a network
    // namespace (NS_GET_NSTYPE, ioctl_ns(2)); never hangs on a FIFO.
    static Result<NetNamespace> open(const std::filesystem::path& path);
    // The one the calling thread is in.
    static Result<NetNamespace> current();
    // The one that a socket belongs to, without /proc, which takes several times as long (SIOCGSKNS,
    // linux/sockios.h). Needs CAP_NET_ADMIN there.
    static Result<NetNamespace> of(const Socket& socket);

    int fd() const noexcept { return fd_.fd(); }

    // The calling thread enters it, for good: sockets opened from then on belong to it.
    Result<> enter() const;

    bool is_same_as(const NetNamespace& other) const noexcept
    {
        return device_ == other.device_ && inode_ == other.inode_;
    }

private:
    static Result<NetNamespace> hold(UniqueFd fd, const std::string& what);

    UniqueFd fd_;
    unsigned long long device_ = 0;
    unsigned long long inode_ = 0;
};

} // namespace routelet::netlink
