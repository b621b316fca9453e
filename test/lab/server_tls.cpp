#include "test/lab/server.h"
#include "test/support/catch.h"
#include "test/support/temporary_directory.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>

#include <fstream>

using namespace routelet::lab;
using routelet::test::has_text;
using routelet::test::TemporaryDirectory;

namespace asio = boost::asio;

namespace {

// One connection: a request, and the bytes of what comes back.
class Client {
public:
    Client(const Server& server, std::string token, std::string accept = "*/*")
        : token_(std::move(token)), accept_(std::move(accept))
    {
        tls_.load_verify_file(server.ca_file().string());
        stream_.set_verify_mode(asio::ssl::verify_peer);
        stream_.set_verify_callback(asio::ssl::host_name_verification("127.0.0.1"));
        stream_.next_layer().connect({asio::ip::make_address("127.0.0.1"), server.port()});
        stream_.handshake(asio::ssl::stream_base::client);
    }
    void ask(const std::string& target, const std::string& method = "GET", const std::string& body = {})
    {
        const std::string text = method + " " + target + " HTTP/1.1\r\nHost: lab\r\nAuthorization: Bearer " +
                                 token_ + "\r\nAccept: " + accept_ +
                                 "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
        asio::write(stream_, asio::buffer(text));
    }
    // Up to and with this text; what came before the end when the connection ends first.
    std::string until(const std::string& end)
    {
        boost::system::error_code error;
        std::size_t size = asio::read_until(stream_, buffer_, end, error);
        ended_ = static_cast<bool>(error);
        if (error)
            size = buffer_.size();
        std::string text(asio::buffers_begin(buffer_.data()),
                         asio::buffers_begin(buffer_.data()) + static_cast<std::ptrdiff_t>(size));
        buffer_.consume(size);
        return text;
    }
    bool ended() const { return ended_; }

private:
    asio::io_context context_;
    asio::ssl::context tls_{asio::ssl::context::tls_client};
    asio::ssl::stream<asio::ip::tcp::socket> stream_{context_, tls_};
    asio::streambuf buffer_;
    std::string token_;
    std::string accept_;
    bool ended_ = false;
};

constexpr auto end_of_body = "\r\n0\r\n\r\n";

Json named(const std::string& name)
{
    return {{"metadata", {{"name", name}}}};
}

struct Fixture {
    TemporaryDirectory directory;
    Server server{{.directory = directory.path, .bookmark_interval = std::chrono::milliseconds(50)}};
};

} // namespace

TEST_CASE("a list comes over TLS, again and again on one connection", "[lab][tls]")
{
    Fixture f;
    f.server.put_node(named("node01"));
    Client client(f.server, f.server.token());
    for (int i = 0; i < 3; ++i) {
        client.ask("/api/v1/nodes");
        const std::string reply = client.until(end_of_body);
        CHECK_THAT(reply, has_text("HTTP/1.1 200 OK"));
        CHECK_THAT(reply, has_text("node01"));
    }
    CHECK(f.server.requests().size() == 3);
}

TEST_CASE("a watch follows, sends bookmarks, ends in time, and leaves the connection usable", "[lab][tls]")
{
    Fixture f;
    Client client(f.server, f.server.token());
    client.ask("/api/v1/nodes?watch=1&allowWatchBookmarks=true&timeoutSeconds=1&resourceVersion=" +
               std::to_string(f.server.version()));
    client.until("\r\n\r\n");
    f.server.put_node(named("node01"));
    CHECK_THAT(client.until("\n\r\n"), has_text("node01") || has_text("BOOKMARK"));
    const std::string rest = client.until(end_of_body);
    CHECK_THAT(rest, has_text("BOOKMARK"));
    CHECK_FALSE(client.ended());
    client.ask("/healthz");
    CHECK_THAT(client.until(end_of_body), has_text("ok"));
}

TEST_CASE("a token that is taken away is worth nothing, and a new one works", "[lab][tls]")
{
    Fixture f;
    std::ofstream(f.server.tokens_file()) << "new,someone,9,\"system:masters\"\n";
    Client old(f.server, f.server.token());
    old.ask("/api/v1/nodes");
    CHECK_THAT(old.until("\"code\":401"), has_text("HTTP/1.1 401 Unauthorized"));
    Client fresh(f.server, "new");
    fresh.ask("/api/v1/nodes");
    CHECK_THAT(fresh.until(end_of_body), has_text("200 OK"));
}

TEST_CASE("faults strike what they are for, and heal", "[lab][tls]")
{
    Fixture f;
    f.server.put_node(named("node01"));
    f.server.inject({.what = Fault::What::status,
                     .requests = Fault::Requests::list,
                     .status = 429,
                     .retry_after = "7",
                     .body = "slow down"});
    f.server.inject(
        {.what = Fault::What::cut, .requests = Fault::Requests::list, .times = 0, .after_bytes = 10});

    Client client(f.server, f.server.token());
    client.ask("/api/v1/nodes");
    const std::string busy = client.until("slow down");
    CHECK_THAT(busy, has_text("429 Too Many Requests"));
    CHECK_THAT(busy, has_text("Retry-After: 7"));
    client.ask("/api/v1/nodes");
    const std::string part = client.until(end_of_body);
    CHECK(client.ended());
    CHECK_THAT(part, has_text(R"({"kind":"N)"));
    CHECK_THAT(part, !has_text("NodeList"));

    f.server.heal();
    Client healed(f.server, f.server.token());
    healed.ask("/api/v1/nodes");
    CHECK_THAT(healed.until(end_of_body), has_text("node01"));
}

TEST_CASE("scripts break and heal the server over HTTP", "[lab][tls]")
{
    Fixture f;
    Client client(f.server, f.server.token());
    client.ask("/lab/faults", "POST", R"({"what":"gone","requests":"watch"})");
    CHECK_THAT(client.until(end_of_body), has_text(R"("what":"gone")"));
    client.ask("/api/v1/nodes?watch=1&resourceVersion=" + std::to_string(f.server.version()));
    CHECK_THAT(client.until(R"("code":410)"), has_text("HTTP/1.1 200 OK"));

    Client agent(f.server, f.server.agent_token());
    agent.ask("/lab/faults");
    CHECK_THAT(agent.until("\"code\":403"), has_text("403 Forbidden"));
}

TEST_CASE("a stopped server cuts its connections, and comes back on its port with its data", "[lab][tls]")
{
    Fixture f;
    f.server.put_node(named("node01"));
    const auto port = f.server.port();
    Client client(f.server, f.server.token());
    client.ask("/api/v1/nodes?watch=1");
    client.until("node01");
    f.server.stop();
    client.until("never comes");
    CHECK(client.ended());
    CHECK_THROWS(Client(f.server, f.server.token()));

    f.server.start();
    CHECK(f.server.port() == port);
    Client again(f.server, f.server.token());
    again.ask("/api/v1/nodes");
    CHECK_THAT(again.until(end_of_body), has_text("node01"));
}

TEST_CASE("a server in the same directory goes on where the last one ended", "[lab][tls]")
{
    const TemporaryDirectory directory;
    std::string token;
    std::uint64_t version = 0;
    {
        Server first({.directory = directory.path});
        first.put_node(named("node01"));
        token = first.token();
        version = first.version();
    }
    Server second({.directory = directory.path});
    CHECK(second.token() == token);
    CHECK(second.version() == version);
    Client client(second, token);
    client.ask("/api/v1/nodes");
    CHECK_THAT(client.until(end_of_body), has_text("node01"));
}

TEST_CASE("lists, events and the faults among them come in protobuf to who asks for it", "[lab][tls]")
{
    Fixture f;
    constexpr auto protobuf = "application/vnd.kubernetes.protobuf";
    Client client(f.server, f.server.agent_token(), protobuf);
    f.server.put_node(named("n"));

    client.ask("/api/v1/nodes");
    CHECK_THAT(client.until("\r\n\r\n"), has_text(std::string("Content-Type: ") + protobuf + "\r\n"));
    CHECK_THAT(client.until(end_of_body), has_text(std::string("k8s\0\n", 5)) && has_text("NodeList"));

    f.server.inject({.what = Fault::What::gone, .requests = Fault::Requests::watch, .after_frames = 2});
    client.ask("/api/v1/nodes?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
               "&allowWatchBookmarks=true");
    CHECK_THAT(client.until("\r\n\r\n"), has_text(std::string(protobuf) + ";stream=watch\r\n"));
    const std::string body = client.until(end_of_body);
    const auto mark = body.find("k8s.io/initial-events-end");
    const auto error = body.find("ERROR");
    CHECK(body.find("ADDED") < mark);
    CHECK(mark < error);
    CHECK(error < body.find("too old resource version"));
}

TEST_CASE("a fault that answers with a Status does so in the form that was asked for", "[lab][tls]")
{
    Fixture f;
    Client client(f.server, f.server.agent_token(), "application/vnd.kubernetes.protobuf");
    f.server.inject({.what = Fault::What::status, .status = 503});
    client.ask("/api/v1/nodes");
    const std::string answer = client.until("a fault of the lab");
    CHECK_THAT(answer, has_text("503 Service Unavailable") && has_text("protobuf\r\n"));
}

TEST_CASE("a body that is made piece by piece comes whole, or cut where a fault says", "[lab][tls]")
{
    const TemporaryDirectory directory;
    Server server{{.directory = directory.path, .simulated_nodes = 60}};
    Client client(server, server.agent_token());
    for (int i = 0; i < 2; ++i) {
        client.ask("/api/v1/nodes");
        client.until("\r\n\r\n");
        const std::string body = client.until(end_of_body);
        CHECK(body.size() > 60 * 17'000);
        CHECK_THAT(body, has_text("node-000059"));
    }
    server.inject({.what = Fault::What::cut, .after_bytes = 700'000, .reset = false});
    client.ask("/api/v1/nodes");
    const std::string body = client.until(end_of_body);
    CHECK(client.ended());
    CHECK(body.size() > 700'000);
    CHECK(body.size() < 800'000);
}

TEST_CASE("a watch says nothing of versions before all initial events are sent", "[lab][tls]")
{
    const TemporaryDirectory directory;
    Server server{{.directory = directory.path,
                   .bookmark_interval = std::chrono::milliseconds(1),
                   .simulated_nodes = 300}};
    Client client(server, server.agent_token());
    client.ask("/api/v1/nodes?watch=1&allowWatchBookmarks=true&timeoutSeconds=1");
    const std::string body = client.until(end_of_body);
    const auto mark = body.find("BOOKMARK");
    CHECK(mark > body.rfind("ADDED"));
    CHECK(body.find("initial-events-end") < body.find("BOOKMARK", mark + 1));
}
