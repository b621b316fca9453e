// The least that a client can do: one GET over TLS whose answer is read and thrown away, by a blocking loop
// around SSL_read(3). How long that takes is how long the server takes; no client that reads the same bytes
// is faster.
//
// Usage: routelet-bench-reader ADDRESS PORT CA-FILE HEADER-FILE ACCEPT TARGET
//
// HEADER-FILE holds one line, "Authorization: ...". Exit status: 0 when the answer was 200 and came to its
// end.
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <openssl/ssl.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace asio = boost::asio;

struct Asked {
    std::string address, port, ca_file, header_file, accept, target;
};

std::string request_text(const Asked& asked)
{
    std::string authorization;
    if (!std::getline(std::ifstream(asked.header_file), authorization))
        throw std::runtime_error(asked.header_file + " is empty");
    return "GET " + asked.target + " HTTP/1.1\r\nHost: " + asked.address + ":" + asked.port +
           "\r\nUser-Agent: routelet-bench\r\nAccept: " + asked.accept + "\r\nConnection: close\r\n" +
           authorization + "\r\n\r\n";
}

void check(bool is_good, const char* what)
{
    if (!is_good)
        throw std::runtime_error(std::string(what) + " failed");
}

void read_all(const Asked& asked)
{
    asio::io_context io;
    asio::ip::tcp::socket socket(io);
    socket.connect(
        {asio::ip::make_address(asked.address), static_cast<std::uint16_t>(std::stoul(asked.port))});
    asio::ssl::context context(asio::ssl::context::tls_client);
    context.load_verify_file(asked.ca_file);
    context.set_verify_mode(asio::ssl::verify_peer);
    const std::unique_ptr<SSL, decltype(&SSL_free)> tls(SSL_new(context.native_handle()), SSL_free);
    check(tls && SSL_set_fd(tls.get(), socket.native_handle()) == 1, "TLS");
    check(SSL_connect(tls.get()) == 1, "the handshake");
    const std::string request = request_text(asked);
    check(SSL_write(tls.get(), request.data(), static_cast<int>(request.size())) > 0, "sending the request");

    std::vector<char> bytes(256U << 10U);
    constexpr std::string_view end_of_chunks = "0\r\n\r\n"; // RFC 9112 section 7.1
    constexpr std::size_t last_size = end_of_chunks.size();
    std::string beginning;
    std::string last;
    for (;;) {
        const int size = SSL_read(tls.get(), bytes.data(), static_cast<int>(bytes.size()));
        if (size <= 0) {
            check(SSL_get_error(tls.get(), size) == SSL_ERROR_ZERO_RETURN, "reading");
            break;
        }
        const std::string_view piece(bytes.data(), static_cast<std::size_t>(size));
        if (beginning.size() < 12)
            beginning += piece.substr(0, 12);
        last += piece.substr(piece.size() - std::min(piece.size(), last_size));
        last.erase(0, last.size() - std::min(last.size(), last_size));
    }
    if (!beginning.starts_with("HTTP/1.1 200"))
        throw std::runtime_error("the server said " + beginning);
    check(last == end_of_chunks, "reading to the end");
}

} // namespace

int main(int argc, char** argv)
try {
    if (argc != 7) {
        std::cerr << "usage: routelet-bench-reader ADDRESS PORT CA-FILE HEADER-FILE ACCEPT TARGET\n";
        return 2;
    }
    read_all({argv[1], argv[2], argv[3], argv[4], argv[5], argv[6]});
} catch (const std::exception& error) {
    std::cerr << "routelet-bench-reader: " << error.what() << '\n';
    return 1;
}
