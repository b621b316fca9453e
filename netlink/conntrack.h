#pragma once
#include "base/ip.h"
#include "base/result.h"
#include "netlink/socket.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace routelet::netlink {

// Connection tracking (linux/netfilter/nfnetlink_conntrack.h): what the kernel remembers of connections, and
// so does with their packets whatever the rules say by now. All functions want a Socket of
// Socket::open_netfilter().

// One direction of a connection, as its packets are: with replies, after address translation.
struct ConnectionTuple {
    IpAddress source;
    IpAddress destination;
    std::uint8_t protocol = 0;     // IPPROTO_UDP ...
    std::uint16_t source_port = 0; // 0 where the protocol has none
    std::uint16_t destination_port = 0;

    friend bool operator==(const ConnectionTuple&, const ConnectionTuple&) = default;
};

struct Connection {
    ConnectionTuple original; // as the first packet came
    ConnectionTuple reply;
    // By what the kernel finds it, and no other that took its place: its attributes CTA_TUPLE_ORIG, CTA_ZONE
    // and CTA_ID, as bytes.
    std::vector<std::uint8_t> identity{};

    friend bool operator==(const Connection&, const Connection&) = default;
};

// What connections to look for; what is empty, is not looked at.
struct ConnectionQuery {
    std::optional<IpFamily> family{};
    std::optional<std::uint8_t> protocol{};                   // needs family
    std::optional<std::uint16_t> original_destination_port{}; // needs protocol

    bool matches(const Connection& connection) const noexcept;
};

// The connections that the query is for and `is_wanted` says yes to. A kernel that has no connection tracking
// has none. The kernel goes through all of its table, 10 ms and more, and tells only what the query is for;
// Linux before 5.8 tells all. Not a snapshot.
Result<std::vector<Connection>> list_connections(Socket& socket, const ConnectionQuery& query,
                                                 const std::function<bool(const Connection&)>& is_wanted);

// Forgets them: their next packet is a first one. Returns how many there still were.
Result<std::size_t> forget_connections(Socket& socket, const std::vector<Connection>& connections);

// How many connections the network namespace that the calling thread is in has; 0 where none are tracked.
std::size_t count_connections();

// One notification or object of a dump. Fails with bad_message.
Result<Connection> parse_connection(std::span<const std::uint8_t> payload);

} // namespace routelet::netlink
