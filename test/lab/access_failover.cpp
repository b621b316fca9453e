// Several servers of one cluster.
#include "test/lab/api_client.h"
#include "test/lab/server.h"
#include "test/lab/tls_server.h"

using namespace routelet;
using namespace routelet::test;
using namespace std::chrono_literals;
using What = k8s::AccessNotice::What;

namespace {

// Two lab servers with one CA and one set of tokens.
struct TwoServers {
    TemporaryDirectory first_directory;
    TemporaryDirectory second_directory;
    lab::Server first{{.directory = first_directory.path}};
    lab::Server second;

    TwoServers() : second({.directory = like_the_first()}) {}

    k8s::ClusterConfig config() const
    {
        auto config = need(k8s::load_kubeconfig(first.agent_kubeconfig()));
        need(k8s::override_servers(config, {first.url(), second.url()}));
        return config;
    }
    lab::Server& at(const std::string& url) { return url == first.url() ? first : second; }
    lab::Server& other_than(const std::string& url) { return url == first.url() ? second : first; }

private:
    std::filesystem::path like_the_first() const
    {
        for (const char* name : {"ca.crt", "ca.key", "tokens"})
            std::filesystem::copy(first_directory.path / name, second_directory.path / name);
        return second_directory.path;
    }
};

} // namespace

TEST_CASE("when a server stops the other one is asked, and stayed with", "[k8sclient][failover][F14]")
{
    TwoServers servers;
    ApiClient client(servers.config());
    CHECK(client.list() == "");
    REQUIRE(client.notices.size() == 1);
    const std::string used = client.notices[0].server;
    CHECK(servers.at(used).requests().size() == 1);

    servers.at(used).stop();
    CHECK(client.list() == "");
    REQUIRE(client.notices.size() == 2);
    CHECK(client.notices[1].what == What::connected);
    CHECK(client.notices[1].server == servers.other_than(used).url());
    REQUIRE(client.notices[1].error);
    CHECK_THAT(client.notices[1].error->text(), has_text("connecting to " + used.substr(8)));

    servers.at(used).start();
    CHECK(client.list() == "");
    CHECK(client.notices.size() == 2);
    servers.other_than(used).stop();
    CHECK(client.list() == "");
    CHECK(client.notices.back().server == used);
}

TEST_CASE("when no server can be reached each is named with what is wrong", "[k8sclient][failover]")
{
    TwoServers servers;
    servers.first.stop();
    servers.second.stop();
    ApiClient client(servers.config());
    const std::string trouble = client.list();
    for (const lab::Server* server : {&servers.first, &servers.second})
        CHECK_THAT(trouble, has_text("connecting to " + server->url().substr(8) + ": Connection refused"));
    CHECK(client.notices.empty());
}

TEST_CASE("a server that is not ready or sends its clients away is left for the other one",
          "[k8sclient][failover]")
{
    const lab::Authority ca;
    const std::string reply = GENERATE(
        std::string("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"),
        std::string("HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"),
        std::string());
    const lab::IssuedCertificate identity = ca.issue({.names = {"127.0.0.1"}});
    lab::TlsServer a(identity);
    lab::TlsServer b(identity);
    k8s::ClusterConfig config;
    config.host = "127.0.0.1";
    config.ca.inline_pem = ca.certificate();
    need(k8s::override_servers(
        config, {"127.0.0.1:" + std::to_string(a.port()), "127.0.0.1:" + std::to_string(b.port())}));
    ApiClient client(config);
    CHECK(client.list() == "");
    const bool is_at_a = client.notices.at(0).server.ends_with(std::to_string(a.port()));
    (is_at_a ? a : b).reply_with({reply});
    CHECK(client.list() != "");
    CHECK(client.list() == "");
    CHECK(client.list() == "");
    CHECK((is_at_a ? a : b).visits().size() == 2);
    CHECK((is_at_a ? b : a).visits().size() == 2);
    REQUIRE(client.notices.size() == 2);
    CHECK(client.notices[1].error.has_value());
}

TEST_CASE("other refusals say nothing against the server", "[k8sclient][failover]")
{
    TwoServers servers;
    for (lab::Server* server : {&servers.first, &servers.second})
        server->inject(
            {.what = lab::Fault::What::status, .status = GENERATE(403U, 429U, 500U), .body = "no"});
    ApiClient client(servers.config());
    CHECK(client.list() != "");
    CHECK(client.list() == "");
    CHECK(client.notices.size() == 1);
}

TEST_CASE("a server that accepts and says nothing is left within ten seconds", "[k8sclient][failover][F2]")
{
    TwoServers servers;
    ApiClient client(servers.config());
    CHECK(client.list() == "");
    const std::string used = client.notices.at(0).server;
    servers.at(used).stop();
    servers.at(used).inject(
        {.what = lab::Fault::What::silence, .requests = lab::Fault::Requests::connect, .times = 0});
    servers.at(used).start();
    const auto start = std::chrono::steady_clock::now();
    CHECK(client.list() == "");
    CHECK(std::chrono::steady_clock::now() - start < 13s);
    CHECK_THAT(client.notices.back().error->text(), has_text("TLS to " + used));
}
