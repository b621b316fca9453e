#pragma once
#include "base/result.h"

#include <endian.h>

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <ostream>
#include <span>
#include <string>
#include <string_view>

namespace routelet {

enum class IpFamily : std::uint8_t { v4, v6 };

std::string_view to_string(IpFamily family) noexcept; // "IPv4", "IPv6"

// An IPv4 or IPv6 address, without zone. IPv4-mapped IPv6 (::ffff:a.b.c.d) stays IPv6.
class IpAddress {
public:
    IpAddress() noexcept = default; // 0.0.0.0

    // "192.168.1.11", "fd00::1". Strict: four decimal octets without leading zeros, or RFC 4291
    // section 2.2 text; no zone, no spaces. Fails with invalid_argument.
    static Result<IpAddress> parse(std::string_view text);
    // 4 or 16 bytes in network order, as the kernel sends them. Fails with invalid_argument otherwise.
    static Result<IpAddress> from_bytes(std::span<const std::uint8_t> bytes);

    IpFamily family() const noexcept { return family_; }
    int af() const noexcept;        // AF_INET or AF_INET6
    unsigned bits() const noexcept; // 32 or 128
    // 4 or 16 bytes, network order.
    std::span<const std::uint8_t> bytes() const noexcept { return {bytes_.data(), bits() / 8}; }

    bool is_unspecified() const noexcept; // 0.0.0.0, ::
    bool is_loopback() const noexcept;    // 127.0.0.0/8, ::1
    bool is_link_local() const noexcept;  // 169.254.0.0/16, fe80::/10
    bool is_multicast() const noexcept;   // 224.0.0.0/4, ff00::/8
    // An address that a host on a network may have: none of the above, not 0.0.0.0/8, not 240.0.0.0/4
    // (RFC 6890), not IPv4-mapped.
    bool is_host_unicast() const noexcept;

    // The address `offset` further on, in the same family; wraps at the end of the family.
    IpAddress plus(std::uint64_t offset) const noexcept;

    std::string to_string() const;

    friend bool operator==(const IpAddress& a, const IpAddress& b) noexcept
    {
        return a.family_ == b.family_ && a.half(0) == b.half(0) && a.half(1) == b.half(1);
    }
    // IPv4 first; then as numbers.
    friend std::strong_ordering operator<=>(const IpAddress& a, const IpAddress& b) noexcept
    {
        if (a.family_ != b.family_)
            return a.family_ <=> b.family_;
        const auto high = a.half(0) <=> b.half(0);
        return high != std::strong_ordering::equal ? high : a.half(1) <=> b.half(1);
    }
    friend std::ostream& operator<<(std::ostream& out, const IpAddress& address)
    {
        return out << address.to_string();
    }

private:
    friend class IpPrefix;
    friend struct std::hash<IpAddress>;

    // The first eight bytes, or the last, as a number. Tables of routes are searched by these.
    std::uint64_t half(std::size_t which) const noexcept
    {
        std::uint64_t number = 0;
        std::memcpy(&number, bytes_.data() + which * sizeof number, sizeof number);
        return be64toh(number);
    }
    void set_half(std::size_t which, std::uint64_t number) noexcept
    {
        number = htobe64(number);
        std::memcpy(bytes_.data() + which * sizeof number, &number, sizeof number);
    }

    IpFamily family_ = IpFamily::v4;
    std::array<std::uint8_t, 16> bytes_{}; // IPv4 uses the first four, the rest is zero
};

// An IPv4 or IPv6 network in CIDR form (RFC 4632 section 3.1, RFC 4291 section 2.3).
//
// Invariant: host bits are zero and length() fits the family, so two equal networks
// always compare equal and print the same.
class IpPrefix {
public:
    IpPrefix() noexcept = default; // 0.0.0.0/0

    // "10.244.1.0/24", "fd00:10:244::/64". Fails with invalid_argument on anything else,
    // including host bits that are set: "10.244.1.7/24" is a typing error, not a network.
    static Result<IpPrefix> parse(std::string_view text);
    // The network of that length that holds `address`. Requires: length <= address.bits().
    static IpPrefix of(const IpAddress& address, unsigned length) noexcept;

    const IpAddress& network() const noexcept { return network_; }
    unsigned length() const noexcept { return length_; } // bits
    IpFamily family() const noexcept { return network_.family(); }
    IpAddress last() const noexcept; // the highest address: IPv4's broadcast

    bool contains(const IpAddress& address) const noexcept // false across families
    {
        return address.family() == family() && ((network_.half(0) ^ address.half(0)) & mask(0)) == 0 &&
               ((network_.half(1) ^ address.half(1)) & mask(1)) == 0;
    }
    bool contains(const IpPrefix& other) const noexcept // also true for itself
    {
        return other.length_ >= length_ && contains(other.network_);
    }
    bool overlaps(const IpPrefix& other) const noexcept { return contains(other) || other.contains(*this); }

    std::string to_string() const;

    friend std::strong_ordering operator<=>(const IpPrefix&, const IpPrefix&) = default;
    friend std::ostream& operator<<(std::ostream& out, const IpPrefix& prefix)
    {
        return out << prefix.to_string();
    }

private:
    // Of the network's bits, those in that half of the address.
    std::uint64_t mask(std::size_t half) const noexcept
    {
        const unsigned before = half == 0 ? 0 : 64;
        if (length_ <= before)
            return 0;
        return length_ >= before + 64 ? ~std::uint64_t{0} : ~(~std::uint64_t{0} >> (length_ - before));
    }

    IpAddress network_;
    std::uint8_t length_ = 0; // a byte: tables of prefixes are large
};

} // namespace routelet

template <>
struct std::hash<routelet::IpAddress> {
    std::size_t operator()(const routelet::IpAddress& address) const noexcept;
};

template <>
struct std::hash<routelet::IpPrefix> {
    std::size_t operator()(const routelet::IpPrefix& prefix) const noexcept;
};
