#pragma once
#include "netlink/message.h"

#include <linux/netlink.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <span>
#include <vector>

namespace routelet::test {

using Bytes = std::vector<std::uint8_t>;

// What a request carries behind its nlmsghdr: what the parsers take.
inline Bytes payload_of(const netlink::Request& request)
{
    const auto payload = request.bytes().subspan(sizeof(nlmsghdr));
    return {payload.begin(), payload.end()};
}

// One attribute as it is in a message; `length` other than 0 lies about its size.
inline Bytes attribute(std::uint16_t type, std::span<const std::uint8_t> content, std::uint16_t length = 0)
{
    const nlattr header{.nla_len = length != 0 ? length
                                               : static_cast<std::uint16_t>(sizeof(nlattr) + content.size()),
                        .nla_type = type};
    Bytes bytes(sizeof header);
    std::memcpy(bytes.data(), &header, sizeof header);
    bytes.insert(bytes.end(), content.begin(), content.end());
    bytes.resize((bytes.size() + 3) / 4 * 4);
    return bytes;
}

inline Bytes joined(std::initializer_list<Bytes> parts)
{
    Bytes all;
    for (const Bytes& part : parts)
        all.insert(all.end(), part.begin(), part.end());
    return all;
}

// Hands `check` every proper beginning of `message`, each in a block of memory of exactly its size, so that
// the address sanitizer sees a read of even one byte behind it.
template <class Check>
void for_every_truncation(std::span<const std::uint8_t> message, Check check)
{
    for (std::size_t size = 0; size < message.size(); ++size) {
        const Bytes part(message.begin(), message.begin() + static_cast<std::ptrdiff_t>(size));
        check(std::span<const std::uint8_t>(part));
    }
}

// The same with each single byte replaced by some others: whatever a parser makes of it, it must stay inside.
template <class Check>
void for_every_damage(std::span<const std::uint8_t> message, Check check)
{
    for (std::size_t at = 0; at < message.size(); ++at)
        for (const int value : {0, 1, 3, 4, 5, 127, 128, 255}) {
            Bytes damaged(message.begin(), message.end());
            damaged[at] = static_cast<std::uint8_t>(value);
            check(std::span<const std::uint8_t>(damaged));
        }
}

} // namespace routelet::test
