#pragma once
// Catch2 2.13 (Debian 12) and 3.x (Debian 13, Ubuntu 24.04) under one include.
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif

#include "base/ip.h"
#include "base/result.h"

namespace routelet::test {

// "10.244.1.0/24"_net, "192.168.1.11"_ip: throws on a typing error in a test.
inline IpPrefix operator""_net(const char* text, std::size_t length)
{
    return IpPrefix::parse({text, length}).value();
}

inline IpAddress operator""_ip(const char* text, std::size_t length)
{
    return IpAddress::parse({text, length}).value();
}

// Matches a text that holds this one; Catch2 renamed its own matcher from version 2 to 3.
inline auto has_text(const std::string& part)
{
#if __has_include(<catch2/catch_all.hpp>)
    return Catch::Matchers::ContainsSubstring(part);
#else
    return Catch::Matchers::Contains(part);
#endif
}

// For REQUIRE: the value, or a failed test that shows the error's text.
template <class T>
T need(Result<T> result)
{
    if (!result)
        FAIL(result.error().text());
    if constexpr (!std::is_void_v<T>)
        return std::move(*result);
}

} // namespace routelet::test
