// How the server's certificate is judged, and what is said of ours.
#include "test/lab/api_client.h"
#include "test/lab/tls_server.h"

#include <openssl/ssl.h>

using namespace routelet;
using namespace routelet::test;
using namespace std::chrono_literals;
using lab::Authority;
using lab::TlsServer;

namespace {

k8s::ClusterConfig config_for(const TlsServer& server, const Authority& ca,
                              const std::string& host = "127.0.0.1")
{
    k8s::ClusterConfig config;
    config.host = host;
    config.port = server.port();
    config.ca.inline_pem = ca.certificate();
    config.token = k8s::Secret("S3CRET");
    config.origin = "the test";
    return config;
}

void replace(const std::filesystem::path& file, const std::string& content)
{
    need(write_file_atomically(file, content));
}

} // namespace

TEST_CASE("each way in which a server's certificate is wrong is said in words of its own",
          "[k8sclient][tls][F22][F23][F24][F25]")
{
    struct Case {
        lab::CertificateWish wish;
        bool is_signed_by_ca;
        std::string says;
    };
    const std::vector<std::string> here = {"127.0.0.1"};
    const auto c = GENERATE_COPY(
        Case{{.names = here}, false, "the CA in the test did not sign the server's certificate"},
        Case{{.names = here, .begins = -48h, .ends = -24h}, true, "the server's certificate has expired"},
        Case{{.names = here, .begins = 24h, .ends = 48h}, true, "the server's certificate is not valid yet"},
        Case{{.names = {"api.example", "127.0.0.2"}}, true, "the server's certificate is not for 127.0.0.1"},
        Case{{.common_name = "127.0.0.1"}, true, "the server's certificate is not for 127.0.0.1"});
    const Authority ca;
    const Authority other;
    const TlsServer server((c.is_signed_by_ca ? ca : other).issue(c.wish));
    ApiClient client(config_for(server, ca));
    const std::string trouble = client.list();
    CHECK_THAT(trouble,
               has_text("TLS to https://127.0.0.1:" + std::to_string(server.port()) + ": " + c.says));
    for (const lab::Visit& visit : server.visits())
        CHECK(visit.request.empty());
}

TEST_CASE("the common name of a certificate is no name of the server", "[k8sclient][tls][F26]")
{
    const Authority ca;
    const TlsServer server(ca.issue({.common_name = "localhost"}));
    ApiClient client(config_for(server, ca, "localhost"));
    CHECK_THAT(client.list(), has_text("the server's certificate is not for localhost"));
}

TEST_CASE("an address is compared as an address, not as a text", "[k8sclient][tls][F27]")
{
    const Authority ca;
    const bool is_v6 = GENERATE(true, false);
    const TlsServer server(ca.issue({.names = {is_v6 ? "::1" : "127.0.0.1"}}),
                           {.address = is_v6 ? "::1" : "127.0.0.1"});
    ApiClient client(config_for(server, ca, is_v6 ? "0:0:0:0:0:0:0:1" : "127.0.0.1"));
    CHECK(client.list() == "");
    REQUIRE(server.visits().size() == 1);
    CHECK(server.visits()[0].server_name == ""); // RFC 6066 knows no addresses
}

TEST_CASE("the name that is given for TLS is the one sent and checked", "[k8sclient][tls][F28][F30]")
{
    const Authority ca;
    const TlsServer server(ca.issue({.names = {"api.example"}}));
    k8s::ClusterConfig config = config_for(server, ca);
    config.tls_server_name = "api.example";
    ApiClient client(config);
    CHECK(client.list() == "");
    REQUIRE(server.visits().size() == 1);
    CHECK(server.visits()[0].server_name == "api.example");
    CHECK_FALSE(server.visits()[0].offered_alpn); // a server that prefers HTTP/2 has to speak HTTP/1.1
}

TEST_CASE("TLS older than 1.2 is refused", "[k8sclient][tls][F29]")
{
    const Authority ca;
    const int newest = GENERATE(TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION);
    const TlsServer server(ca.issue({.names = {"127.0.0.1"}}), {.max_version = newest});
    ApiClient client(config_for(server, ca));
    const std::string trouble = client.list();
    CHECK(trouble.empty() == (newest != TLS1_1_VERSION));
    for (const lab::Visit& visit : server.visits())
        CHECK(visit.request.empty() == !trouble.empty());
}

TEST_CASE("a server may ask for new keys in the middle of an answer", "[k8sclient][tls]")
{
    const Authority ca;
    const int newest = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
    CAPTURE(newest);
    TlsServer server(ca.issue({.names = {"127.0.0.1"}}), {.max_version = newest, .asks_for_new_keys = true});
    ApiClient client(config_for(server, ca));
    CHECK(client.list() == "");
    CHECK(client.list() == "");
    CHECK(server.visits().size() == 2);
}

TEST_CASE("a certificate that nobody signed is taken when verification is off", "[k8sclient][tls]")
{
    const Authority ca;
    const Authority other;
    const TlsServer server(other.issue({.names = {"api.example"}, .begins = -48h, .ends = -24h}));
    k8s::ClusterConfig config = config_for(server, ca);
    config.ca = {};
    config.skip_tls_verify = true;
    ApiClient client(config);
    CHECK(client.list() == "");
}

TEST_CASE("a CA that is replaced is used from the next connection on", "[k8sclient][tls][F31]")
{
    const TemporaryDirectory directory;
    const Authority before;
    const Authority after;
    TlsServer server(before.issue({.names = {"127.0.0.1"}}));
    k8s::ClusterConfig config = config_for(server, before);
    const auto mounted = directory.path / "ca.crt"; // a link that is swapped, as the kubelet does
    replace(directory.path / "old", before.certificate());
    replace(directory.path / "new", before.certificate() + after.certificate());
    std::filesystem::create_symlink("old", mounted);
    config.ca = {.inline_pem = "", .file = mounted};
    ApiClient client(config);
    CHECK(client.list() == "");

    server.present(after.issue({.names = {"127.0.0.1"}}));
    CHECK_THAT(client.list(), has_text("did not sign the server's certificate"));
    std::filesystem::create_symlink("new", directory.path / "next");
    std::filesystem::rename(directory.path / "next", mounted);
    CHECK(client.list() == "");
    CHECK(client.notices.empty());
}

TEST_CASE("a CA file that cannot be used leaves the CA of before, and is told once", "[k8sclient][tls]")
{
    const TemporaryDirectory directory;
    const Authority ca;
    const TlsServer server(ca.issue({.names = {"127.0.0.1"}}));
    k8s::ClusterConfig config = config_for(server, ca);
    config.ca = {.inline_pem = "", .file = directory.path / "ca.crt"};
    const std::string whole = ca.certificate();
    const std::string wrong =
        GENERATE_COPY(std::string(), std::string("garbage"), whole + whole.substr(0, 100));
    replace(config.ca.file, ca.certificate());
    ApiClient client(config);
    CHECK(client.list() == "");
    CHECK(client.notices.empty());

    replace(config.ca.file, wrong);
    CHECK(client.list() == "");
    CHECK(client.list() == "");
    REQUIRE(client.notices.size() == 1);
    CHECK(client.notices[0].what == k8s::AccessNotice::What::credentials_kept);
    CHECK_THAT(client.notices[0].error->text(), has_text("CA"));

    replace(config.ca.file, ca.certificate());
    CHECK(client.list() == "");
    REQUIRE(client.notices.size() == 2);
    CHECK(client.notices[1].what == k8s::AccessNotice::What::credentials_good);
}

TEST_CASE("a client certificate is replaced together with its key, never without", "[k8sclient][tls][F32]")
{
    const TemporaryDirectory directory;
    const Authority ca;
    const TlsServer server(ca.issue({.names = {"127.0.0.1"}}));
    const lab::IssuedCertificate one = ca.issue({.common_name = "one"});
    const lab::IssuedCertificate two = ca.issue({.common_name = "two"});
    k8s::ClusterConfig config = config_for(server, ca);
    config.client_certificate.file = directory.path / "client.crt";
    config.client_key.file = directory.path / "client.key";
    replace(config.client_certificate.file, one.certificate);
    replace(config.client_key.file, one.key);
    ApiClient client(config);
    CHECK(client.list() == "");
    replace(config.client_certificate.file, two.certificate);
    CHECK(client.list() == "");
    REQUIRE(client.notices.size() == 1);
    CHECK_THAT(client.notices[0].error->text(), has_text("certificate and key do not belong together"));
    replace(config.client_key.file, two.key);
    CHECK(client.list() == "");
    CHECK(client.notices.size() == 2);

    std::vector<std::string> names;
    for (const lab::Visit& visit : server.visits())
        names.push_back(visit.certificate);
    CHECK(names == std::vector<std::string>{"one", "one", "two"});
}

TEST_CASE("a client certificate and its key may be in one file, in any order", "[k8sclient][tls]")
{
    const TemporaryDirectory directory;
    const Authority ca;
    const TlsServer server(ca.issue({.names = {"127.0.0.1"}}));
    const lab::IssuedCertificate one = ca.issue({.common_name = "one"});
    k8s::ClusterConfig config = config_for(server, ca);
    config.client_certificate.file = config.client_key.file = directory.path / "client.pem";
    replace(config.client_key.file, GENERATE_COPY(one.certificate + one.key, one.key + one.certificate));
    ApiClient client(config);
    CHECK(client.list() == "");
    CHECK(server.visits().at(0).certificate == "one");
}

TEST_CASE("a client certificate that was never right is reported", "[k8sclient][tls]")
{
    const Authority ca;
    const TlsServer server(ca.issue({.names = {"127.0.0.1"}}));
    k8s::ClusterConfig config = config_for(server, ca);
    config.client_certificate.inline_pem = ca.issue({}).certificate;
    config.client_key.inline_pem = ca.issue({}).key;
    ApiClient client(config);
    CHECK_THAT(client.list(),
               has_text("client certificate of the test: certificate and key do not belong together"));
    CHECK(server.visits().empty());
}
