#include "netlink/message.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

namespace routelet::netlink {
namespace {

// Far above what any request of ours needs, far below what a nested attribute's 16-bit length can say.
constexpr std::size_t largest_request = 8192; // bytes

constexpr std::size_t aligned(std::size_t size) noexcept
{
    return (size + NLMSG_ALIGNTO - 1) & ~std::size_t{NLMSG_ALIGNTO - 1};
}

} // namespace

Request::Request(std::uint16_t type, std::uint16_t flags)
{
    const nlmsghdr header{
        .nlmsg_len = 0, .nlmsg_type = type, .nlmsg_flags = flags, .nlmsg_seq = 0, .nlmsg_pid = 0};
    put_raw(&header, sizeof header);
}

std::uint16_t Request::type() const noexcept
{
    nlmsghdr header{};
    std::memcpy(&header, buffer_.data(), sizeof header);
    return header.nlmsg_type;
}

void Request::put(std::uint16_t attribute, std::string_view text)
{
    std::vector<std::uint8_t> bytes(text.begin(), text.end());
    bytes.push_back(0);
    put(attribute, bytes);
}

void Request::put(std::uint16_t attribute, const IpAddress& address)
{
    put(attribute, address.bytes());
}

void Request::put(std::uint16_t attribute, std::span<const std::uint8_t> bytes)
{
    if (overflowed_ || aligned(sizeof(nlattr) + bytes.size()) > largest_request - buffer_.size()) {
        overflowed_ = true;
        return;
    }
    const nlattr header{.nla_len = static_cast<std::uint16_t>(sizeof(nlattr) + bytes.size()),
                        .nla_type = attribute};
    put_raw(&header, sizeof header);
    put_raw(bytes.data(), bytes.size());
}

void Request::put_u8(std::uint16_t attribute, std::uint8_t value)
{
    put(attribute, std::span(&value, 1));
}

void Request::put_u16(std::uint16_t attribute, std::uint16_t value)
{
    put(attribute, std::span(reinterpret_cast<const std::uint8_t*>(&value), sizeof value));
}

void Request::put_u32(std::uint16_t attribute, std::uint32_t value)
{
    put(attribute, std::span(reinterpret_cast<const std::uint8_t*>(&value), sizeof value));
}

void Request::put_be32(std::uint16_t attribute, std::uint32_t value)
{
    put_u32(attribute, htonl(value));
}

// Appends, pads with zeros to the next multiple of four, and keeps nlmsg_len right.
void Request::put_raw(const void* data, std::size_t size)
{
    if (overflowed_ || aligned(size) > largest_request - buffer_.size()) {
        overflowed_ = true;
        return;
    }
    const auto* const bytes = static_cast<const std::uint8_t*>(data);
    buffer_.insert(buffer_.end(), bytes, bytes + size);
    buffer_.resize(aligned(buffer_.size()));
    const auto length = static_cast<std::uint32_t>(buffer_.size());
    std::memcpy(buffer_.data() + offsetof(nlmsghdr, nlmsg_len), &length, sizeof length);
}

std::size_t Request::begin_nest(std::uint16_t attribute)
{
    const std::size_t start = buffer_.size();
    put(static_cast<std::uint16_t>(attribute | NLA_F_NESTED), std::span<const std::uint8_t>{});
    return start;
}

void Request::end_nest(std::size_t start)
{
    if (overflowed_)
        return; // its header may not have fitted
    const auto length = static_cast<std::uint16_t>(buffer_.size() - start);
    std::memcpy(buffer_.data() + start + offsetof(nlattr, nla_len), &length, sizeof length);
}

} // namespace routelet::netlink
