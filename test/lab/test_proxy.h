#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace routelet::lab {

// A proxy for tests: HTTP CONNECT and SOCKS5, told apart by the first byte. Whatever it is asked for, it
// leads to `port` on 127.0.0.1. One connection at a time, on a thread of its own. Thread-safe.
class TestProxy {
public:
    // With `refusal`, an HTTP response, CONNECT is answered by that; a `password` makes SOCKS want "me" and
    // it.
    explicit TestProxy(std::uint16_t leads_to, std::string refusal = {}, std::string password = {});
    ~TestProxy();

    std::uint16_t port() const;
    // What clients asked for: "CONNECT api:443 HTTP/1.1" with its headers, "socks5 api:443".
    std::vector<std::string> requests() const;

private:
    class Thread;
    std::unique_ptr<Thread> thread_;
};

} // namespace routelet::lab
