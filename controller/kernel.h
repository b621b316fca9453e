#pragma once
#include "base/result.h"
#include "netlink/address.h"
#include "netlink/link.h"
#include "netlink/monitor.h"
#include "netlink/route.h"

#include <optional>
#include <string>
#include <vector>

namespace routelet::controller {

// By what a route is known as Routelet's own: both must match, on every read and every write.
struct RouteIdentity {
    // Linux keeps the next hops of IPv4 routes in a hash table whose key has the metric in it, but not the
    // gateway (fib_info_hashfn, net/ipv4/fib_semantics.c): with one metric, each new route is compared with
    // all others, and 100,000 take minutes.
    static constexpr std::uint32_t metrics = 1U << 16U;

    netlink::RouteProtocol protocol{82}; // rtm_protocol; see docs/architecture.md for how it was chosen
    std::uint32_t metric = 8200;         // the first of so many, all ours

    bool has(std::uint32_t some_metric) const noexcept
    {
        return some_metric >= metric && some_metric - metric < metrics;
    }
    bool owns(const netlink::Route& route) const noexcept
    {
        return route.protocol == protocol && has(route.metric);
    }
    // What a new route through this gateway gets, though any other of ours would be as good: the last two
    // bytes of an IPv4 gateway spread them. IPv6 has no such table.
    std::uint32_t metric_of(const std::optional<IpAddress>& gateway) const noexcept
    {
        if (!gateway || gateway->family() != IpFamily::v4)
            return metric;
        const auto bytes = gateway->bytes();
        return metric + 256U * bytes[2] + bytes[3];
    }
};

// What a dump found: all links and addresses, and the main table's routes.
struct KernelState {
    std::vector<netlink::Link> links;
    std::vector<netlink::InterfaceAddress> addresses;
    std::vector<netlink::Route> routes;
};

// One change of the kernel's routes.
struct RouteChange {
    // take_over removes somebody else's route; all others concern ours.
    enum class Kind { create, replace, remove, take_over };
    Kind kind = Kind::create;
    netlink::Route route;                     // as it is to be; for remove and take_over: as it is
    std::optional<netlink::Route> previous{}; // for replace: what is there now, ours

    friend bool operator==(const RouteChange&, const RouteChange&) = default;
};

// What the agent asks of the kernel, and nothing else: tests put a recorder here.
class Kernel {
public:
    virtual ~Kernel() = default;

    virtual Result<KernelState> read() = 0;
    // All are attempted, in order; a result for each. Removing what is gone already is success.
    virtual std::vector<Result<>> apply(const std::vector<RouteChange>& changes) = 0;
    virtual Result<> enable_ipv4_forwarding(netlink::IfIndex link) = 0;
};

// The kernel of the network namespace that the calling thread was in at open().
class NetlinkKernel : public Kernel {
public:
    static Result<NetlinkKernel> open();

    Result<KernelState> read() override;
    std::vector<Result<>> apply(const std::vector<RouteChange>& changes) override;
    Result<> enable_ipv4_forwarding(netlink::IfIndex link) override;

private:
    explicit NetlinkKernel(netlink::Socket socket) : socket_(std::move(socket)) {}
    netlink::Socket socket_;
};

} // namespace routelet::controller
