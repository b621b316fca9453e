#pragma once
// The routes that `script/bench routes` programs: as many as are asked for, each to other pods through
// another node.
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace routelet::bench {

constexpr std::uint32_t most_routes = 1U << 18U; // as many /26 there are in 10.0.0.0/8
constexpr std::uint8_t route_protocol = 82;

// Bytes of an address; IPv4 uses the first four.
using AddressBytes = std::array<std::uint8_t, 16>;

struct NumberedRoute {
    AddressBytes destination{};
    AddressBytes gateway{};
    std::uint32_t metric = 8200; // as the agent chooses it
};

constexpr std::size_t address_size(int family) noexcept
{
    return family == AF_INET ? 4 : 16;
}

// Of the destination, in bits.
constexpr std::uint8_t prefix_length(int family) noexcept
{
    return family == AF_INET ? 26 : 64;
}

constexpr void put_number(AddressBytes& bytes, std::size_t at, std::uint32_t number) noexcept
{
    for (std::size_t i = 0; i < 4; ++i)
        bytes[at + i] = static_cast<std::uint8_t>(number >> (24 - 8 * i));
}

// IPv4: the /26 of that number in 10.0.0.0/8, through the address of that number from 172.16.1.0 on. IPv6:
// the /64 of that number in fd00:10::/32, through the address of that number from fd00:172::1:0:0 on.
// Requires: number < most_routes.
constexpr NumberedRoute numbered_route(int family, std::uint32_t number) noexcept
{
    NumberedRoute route;
    if (family == AF_INET) {
        put_number(route.destination, 0, (10U << 24U) + 64 * number);
        put_number(route.gateway, 0, (172U << 24U) + (16U << 16U) + (1U << 8U) + number);
        route.metric += 256U * route.gateway[2] + route.gateway[3];
    } else {
        put_number(route.destination, 0, 0xfd000010U);
        put_number(route.destination, 4, number);
        put_number(route.gateway, 0, 0xfd000172U);
        put_number(route.gateway, 8, 1);
        put_number(route.gateway, 12, number);
    }
    return route;
}

} // namespace routelet::bench
