#pragma once
// Private to netlink/: what its parsers have in common.
#include "base/ip.h"
#include "base/result.h"
#include "netlink/message.h"

#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace routelet::netlink {

// The error of every parser for bytes that are not what they should be: "a route: RTA_DST has a wrong
// length".
Error malformed(std::string_view what);

// Copies the fixed header that a payload begins with: rtmsg, ifinfomsg, ifaddrmsg. Empty when it is too
// short.
template <class Header>
std::optional<Header> read_header(std::span<const std::uint8_t> payload)
{
    static_assert(std::is_trivially_copyable_v<Header>);
    if (payload.size() < sizeof(Header))
        return std::nullopt;
    Header header;
    std::memcpy(&header, payload.data(), sizeof header);
    return header;
}

// What follows a fixed header, aligned as netlink aligns it (NLMSG_ALIGNTO).
std::span<const std::uint8_t> after_header(std::span<const std::uint8_t> payload, std::size_t header_size);

// The attributes of a message, or those inside one (linux/netlink.h, struct nlattr). Views the message's
// bytes, which must outlive it. Invariant: they are a sequence of whole attributes.
//
// read() leaves `value` as it is when there is no such attribute, and is false only when there is one that
// does not have the size or the shape of its type, so that a parser reads them in one expression.
class Attributes {
public:
    Attributes() noexcept = default; // none
    // Empty when an attribute is cut off or claims a length that is impossible.
    static std::optional<Attributes> parse(std::span<const std::uint8_t> bytes);

    bool has(std::uint16_t type) const noexcept { return find(type).has_value(); }
    std::optional<std::span<const std::uint8_t>> find(std::uint16_t type) const noexcept;

    bool read(std::uint16_t type, std::uint8_t& value) const noexcept;
    bool read(std::uint16_t type, std::uint32_t& value) const noexcept;
    bool read(std::uint16_t type, IfIndex& value) const noexcept;
    // Up to its terminating zero if it has one, else all of it.
    bool read(std::uint16_t type, std::string& value) const;
    // 4 or 16 bytes, as `af` (AF_INET or AF_INET6) demands.
    bool read(std::uint16_t type, int af, std::optional<IpAddress>& value) const;
    bool read(std::uint16_t type, Attributes& nested) const;

    // Calls `take` with each, in order, whatever its type.
    void for_each(
        const std::function<void(std::uint16_t type, std::span<const std::uint8_t> content)>& take) const;

    // Whether everything in `wanted` is here too, with the same content; there may be more. What `wanted`
    // marks as a nest (NLA_F_NESTED) is compared inside; of a type that it has several times, as the elements
    // of a list, there must be just as many, in the same order.
    bool include(const Attributes& wanted) const;

private:
    explicit Attributes(std::span<const std::uint8_t> bytes) noexcept : bytes_(bytes) {}

    std::span<const std::uint8_t> bytes_;
};

} // namespace routelet::netlink
