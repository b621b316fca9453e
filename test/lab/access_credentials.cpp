// As whom the server is asked.
#include "test/lab/api_client.h"
#include "test/lab/json.h"
#include "test/lab/tls_server.h"

using namespace routelet;
using namespace routelet::test;
using lab::response;

namespace {

// A server, and a client of it without credentials.
struct Fixture {
    TemporaryDirectory directory;
    lab::Authority ca;
    lab::TlsServer server{ca.issue({.names = {"127.0.0.1"}})};
    k8s::ClusterConfig config;

    Fixture()
    {
        config.host = "127.0.0.1";
        config.port = server.port();
        config.ca.inline_pem = ca.certificate();
        config.origin = "the test";
    }
    void write(const std::string& name, const std::string& content, mode_t mode = 0600) const
    {
        need(write_file_atomically(directory.path / name, content, {.mode = mode}));
    }
    void use_plugin(const std::string& script)
    {
        write("plugin", "#!/bin/sh\n" + script, 0755);
        config.exec = k8s::ExecPlugin{.api_version = "client.authentication.k8s.io/v1",
                                      .command = (directory.path / "plugin").string(),
                                      .arguments = {},
                                      .environment = {{"D", directory.path.string()}},
                                      .install_hint = "",
                                      .provide_cluster_info = false,
                                      .cluster_config = ""};
    }
    // The value of a header of each request; "-" where there is none.
    std::vector<std::string> header(const std::string& name) const
    {
        std::vector<std::string> values;
        for (const lab::Visit& visit : server.visits()) {
            const std::size_t at = visit.request.find("\r\n" + name + ": ");
            const std::size_t begin = at + name.size() + 4;
            values.push_back(at == std::string::npos
                                 ? "-"
                                 : visit.request.substr(begin, visit.request.find("\r\n", begin) - begin));
        }
        return values;
    }
};

using Values = std::vector<std::string>;

} // namespace

TEST_CASE("white space around a token is no part of it", "[k8sclient][credentials][F36]")
{
    Fixture f;
    f.config.token_file = f.directory.path / "token";
    f.write("token", GENERATE("S3CRET", "S3CRET\n", "S3CRET\r\n", " \t S3CRET \r\n\r\n"));
    ApiClient client(f.config);
    CHECK(client.list() == "");
    CHECK(f.header("Authorization") == Values{"Bearer S3CRET"});
    CHECK(f.server.visits()[0].request.find("\n\n") == std::string::npos);
}

TEST_CASE("a token's file that is empty, gone or odd for a while leaves the token of before",
          "[k8sclient][credentials][F35]")
{
    Fixture f;
    f.config.token_file = f.directory.path / "token";
    f.write("token", "one");
    ApiClient client(f.config);
    CHECK(client.list() == "");
    f.write("token", "");
    CHECK(client.list() == "");
    f.write("token", "one\r\nX-Injected: yes");
    CHECK(client.list() == "");
    std::filesystem::remove(f.config.token_file);
    CHECK(client.list() == "");
    f.write("token", "two");
    CHECK(client.list() == "");
    CHECK(f.header("Authorization") ==
          Values{"Bearer one", "Bearer one", "Bearer one", "Bearer one", "Bearer two"});
    CHECK(f.header("X-Injected") == Values(5, "-"));
}

TEST_CASE("user and password go as Basic authentication, and who is impersonated in headers",
          "[k8sclient][credentials]")
{
    Fixture f;
    f.config.user = "me";
    f.config.password = k8s::Secret("S3CRET");
    f.config.headers = {{"Impersonate-User", "you"}, {"Impersonate-Group", "a"}, {"Impersonate-Group", "b"}};
    ApiClient client(f.config);
    CHECK(client.list() == "");
    CHECK(f.header("Authorization") == Values{"Basic bWU6UzNDUkVU"});
    CHECK_THAT(f.server.visits()[0].request,
               has_text("Impersonate-User: you\r\nImpersonate-Group: a\r\nImpersonate-Group: b\r\n"));
}

TEST_CASE("a plugin's token is used until the server refuses it, then asked for once more",
          "[k8sclient][credentials][F33]")
{
    Fixture f;
    f.use_plugin("echo >>$D/runs\nprintf "
                 "'{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\","
                 "\"status\":{\"token\":\"t%s\"}}' $(wc -l <$D/runs)\n");
    ApiClient client(f.config);
    CHECK(client.list() == "");
    f.server.reply_with({response("401 Unauthorized", "{}"), lab::empty_list()});
    CHECK(client.list() == "");
    CHECK(client.list() == "");
    CHECK(f.header("Authorization") == Values{"Bearer t1", "Bearer t1", "Bearer t2", "Bearer t2"});

    f.server.reply_with({response("401 Unauthorized", "{}")});
    CHECK_THAT(client.list(), has_text("401 Unauthorized"));
    CHECK(f.header("Authorization").size() == 6); // refused for good after one more try
}

TEST_CASE("a plugin's client certificate is presented, and the next one once it was replaced",
          "[k8sclient][credentials]")
{
    Fixture f;
    f.use_plugin("cat $D/answer\n");
    const auto give = [&](const std::string& name) {
        const lab::IssuedCertificate one = f.ca.issue({.common_name = name});
        const lab::Json status = {
            {"clientCertificateData", one.certificate},
            {"clientKeyData", one.key},
            {"expirationTimestamp", "2020-01-01T00:00:00Z"}}; // so it is asked each time
        f.write("answer", lab::Json({{"kind", "ExecCredential"},
                                     {"apiVersion", "client.authentication.k8s.io/v1"},
                                     {"status", status}})
                              .dump());
    };
    give("one");
    ApiClient client(f.config);
    CHECK(client.list() == "");
    give("two");
    CHECK(client.list() == "");
    CHECK(f.server.visits().at(0).certificate == "one");
    CHECK(f.server.visits().at(1).certificate == "two");
}

TEST_CASE("a plugin that fails keeps the server from being asked, and is named",
          "[k8sclient][credentials][F37]")
{
    Fixture f;
    f.use_plugin("echo log in first >&2; exit 1\n");
    ApiClient client(f.config);
    CHECK_THAT(client.list(), has_text("the test: credential plugin " + f.config.exec->command +
                                       ": it ended with status 1: log in first"));
    CHECK(f.server.visits().empty());
}
