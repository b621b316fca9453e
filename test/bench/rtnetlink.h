#pragma once
// Routes as the kernel tells and announces them, read by code of the benchmarks' own.
#include "base/ip.h"
#include "base/unique_fd.h"

#include <linux/rtnetlink.h>

#include <chrono>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace routelet::bench {

using Clock = std::chrono::steady_clock;

struct Route {
    IpPrefix destination{};
    std::optional<IpAddress> gateway{};
    std::uint32_t table = 0;
    std::uint32_t metric = 0;
    std::uint8_t protocol = 0;
    std::uint8_t type = 0;

    // Unicast, in the main table, with a gateway, to a part of 10.0.0.0/8.
    bool leads_to_pods() const;
};

// A NETLINK_ROUTE socket of this network namespace. All failures are exceptions; also notifications that were
// lost.
class Rtnetlink {
public:
    // `groups`: whose notifications are read (RTMGRP_IPV4_ROUTE ...); 0: none.
    explicit Rtnetlink(std::uint32_t groups);

    int fd() const noexcept { return socket_.fd(); }

    // A header, the family's own, and attributes.
    template <class Header>
    void send(std::uint16_t type, std::uint16_t flags, const Header& header,
              std::span<const std::uint8_t> attributes = {})
    {
        std::vector<std::uint8_t> payload(sizeof header);
        std::memcpy(payload.data(), &header, sizeof header);
        payload.insert(payload.end(), attributes.begin(), attributes.end());
        send_payload(type, flags, payload);
    }

    // The messages of the next datagram.
    void read(const std::function<void(const nlmsghdr&)>& take);

private:
    void send_payload(std::uint16_t type, std::uint16_t flags, std::span<const std::uint8_t> payload);

    UniqueFd socket_;
    std::vector<char> buffer_;
};

// The routes to pods that there are now.
std::vector<Route> list_routes();

// RTM_DELROUTE for just this route. Unanswered.
void remove_route(Rtnetlink& kernel, const Route& route);

// Sets a link up or down, and waits for the answer.
void set_link(Rtnetlink& kernel, unsigned index, bool up);

// Additions and removals of routes as the kernel announces them, of both families.
class Announcements {
public:
    using Take = std::function<void(const Route& route, bool removed)>;

    Announcements() : kernel_(RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE) {}

    int fd() const noexcept { return kernel_.fd(); }

    void read(const Take& take);
    // Until `done`; throws when it is not by the deadline.
    void read_until(const std::function<bool()>& done, Clock::time_point deadline, const Take& take);

private:
    Rtnetlink kernel_;
};

} // namespace routelet::bench
