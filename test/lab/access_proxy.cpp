// The server behind a proxy.
#include "test/lab/api_client.h"
#include "test/lab/test_proxy.h"
#include "test/lab/tls_server.h"

using namespace routelet;
using namespace routelet::test;
using lab::TestProxy;

namespace {

// A server whose name only the proxy knows.
struct Fixture {
    lab::Authority ca;
    lab::TlsServer server{ca.issue({.names = {"api.example"}})};
    k8s::ClusterConfig config;

    Fixture()
    {
        config.host = "api.example";
        config.port = 6443;
        config.ca.inline_pem = ca.certificate();
        config.origin = "the test";
    }
    std::string list_through(const TestProxy& proxy, const std::string& before_host)
    {
        config.proxy.proxy =
            need(k8s::parse_proxy_url(before_host + "127.0.0.1:" + std::to_string(proxy.port())));
        ApiClient client(config);
        return client.list();
    }
};

} // namespace

TEST_CASE("a proxy is asked by CONNECT for the server's name, and shown no credential but its own",
          "[k8sclient][proxy]")
{
    Fixture f;
    f.config.token = k8s::Secret("S3CRET");
    const TestProxy proxy(f.server.port());
    CHECK(f.list_through(proxy, "http://") == "");
    CHECK(f.list_through(proxy, "http://me:pass@") == "");
    REQUIRE(proxy.requests().size() == 2);
    CHECK(proxy.requests()[0] == "CONNECT api.example:6443 HTTP/1.1\r\nHost: api.example:6443\r\n\r\n");
    CHECK_THAT(proxy.requests()[1], has_text("Proxy-Authorization: Basic bWU6cGFzcw==\r\n"));
    REQUIRE(f.server.visits().size() == 2);
    CHECK(f.server.visits()[0].server_name == "api.example");
    CHECK_THAT(f.server.visits()[0].request, has_text("Authorization: Bearer S3CRET\r\n"));
    CHECK_THAT(f.server.visits()[0].request, !has_text("Proxy-Authorization"));
}

TEST_CASE("a SOCKS5 proxy is asked for the server by name or address", "[k8sclient][proxy]")
{
    Fixture f;
    const TestProxy proxy(f.server.port());
    CHECK(f.list_through(proxy, "socks5://") == "");
    f.config.tls_server_name = "api.example";
    f.config.host = "10.0.0.1";
    CHECK(f.list_through(proxy, "socks5h://") == "");
    CHECK(proxy.requests() == std::vector<std::string>{"socks5 api.example:6443", "socks5 10.0.0.1:6443"});
}

TEST_CASE("a SOCKS5 proxy may want user and password", "[k8sclient][proxy]")
{
    Fixture f;
    const TestProxy proxy(f.server.port(), "", "S3CRET");
    CHECK(f.list_through(proxy, "socks5://me:S3CRET@") == "");
    CHECK_THAT(f.list_through(proxy, "socks5://me:S3CRAT@"),
               has_text("does not accept the user and password"));
    CHECK_THAT(f.list_through(proxy, "socks5://"), has_text("the proxy wants user and password"));
}

TEST_CASE("what a proxy says instead is reported with both ends, and without its password",
          "[k8sclient][proxy]")
{
    struct Case {
        std::string answer;
        std::string says;
    };
    const auto c =
        GENERATE(Case{"HTTP/1.1 403 Forbidden\r\n\r\n", "the proxy said 403 Forbidden"},
                 Case{"HTTP/1.0 407 Proxy Authentication Required\r\nX: y\r\n\r\n",
                      "407 Proxy Authentication Required; write user and password into the proxy's URL"},
                 Case{"SSH-2.0-OpenSSH_9.2\r\n\r\n", "what answers there is no HTTP proxy"},
                 Case{"HTTP/1.1 200 OK\r\n", "waiting for the proxy's answer"},
                 Case{std::string(20'000, 'x'), "waiting for the proxy's answer"});
    Fixture f;
    const TestProxy proxy(f.server.port(), c.answer);
    const std::string trouble = f.list_through(proxy, "http://me:S3CRET@");
    CHECK_THAT(trouble,
               has_text("api.example:6443 through proxy http://127.0.0.1:" + std::to_string(proxy.port())));
    CHECK_THAT(trouble, has_text(c.says));
    CHECK(trouble.find("S3CRET") == std::string::npos);
    CHECK(f.server.visits().empty());
}
