#pragma once
#include "base/result.h"
#include "netlink/socket.h"

#include <optional>

namespace routelet::cni {

// A netfilter socket for one purpose, opened when first needed and kept: whoever closes one waits until what
// was removed from any table is out of use, some 15 ms. Not thread-safe.
class Netfilter {
public:
    // For the error where the kernel lacks a part of nf_tables: what needs it, the modules that have it, and
    // how to do without.
    struct Purpose {
        const char* what;
        const char* modules;
        const char* alternative;
    };
    explicit Netfilter(const Purpose& purpose) : purpose_(purpose) {}

    Result<netlink::Socket*> socket();

    // Whoever ends soon has the wait in the closing done elsewhere, if there is one: see close_elsewhere().
    void close_elsewhere() const;

    // The error of a request, as the user needs it.
    Error explained(const Error& error) const;
    Result<> explained(const Result<>& result) const;

private:
    Purpose purpose_;
    std::optional<netlink::Socket> socket_;
};

} // namespace routelet::cni
