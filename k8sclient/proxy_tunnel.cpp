#include "k8sclient/proxy_tunnel.h"

#include "k8sclient/credentials.h"
#include "k8sclient/server_url.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <array>

namespace routelet::k8s {
namespace {

namespace asio = boost::asio;
using Stream = boost::beast::tcp_stream;
using Code = boost::system::error_code;

constexpr auto await_result = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t head_limit = 16U << 10U; // bytes

void throw_if_cancelled(Code code)
{
    if (code == asio::error::operation_aborted)
        throw boost::system::system_error(code);
}

Error refused(std::string why)
{
    return make_error(boost::system::errc::invalid_argument, std::move(why));
}

asio::awaitable<Result<>> write_all(Stream& stream, std::string bytes)
{
    const asio::const_buffer buffer = asio::buffer(bytes);
    const auto [code, size] = co_await asio::async_write(stream, buffer, await_result);
    throw_if_cancelled(code);
    if (code)
        co_return Error{code, "asking the proxy"};
    co_return Result<>();
}

asio::awaitable<Result<std::string>> read_exactly(Stream& stream, std::size_t size)
{
    std::string bytes(size, '\0');
    const asio::mutable_buffer buffer = asio::buffer(bytes);
    const auto [code, got] = co_await asio::async_read(stream, buffer, await_result);
    throw_if_cancelled(code);
    if (code)
        co_return Error{code, "waiting for the proxy's answer"};
    co_return bytes;
}

// "HTTP/1.1 200 Connection established" (RFC 9110 section 15.3: any 2xx).
Result<> check_status_line(std::string_view head)
{
    const std::string_view line = head.substr(0, std::min(head.find("\r\n"), head.size()));
    const std::size_t space = line.find(' ');
    if (!line.starts_with("HTTP/1.") || space == std::string_view::npos)
        return refused("what answers there is no HTTP proxy");
    std::string words(line.substr(space + 1, 100));
    std::ranges::replace_if(
        words, [](char c) { return c < ' ' || c > '~'; }, '?');
    if (words.starts_with("2"))
        return {};
    const bool asks_who = words.starts_with("407");
    return refused("the proxy said " + words +
                   (asks_who ? "; write user and password into the proxy's URL" : ""));
}

asio::awaitable<Result<>> connect_by_http(Stream& stream, Proxy proxy, Endpoint server)
{
    const std::string target = join_host_port(server.host, server.port);
    std::string request = "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n";
    if (!proxy.user.empty())
        request += "Proxy-Authorization: Basic " + encode_base64(proxy.user + ":" + proxy.password.reveal()) +
                   "\r\n";
    request += "\r\n";
    Result<> asked = co_await write_all(stream, request);
    if (!asked)
        co_return asked;

    // The server says nothing before we do, so nothing of its bytes is behind the head.
    std::string head;
    auto buffer = asio::dynamic_buffer(head, head_limit);
    const auto [code, size] = co_await asio::async_read_until(stream, buffer, "\r\n\r\n", await_result);
    throw_if_cancelled(code);
    if (code)
        co_return Error{code, "waiting for the proxy's answer"};
    co_return check_status_line(head);
}

// The words of RFC 1928 section 6.
std::string_view socks_refusal(unsigned char reply)
{
    constexpr std::array<std::string_view, 9> words = {
        "",
        "general failure",
        "connection not allowed by its rules",
        "network unreachable",
        "host unreachable",
        "connection refused",
        "TTL expired",
        "command not supported",
        "address type not supported",
    };
    return reply < words.size() ? words[reply] : "a reply that is not in RFC 1928";
}

// Version 5, one method of knowing who we are.
std::string socks_greeting(char method)
{
    return {'\5', '\1', method};
}

// RFC 1929.
asio::awaitable<Result<>> log_in_by_socks(Stream& stream, Proxy proxy)
{
    const std::string& password = proxy.password.reveal();
    std::string request = "\x01";
    request += static_cast<char>(proxy.user.size());
    request += proxy.user;
    request += static_cast<char>(password.size());
    request += password;
    Result<> asked = co_await write_all(stream, request);
    if (!asked)
        co_return asked;
    const Result<std::string> answer = co_await read_exactly(stream, 2);
    if (!answer)
        co_return answer.error();
    if ((*answer)[1] != 0)
        co_return refused("the proxy does not accept the user and password in its URL");
    co_return Result<>();
}

// A name, for the proxy to look up, or an address (RFC 1928 section 5).
std::string socks_address(const std::string& host)
{
    Code code;
    const auto address = asio::ip::make_address(host, code);
    if (code)
        return std::string("\x03") + static_cast<char>(host.size()) + host;
    if (address.is_v4()) {
        const auto bytes = address.to_v4().to_bytes();
        return "\x01" + std::string(bytes.begin(), bytes.end());
    }
    const auto bytes = address.to_v6().to_bytes();
    return "\x04" + std::string(bytes.begin(), bytes.end());
}

// Version 5, CONNECT.
std::string socks_request(const Endpoint& server)
{
    std::string request = {'\5', '\1', '\0'};
    request += socks_address(server.host);
    request += static_cast<char>(server.port >> 8U);
    request += static_cast<char>(server.port & 0xffU);
    return request;
}

// RFC 1928.
asio::awaitable<Result<>> connect_by_socks(Stream& stream, Proxy proxy, Endpoint server)
{
    if (server.host.size() > 255)
        co_return refused("the server's name is longer than SOCKS can write");
    const char method = proxy.user.empty() ? '\0' : '\2'; // nothing, or user and password
    const std::string greeting = socks_greeting(method);
    Result<> asked = co_await write_all(stream, greeting);
    if (!asked)
        co_return asked;
    Result<std::string> answer = co_await read_exactly(stream, 2);
    if (!answer)
        co_return answer.error();
    if ((*answer)[0] != '\5')
        co_return refused("what answers there is no SOCKS5 proxy");
    if ((*answer)[1] != method)
        co_return refused(proxy.user.empty() ? "the proxy wants user and password: write them into its URL"
                                             : "the proxy takes no user and password");
    if (!proxy.user.empty()) {
        Result<> known = co_await log_in_by_socks(stream, proxy);
        if (!known)
            co_return known;
    }

    const std::string request = socks_request(server);
    asked = co_await write_all(stream, request);
    if (!asked)
        co_return asked;
    answer = co_await read_exactly(stream, 5); // version, reply, 0, kind of address, its first byte
    if (!answer)
        co_return answer.error();
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>((*answer)[at]); };
    if (byte(1) != 0)
        co_return refused("the proxy said: " + std::string(socks_refusal(byte(1))));
    const std::size_t length = byte(3) == 1 ? 4U : byte(3) == 4 ? 16U : byte(4) + 1U;
    const Result<std::string> rest = co_await read_exactly(stream, length - 1 + 2); // and the port
    if (!rest)
        co_return rest.error();
    co_return Result<>();
}

} // namespace

asio::awaitable<Result<>> open_tunnel(Stream& stream, Proxy proxy, Endpoint server)
{
    if (proxy.kind == Proxy::Kind::socks5)
        return connect_by_socks(stream, std::move(proxy), std::move(server));
    return connect_by_http(stream, std::move(proxy), std::move(server));
}

} // namespace routelet::k8s
