#pragma once
#include "base/ip.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <cstdint>
#include <cstring>

namespace routelet::test {

// An address and a port as socket calls take them; without, room for one that they tell.
struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size = sizeof(sockaddr_storage);

    SocketAddress() = default;
    SocketAddress(const IpAddress& address, std::uint16_t at_port)
    {
        storage.ss_family = static_cast<sa_family_t>(address.af());
        const bool is_v4 = address.family() == IpFamily::v4;
        size = is_v4 ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
        (is_v4 ? v4().sin_port : v6().sin6_port) = htons(at_port);
        std::memcpy(is_v4 ? static_cast<void*>(&v4().sin_addr) : &v6().sin6_addr, address.bytes().data(),
                    address.bytes().size());
    }
    sockaddr* raw() { return reinterpret_cast<sockaddr*>(&storage); }
    sockaddr_in& v4() { return reinterpret_cast<sockaddr_in&>(storage); }
    sockaddr_in6& v6() { return reinterpret_cast<sockaddr_in6&>(storage); }
    IpAddress address()
    {
        const auto* const bytes = storage.ss_family == AF_INET
                                      ? reinterpret_cast<const std::uint8_t*>(&v4().sin_addr)
                                      : reinterpret_cast<const std::uint8_t*>(&v6().sin6_addr);
        return IpAddress::from_bytes({bytes, storage.ss_family == AF_INET ? 4U : 16U}).value();
    }
    std::uint16_t at_port() { return ntohs(storage.ss_family == AF_INET ? v4().sin_port : v6().sin6_port); }
};

} // namespace routelet::test
