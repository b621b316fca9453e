#include "cni/netfilter.h"

#include "cni/error.h"
#include "cni/stand_in.h"

#include <string>

namespace routelet::cni {

Result<netlink::Socket*> Netfilter::socket()
{
    if (!socket_) {
        Result<netlink::Socket> opened = netlink::Socket::open_netfilter();
        if (!opened)
            return explained(opened.error());
        socket_ = std::move(*opened);
    }
    return &*socket_;
}

void Netfilter::close_elsewhere() const
{
    if (socket_)
        cni::close_elsewhere(socket_->fd());
}

Error Netfilter::explained(const Error& error) const
{
    namespace errc = boost::system::errc;
    const bool lacks_a_part = error.code == errc::protocol_not_supported ||
                              error.code == errc::operation_not_supported ||
                              error.code == errc::no_such_file_or_directory; // a module that is not found
    if (!lacks_a_part)
        return error;
    return failure(ErrorCode::system_failure,
                   std::string(purpose_.what) + ": this kernel lacks a part of nf_tables (" + error.text() +
                       "); load the modules " + purpose_.modules + ", or " + purpose_.alternative);
}

Result<> Netfilter::explained(const Result<>& result) const
{
    return result ? Result<>() : explained(result.error());
}

} // namespace routelet::cni
