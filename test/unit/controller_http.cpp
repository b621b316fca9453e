#include "controller/http.h"
#include "test/support/catch.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <chrono>
#include <thread>

using namespace routelet;
using namespace routelet::controller;
using namespace routelet::test;
using namespace std::chrono_literals;

namespace {

// A TCP socket of 127.0.0.1 as a client or a squatter has it.
struct RawSocket {
    int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    RawSocket()
    {
        const timeval patience{.tv_sec = 8, .tv_usec = 0};
        (void)::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    }
    RawSocket(const RawSocket&) = delete;
    RawSocket& operator=(const RawSocket&) = delete;
    ~RawSocket() { ::close(fd); }

    static sockaddr_in address(std::uint16_t port)
    {
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(port);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return to;
    }
    void connect(std::uint16_t port) const
    {
        const sockaddr_in to = address(port);
        REQUIRE(::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
    }
    // Takes a port that nobody has, and listens on it.
    std::uint16_t squat() const
    {
        sockaddr_in on = address(0);
        socklen_t size = sizeof on;
        REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&on), sizeof on) == 0);
        REQUIRE(::listen(fd, 1) == 0);
        REQUIRE(::getsockname(fd, reinterpret_cast<sockaddr*>(&on), &size) == 0);
        return ntohs(on.sin_port);
    }
    void send(const std::string& text) const { (void)::send(fd, text.data(), text.size(), MSG_NOSIGNAL); }
    std::string read_all() const
    {
        std::string text;
        std::array<char, 4096> part{};
        for (ssize_t got = 0; (got = ::recv(fd, part.data(), part.size(), 0)) > 0;)
            text.append(part.data(), static_cast<std::size_t>(got));
        return text;
    }
};

std::uint16_t free_port()
{
    return RawSocket().squat();
}

// A server in a thread of its own that says which path was asked for.
struct Served {
    HttpAddress address;
    boost::asio::io_context io{1};
    HttpServer server;
    std::thread thread;

    explicit Served(std::uint16_t port = free_port())
        : address{"127.0.0.1", port}, server(io.get_executor(), address, [](std::string_view path) {
              return path == "/gone" ? HttpResponse{.status = 404, .body = "no\n"}
                                     : HttpResponse{.body = "asked for " + std::string(path) + "\n"};
          })
    {
        boost::asio::co_spawn(io, server.run(), boost::asio::detached);
        io.poll(); // it listens, or has found out that it cannot
        thread = std::thread([this] { io.run(); });
    }
    Served(const Served&) = delete;
    Served& operator=(const Served&) = delete;
    ~Served()
    {
        io.stop();
        thread.join();
    }

    std::string answer_to(const std::string& request) const
    {
        const RawSocket client;
        client.connect(address.port);
        client.send(request);
        return client.read_all();
    }
};

} // namespace

TEST_CASE("a health address is an IP address and a port", "[http]")
{
    CHECK(need(HttpAddress::parse("127.0.0.1:9482")).to_string() == "127.0.0.1:9482");
    CHECK(need(HttpAddress::parse("[::1]:9482")).to_string() == "[::1]:9482");
    CHECK(need(HttpAddress::parse("[::1]:9482")).host == "::1");
    const auto wrong =
        GENERATE("", "9482", ":9482", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536",
                 "127.0.0.1:94x", "::1:9482", "[127.0.0.1]:9482", "localhost:9482");
    CAPTURE(wrong);
    CHECK(HttpAddress::parse(wrong).has_error());
}

TEST_CASE("GET is answered with what the handler says, whatever the query", "[http]")
{
    const Served served;
    const auto answer = need(http_get(served.address, "/readyz?verbose", 5s));
    CHECK(answer.status == 200);
    CHECK(answer.body == "asked for /readyz\n");
    CHECK(need(http_get(served.address, "/gone", 5s)).status == 404);
}

TEST_CASE("HEAD is answered without the body, and other methods are refused", "[http]")
{
    const Served served;
    const std::string head = served.answer_to("HEAD /livez HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK_THAT(head, has_text("200 OK"));
    CHECK_THAT(head, has_text("Content-Length: 17"));
    CHECK(head.find("asked for") == std::string::npos);

    const std::string post =
        served.answer_to("POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n");
    CHECK_THAT(post, has_text("405 Method Not Allowed"));
    CHECK_THAT(post, has_text("Allow: GET, HEAD"));
}

TEST_CASE("what is no request, or too large a one, gets no answer and does no harm", "[http]")
{
    const Served served;
    const std::string request = GENERATE(std::string("\x16\x03\x01 no HTTP\r\n\r\n"),
                                         "GET / HTTP/1.1\r\nX: " + std::string(8192, 'x') + "\r\n\r\n");
    CHECK(served.answer_to(request).empty());
    CHECK(need(http_get(served.address, "/livez", 5s)).status == 200);
}

TEST_CASE("clients that say nothing are dropped: at once when there are many, else after seconds", "[http]")
{
    const Served served;
    std::vector<RawSocket> silent(17);
    for (const RawSocket& client : silent)
        client.connect(served.address.port);
    CHECK(need(http_get(served.address, "/livez", 5s)).status == 200);

    const auto started = std::chrono::steady_clock::now();
    CHECK(silent.front().read_all().empty()); // the oldest has gone already
    CHECK(std::chrono::steady_clock::now() - started < 1s);
    CHECK(silent.back().read_all().empty());
    CHECK(std::chrono::steady_clock::now() - started < 7s);
}

TEST_CASE("an address that is taken is a finding with a remedy", "[http]")
{
    const RawSocket squatter;
    const Served served(squatter.squat());
    const auto findings = served.server.findings();
    REQUIRE(findings.size() == 1);
    CHECK(findings[0].code == "health-unavailable");
    CHECK_THAT(findings[0].detail, has_text(served.address.to_string()));
    CHECK_THAT(findings[0].remedy, has_text("--health-bind-address"));
}

TEST_CASE("an answer that does not come fails after its time", "[http]")
{
    const RawSocket squatter;
    const HttpAddress silent{"127.0.0.1", squatter.squat()};
    CHECK_THAT(http_get(silent, "/status", 1s).error().text(), has_text("GET http://" + silent.to_string()));
    CHECK(http_get({"127.0.0.1", free_port()}, "/status", 1s).has_error());
}
