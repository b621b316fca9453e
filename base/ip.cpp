#include "base/ip.h"

#include <arpa/inet.h>

#include <boost/container_hash/hash.hpp>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace routelet {
namespace {

Error not_an_address(std::string_view text)
{
    return make_error(boost::system::errc::invalid_argument,
                      "\"" + std::string(text) + "\" is not an IPv4 or IPv6 address");
}

Error not_a_network(std::string_view text, std::string_view why)
{
    return make_error(boost::system::errc::invalid_argument,
                      "\"" + std::string(text) + "\" is not a network in CIDR form: " + std::string(why));
}

} // namespace

std::string_view to_string(IpFamily family) noexcept
{
    return family == IpFamily::v4 ? "IPv4" : "IPv6";
}

Result<IpAddress> IpAddress::parse(std::string_view text)
{
    std::array<char, INET6_ADDRSTRLEN> terminated{};
    if (text.size() >= terminated.size() || text.find('\0') != std::string_view::npos)
        return not_an_address(text);
    std::ranges::copy(text, terminated.begin());

    const bool v6 = text.find(':') != std::string_view::npos;
    IpAddress address;
    address.family_ = v6 ? IpFamily::v6 : IpFamily::v4;
    // inet_pton(3) refuses leading zeros, short forms and zones in both families, as we do.
    if (::inet_pton(address.af(), terminated.data(), address.bytes_.data()) != 1)
        return not_an_address(text);
    return address;
}

Result<IpAddress> IpAddress::from_bytes(std::span<const std::uint8_t> bytes)
{
    if (bytes.size() != 4 && bytes.size() != 16)
        return make_error(boost::system::errc::invalid_argument,
                          "an address of " + std::to_string(bytes.size()) + " bytes");
    IpAddress address;
    address.family_ = bytes.size() == 4 ? IpFamily::v4 : IpFamily::v6;
    std::ranges::copy(bytes, address.bytes_.begin());
    return address;
}

int IpAddress::af() const noexcept
{
    return family_ == IpFamily::v4 ? AF_INET : AF_INET6;
}

unsigned IpAddress::bits() const noexcept
{
    return family_ == IpFamily::v4 ? 32 : 128;
}

bool IpAddress::is_unspecified() const noexcept
{
    return std::ranges::all_of(bytes(), [](std::uint8_t byte) { return byte == 0; });
}

bool IpAddress::is_loopback() const noexcept
{
    if (family_ == IpFamily::v4)
        return bytes_[0] == 127;
    return bytes_[15] == 1 &&
           std::all_of(bytes_.begin(), bytes_.end() - 1, [](auto byte) { return byte == 0; });
}

bool IpAddress::is_link_local() const noexcept
{
    if (family_ == IpFamily::v4)
        return bytes_[0] == 169 && bytes_[1] == 254;
    return bytes_[0] == 0xfe && (bytes_[1] & 0xc0U) == 0x80;
}

bool IpAddress::is_multicast() const noexcept
{
    return family_ == IpFamily::v4 ? (bytes_[0] & 0xf0U) == 0xe0 : bytes_[0] == 0xff;
}

bool IpAddress::is_host_unicast() const noexcept
{
    if (is_unspecified() || is_loopback() || is_link_local() || is_multicast())
        return false;
    if (family_ == IpFamily::v4)
        return bytes_[0] != 0 && bytes_[0] < 240;
    // ::/96 and ::ffff:0:0/96 hold IPv4 addresses in IPv6 clothes.
    const bool zeros = std::all_of(bytes_.begin(), bytes_.begin() + 10, [](auto byte) { return byte == 0; });
    const bool compatible = zeros && bytes_[10] == 0 && bytes_[11] == 0;
    const bool mapped = zeros && bytes_[10] == 0xff && bytes_[11] == 0xff;
    return !compatible && !mapped;
}

IpAddress IpAddress::plus(std::uint64_t offset) const noexcept
{
    IpAddress result = *this;
    for (std::size_t i = bits() / 8; i-- > 0 && offset != 0;) {
        const std::uint64_t sum = result.bytes_[i] + (offset & 0xffU);
        result.bytes_[i] = static_cast<std::uint8_t>(sum & 0xffU);
        offset = (offset >> 8U) + (sum >> 8U);
    }
    return result;
}

std::string IpAddress::to_string() const
{
    std::array<char, INET6_ADDRSTRLEN> text{};
    ::inet_ntop(af(), bytes_.data(), text.data(), text.size());
    return text.data();
}

Result<IpPrefix> IpPrefix::parse(std::string_view text)
{
    const auto slash = text.find('/');
    if (slash == std::string_view::npos)
        return not_a_network(text, "the /length is missing");
    const auto address = IpAddress::parse(text.substr(0, slash));
    if (!address)
        return not_a_network(text, "the part before the / is not an address");

    const std::string_view digits = text.substr(slash + 1);
    unsigned length = 0;
    const auto [end, bad] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
    const bool leading_zero = digits.size() > 1 && digits.front() == '0';
    if (bad != std::errc{} || end != digits.data() + digits.size() || leading_zero ||
        length > address->bits())
        return not_a_network(text, "the length must be 0 to " + std::to_string(address->bits()));

    const IpPrefix prefix = of(*address, length);
    if (prefix.network_ != *address)
        return not_a_network(text, "host bits are set, the network is " + prefix.to_string());
    return prefix;
}

IpPrefix IpPrefix::of(const IpAddress& address, unsigned length) noexcept
{
    IpPrefix prefix;
    prefix.network_ = address;
    prefix.length_ = static_cast<std::uint8_t>(length);
    for (const std::size_t half : {0U, 1U})
        prefix.network_.set_half(half, address.half(half) & prefix.mask(half));
    return prefix;
}

IpAddress IpPrefix::last() const noexcept
{
    IpAddress address = network_;
    const IpPrefix whole_family = of(network_, network_.bits());
    for (const std::size_t half : {0U, 1U})
        address.set_half(half, network_.half(half) | (whole_family.mask(half) & ~mask(half)));
    return address;
}

std::string IpPrefix::to_string() const
{
    return network_.to_string() + "/" + std::to_string(length_);
}

} // namespace routelet

std::size_t std::hash<routelet::IpAddress>::operator()(const routelet::IpAddress& address) const noexcept
{
    std::size_t combined = 0;
    boost::hash_combine(combined, address.half(0));
    boost::hash_combine(combined, address.half(1));
    return combined;
}

std::size_t std::hash<routelet::IpPrefix>::operator()(const routelet::IpPrefix& prefix) const noexcept
{
    return std::hash<routelet::IpAddress>{}(prefix.network()) * 131 + prefix.length();
}
