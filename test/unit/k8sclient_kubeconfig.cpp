#include "base/file.h"
#include "k8sclient/config.h"
#include "test/lab/base64.h"
#include "test/lab/certificate.h"
#include "test/support/catch.h"
#include "test/support/temporary_directory.h"

#include <sys/stat.h>

#include <vector>

using namespace routelet;
using namespace routelet::test;

namespace {

constexpr auto secret = "S3CRET"; // in every credential here; must be in no message

// A directory with a kubeconfig in it, and PEM files for it to name.
struct Files {
    TemporaryDirectory directory;
    lab::Identity pem = lab::identity_in(directory.path, {"127.0.0.1"});
    std::filesystem::path file = directory.path / "k.yaml";

    void write(const std::string& name, const std::string& content) const
    {
        need(write_file_atomically(directory.path / name, content));
    }
    Result<k8s::ClusterConfig> load_text(const std::string& text, std::string_view context = {}) const
    {
        write("k.yaml", text);
        return k8s::load_kubeconfig(file, context);
    }
    // `cluster` and `user` are what stands between the braces of their entries.
    Result<k8s::ClusterConfig> load(const std::string& cluster, const std::string& user = {}) const
    {
        return load_text("current-context: prod\n"
                         "contexts: [{name: prod, context: {cluster: c1, user: u1}}]\n"
                         "clusters: [{name: c1, cluster: {" +
                         cluster +
                         "}}]\n"
                         "users: [{name: u1, user: {" +
                         user + "}}]\n");
    }
    k8s::ClusterConfig with_cluster(const std::string& cluster) const { return need(load(cluster)); }
    k8s::ClusterConfig with_user(const std::string& user) const
    {
        return need(load("server: 'https://10.0.0.1:6443'", user));
    }
    std::string text_of_user_error(const std::string& user) const
    {
        const auto config = load("server: 'https://10.0.0.1:6443'", user);
        REQUIRE(config.has_error());
        return config.error().text();
    }
    std::string text_of_cluster_error(const std::string& cluster) const
    {
        const auto config = load(cluster);
        REQUIRE(config.has_error());
        return config.error().text();
    }
    std::string text_of_error(const std::string& text, std::string_view context = {}) const
    {
        const auto config = load_text(text, context);
        REQUIRE(config.has_error());
        CHECK_THAT(config.error().text(), has_text("kubeconfig " + file.string() + ": "));
        return config.error().text();
    }
    std::string base64(const std::filesystem::path& path) const
    {
        return lab::to_base64(need(read_file(path)));
    }
};

// A word of `text` that should not be there fails with the whole of it shown.
void check_silent_about(const std::string& word, const std::string& text)
{
    CAPTURE(text);
    CHECK(text.find(word) == std::string::npos);
}

} // namespace

TEST_CASE("a kubeconfig's server may be written in several ways", "[k8sclient][config]")
{
    struct Case {
        std::string server;
        std::string host;
        int port;
        std::string prefix;
        std::string url;
    };
    const auto c = GENERATE(Case{"https://10.0.0.1:6443", "10.0.0.1", 6443, "", "https://10.0.0.1:6443"},
                            Case{"https://api.example", "api.example", 443, "", "https://api.example:443"},
                            Case{"https://api.example/", "api.example", 443, "", "https://api.example:443"},
                            Case{"api.example:6443", "api.example", 6443, "", "https://api.example:6443"},
                            Case{"https://[fd00::1]:6443", "fd00::1", 6443, "", "https://[fd00::1]:6443"},
                            Case{"https://[fd00::1]", "fd00::1", 443, "", "https://[fd00::1]:443"},
                            Case{"https://r.example/k8s/clusters/x/", "r.example", 443, "/k8s/clusters/x",
                                 "https://r.example:443/k8s/clusters/x"});
    const Files files;
    const auto config = files.with_cluster("server: '" + c.server + "'");
    CHECK(config.host == c.host);
    CHECK(config.port == c.port);
    CHECK(config.path_prefix == c.prefix);
    CHECK(config.url() == c.url);
}

TEST_CASE("a kubeconfig's server that cannot be used is refused with what to write", "[k8sclient][config]")
{
    struct Case {
        std::string server;
        std::string says;
    };
    const auto c = GENERATE(
        Case{"", "it has no server: add \"server: https://HOST:6443\""},
        Case{"http://10.0.0.1:8080", "plain http is not supported"},
        Case{"unix:///x", "only https is supported"}, Case{"https://", "it should read https://HOST:PORT"},
        Case{"https://:6443", "it should read"}, Case{"https://h:", "it should read"},
        Case{"https://[fd00::1", "it should read"}, Case{"https://[fd00::1]6443", "it should read"},
        Case{"https://[node]:6443", "it should read"},
        Case{"https://fd00::1:6443", "an IPv6 address is written in brackets"},
        Case{"https://h:0", "the port should be a number from 1 to 65535"},
        Case{"https://h:65536", "the port should be"}, Case{"https://h:x", "the port should be"},
        Case{"https://h o", "a character that no host name has"},
        Case{"https://h/a b", "a character that must be escaped"},
        Case{"https://h?x=1", "a query or fragment has no meaning"});
    const Files files;
    const std::string text = files.text_of_cluster_error("server: '" + c.server + "'");
    CHECK_THAT(text, has_text("kubeconfig " + files.file.string() + ": cluster \"c1\": "));
    CHECK_THAT(text, has_text(c.says));
}

TEST_CASE("a password in the server's address is refused and not shown", "[k8sclient][config]")
{
    const std::string server = GENERATE("https://me:S3CRET@10.0.0.1:6443", "http://me:S3CRET@h", "S3CRET@h:1",
                                        "ftp://S3CRET@h", "https://me:S3CRET/x@[fd00::1]:6443");
    const Files files;
    const std::string text = files.text_of_cluster_error("server: '" + server + "'");
    CHECK_THAT(text, has_text("a user name or password in the address is not supported"));
    check_silent_about(secret, text);
}

TEST_CASE("a kubeconfig may be JSON", "[k8sclient][config]")
{
    const Files files;
    const auto config = need(files.load_text(
        R"({"kind":"Config","apiVersion":"v1","current-context":"prod",
            "contexts":[{"name":"prod","context":{"cluster":"c1","user":"u1"}}],
            "clusters":[{"name":"c1","cluster":{"server":"https:\/\/10.0.0.1:6443","tls-server-name":"api"}}],
            "users":[{"name":"u1","user":{"token":"S3CRET"}}]})"));
    CHECK(config.url() == "https://10.0.0.1:6443");
    CHECK(config.tls_server_name == "api");
    CHECK(config.token.reveal() == secret);
    CHECK(config.origin == "kubeconfig " + files.file.string() + ", context \"prod\"");
}

TEST_CASE("a context may be chosen, with or without a user", "[k8sclient][config]")
{
    const std::string text = "current-context: a\n"
                             "contexts:\n"
                             "- {name: a, context: {cluster: c1, user: u1}}\n"
                             "- {name: b, context: {cluster: c2}}\n"
                             "clusters:\n"
                             "- {name: c1, cluster: {server: 'https://one'}}\n"
                             "- {name: c2, cluster: {server: 'https://two'}}\n"
                             "users: [{name: u1, user: {token: S3CRET}}]\n";
    const Files files;
    CHECK(need(files.load_text(text)).host == "one");
    const auto config = need(files.load_text(text, "b"));
    CHECK(config.host == "two");
    CHECK(config.token.empty());
    CHECK_THAT(files.text_of_error(text, "c"),
               has_text("it has no context \"c\"; its contexts: \"a\", \"b\""));
}

TEST_CASE("a CA comes from a file beside the kubeconfig, from an absolute path, or in place",
          "[k8sclient][config]")
{
    const Files files;
    const std::string server = "server: 'https://h', ";
    CHECK(files.with_cluster(server + "certificate-authority: ca.crt").ca.file == files.pem.ca);
    CHECK(files.with_cluster(server + "certificate-authority: '" + files.pem.ca.string() + "'").ca.file ==
          files.pem.ca);
    const auto in_place = files.with_cluster(server +
                                             "certificate-authority: nowhere.crt, "
                                             "certificate-authority-data: " +
                                             files.base64(files.pem.ca));
    CHECK(in_place.ca.inline_pem == need(read_file(files.pem.ca)));
    CHECK(files.with_cluster(server + "insecure-skip-tls-verify: true").skip_tls_verify);
    CHECK(files.with_cluster(server + "insecure-skip-tls-verify: ~").ca.empty());
}

TEST_CASE("a CA that cannot be used is refused", "[k8sclient][config]")
{
    struct Case {
        std::string cluster;
        std::string says;
    };
    const auto c = GENERATE(
        Case{"certificate-authority: none.crt", "certificate-authority: opening "},
        Case{"certificate-authority: k.yaml", "k.yaml: no certificate in it (expected PEM"},
        Case{"certificate-authority: server.key", "server.key: no certificate in it"},
        Case{"certificate-authority: .", "reading "},
        Case{"certificate-authority-data: UzNDUkVU", "given in place: no certificate in it"},
        Case{"certificate-authority-data: 'S3CRET!'", "certificate-authority-data: not base64"},
        Case{"certificate-authority-data: S3CRETS", "certificate-authority-data: not base64"},
        Case{"certificate-authority-data: ' '", "certificate-authority-data: it is empty"},
        Case{"certificate-authority: ca.crt, insecure-skip-tls-verify: true", "remove one of them"},
        Case{"insecure-skip-tls-verify: maybe", "insecure-skip-tls-verify should be true or false"},
        Case{"proxy-url: 'https://me:S3CRET@proxy'", "proxy-url: proxy: a proxy that is spoken to over"});
    const Files files;
    const std::string text = files.text_of_cluster_error("server: 'https://h', " + c.cluster);
    CHECK_THAT(text, has_text("kubeconfig " + files.file.string() + ": "));
    CHECK_THAT(text, has_text(c.says));
    check_silent_about(secret, text);
}

TEST_CASE("a file that a kubeconfig names and that has no end, or is no file, is refused at once",
          "[k8sclient][config]")
{
    const Files files;
    REQUIRE(::mkfifo((files.directory.path / "fifo").c_str(), 0600) == 0);
    files.write("huge", "");
    std::filesystem::resize_file(files.directory.path / "huge", std::uintmax_t{10} << 30U);
    struct Case {
        std::string name;
        std::string says;
    };
    const auto c = GENERATE(Case{"fifo", "fifo, which is not a regular file"},
                            Case{"/dev/zero", "/dev/zero, which is not a regular file"},
                            Case{"huge", "huge (limit "}, Case{".", "Is a directory"});
    CAPTURE(c.name);
    const std::string pair = "client-certificate: server.crt, client-key: ";
    CHECK_THAT(files.text_of_cluster_error("server: 'https://h', certificate-authority: " + c.name),
               has_text(c.says));
    CHECK_THAT(files.text_of_user_error("tokenFile: " + c.name), has_text(c.says));
    CHECK_THAT(files.text_of_user_error(pair + c.name), has_text(c.says));
}

TEST_CASE("a user is known by a token, a token file or a client certificate", "[k8sclient][config]")
{
    const Files files;
    files.write("token", " S3CRET \r\n");
    CHECK(files.with_user("").token.empty());
    CHECK(files.with_user("token: S3CRET").token.reveal() == secret);
    CHECK(files.with_user("token: 12345").token.reveal() == "12345");

    const auto from_file = files.with_user("tokenFile: token, token: other");
    CHECK(from_file.token.reveal() == secret);
    CHECK(from_file.token_file == files.directory.path / "token");

    const auto certificate = files.with_user("client-certificate: server.crt, client-key: server.key");
    CHECK(certificate.client_certificate.file == files.pem.certificate);
    CHECK(certificate.client_key.file == files.pem.key);

    const auto in_place = files.with_user("client-certificate-data: " + files.base64(files.pem.certificate) +
                                          ", client-key-data: " + files.base64(files.pem.key));
    CHECK(in_place.client_certificate.inline_pem == need(read_file(files.pem.certificate)));
    CHECK(in_place.client_key.inline_pem == need(read_file(files.pem.key)));
}

TEST_CASE("a user that cannot be used is refused, with the way out and without a secret",
          "[k8sclient][config]")
{
    struct Case {
        std::string user;
        std::string says;
    };
    const std::string v1 = "apiVersion: client.authentication.k8s.io/v1";
    const auto c = GENERATE_COPY(
        Case{"tokenFile: none", "token: opening "}, Case{"tokenFile: empty", "empty is empty"},
        Case{"tokenFile: odd", "odd holds a character that no token has"},
        Case{"token: 'S3CRET S3CRET'", "token holds a character that no token has"},
        Case{"token: ' '", "token is empty"},
        Case{"exec: {command: aws, args: [S3CRET]}",
             "exec: apiVersion should be client.authentication.k8s.io/v1"},
        Case{"exec: {apiVersion: client.authentication.k8s.io/v1alpha1, command: x}",
             "exec: apiVersion should be"},
        Case{"exec: {" + v1 + "}", "exec: it has no command"},
        Case{"exec: {" + v1 + ", command: x}", "needs interactiveMode: write Never or IfAvailable"},
        Case{"exec: {" + v1 + ", command: x, interactiveMode: Always}", "nobody is there"},
        Case{"exec: {" + v1 + ", command: x, interactiveMode: never}", "interactiveMode should be"},
        Case{"exec: {" + v1 + ", command: x, interactiveMode: Never, env: [{value: S3CRET}]}",
             "each entry of env"},
        Case{"token: S3CRET, exec: {" + v1 + ", command: x, interactiveMode: Never}",
             "more than one of token"},
        Case{"auth-provider: {name: S3CRET}",
             "auth-provider is not supported: use exec, a service account's"},
        Case{"token: S3CRET, username: me, password: S3CRET", "more than one of token, username and exec"},
        Case{"password: S3CRET", "password without username"},
        Case{"username: 'me:too', password: S3CRET", "a colon cannot be written in Basic"},
        Case{"token: x, as-groups: [a]", "as-uid, as-groups or as-user-extra without as"},
        Case{"token: x, as-user-extra: {a: [b]}", "as-uid, as-groups or as-user-extra without as"},
        Case{"as: \"me\\r\\nX: S3CRET\"", "holds a character that no HTTP header has"},
        Case{"as: me, as-user-extra: {a: [\"b\\r\\nX: S3CRET\"]}",
             "holds a character that no HTTP header has"},
        Case{"client-certificate: server.crt", "client-certificate without client-key: give both"},
        Case{"client-key: server.key", "client-key without client-certificate: give both"},
        Case{"client-certificate: none, client-key: server.key", "client-certificate: opening "},
        Case{"client-certificate: server.crt, client-key: none", "client-key: opening "},
        Case{"client-certificate: server.key, client-key: server.key", "no certificate in it"},
        Case{"client-certificate: server.crt, client-key: server.crt", "no private key in it"},
        Case{"client-certificate: server.crt, client-key: locked.key", "without a passphrase is needed"},
        Case{"client-certificate: server.crt, client-key-data: UzNDUkVU", "no private key in it"},
        Case{"client-certificate: server.crt, client-key-data: 'S3CRET!'", "client-key-data: not base64"});
    const Files files;
    files.write("empty", " \n");
    files.write("odd", "S3CRET\nS3CRET\n");
    files.write("locked.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nUzNDUkVU\n"
                              "-----END ENCRYPTED PRIVATE KEY-----\n");
    const std::string text = files.text_of_user_error(c.user);
    CHECK_THAT(text, has_text("kubeconfig " + files.file.string() + ": user \"u1\": "));
    CHECK_THAT(text, has_text(c.says));
    check_silent_about(secret, text);
}

TEST_CASE("a user may be known by a credential plugin", "[k8sclient][config]")
{
    const Files files;
    const std::string exec = "exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: ";
    const auto config =
        files.with_user(exec + "aws, args: [eks, get-token, 5], env: [{name: A, value: b}, {name: C}], "
                               "installHint: hint}");
    REQUIRE(config.exec);
    CHECK(config.exec->command == "aws");
    CHECK(config.exec->arguments == std::vector<std::string>{"eks", "get-token", "5"});
    CHECK(config.exec->environment ==
          std::vector<std::pair<std::string, std::string>>{{"A", "b"}, {"C", ""}});
    CHECK(config.exec->install_hint == "hint");
    CHECK_FALSE(config.exec->provide_cluster_info);
    CHECK(files.with_user(exec + "./bin/aws}").exec->command == files.directory.path / "./bin/aws");
    CHECK(files.with_user(exec + "/bin/aws}").exec->command == "/bin/aws");
}

TEST_CASE("what a cluster has for a credential plugin is given as JSON", "[k8sclient][config]")
{
    const Files files;
    const auto config = need(files.load(
        "server: 'https://h', extensions: [{name: other, extension: 1}, {name: "
        "client.authentication.k8s.io/exec, "
        "extension: {audience: a, list: [1, 1.5, true, ~, '1']}}]",
        "exec: {apiVersion: client.authentication.k8s.io/v1, command: x, interactiveMode: IfAvailable, "
        "provideClusterInfo: true}"));
    CHECK(config.exec->cluster_config == R"({"audience":"a","list":[1,1.5,true,null,"1"]})");

    std::string extension = "&a0 [1, 1]";
    for (int level = 1; level < 28; ++level) // each twice the one before: 2^28 numbers
        extension += ", &a" + std::to_string(level) + " [*a" + std::to_string(level - 1) + ", *a" +
                     std::to_string(level - 1) + "]";
    CHECK_THAT(files.text_of_error("current-context: prod\n"
                                   "contexts: [{name: prod, context: {cluster: c1, user: u1}}]\n"
                                   "clusters: [{name: c1, cluster: {server: 'https://h', extensions: [{name: "
                                   "client.authentication.k8s.io/exec, extension: [" +
                                   extension +
                                   "]}]}}]\n"
                                   "users: [{name: u1, user: {exec: {apiVersion: "
                                   "client.authentication.k8s.io/v1, command: x, interactiveMode: Never, "
                                   "provideClusterInfo: true}}}]\n"),
               has_text("client.authentication.k8s.io/exec should be smaller"));
}

TEST_CASE("a user may be known by a password, and act as another", "[k8sclient][config]")
{
    const Files files;
    const auto config =
        files.with_user("username: me, password: S3CRET, as: you, as-uid: '5', as-groups: [a, b], "
                        "as-user-extra: {\"e.io/a b\": [x], scopes: [view, edit]}");
    CHECK(config.user == "me");
    CHECK(config.password.reveal() == secret);
    CHECK(config.headers ==
          std::vector<std::pair<std::string, std::string>>{{"Impersonate-User", "you"},
                                                           {"Impersonate-Uid", "5"},
                                                           {"Impersonate-Group", "a"},
                                                           {"Impersonate-Group", "b"},
                                                           {"Impersonate-Extra-e.io%2Fa%20b", "x"},
                                                           {"Impersonate-Extra-scopes", "view"},
                                                           {"Impersonate-Extra-scopes", "edit"}});
}

TEST_CASE("of several kubeconfigs the first one's word counts, whole entry by whole entry",
          "[k8sclient][config]")
{
    const Files files;
    const std::string directory = files.directory.path.string();
    std::filesystem::create_directory(files.directory.path / "other");
    files.write("token", "first");
    files.write("other/token", "other");
    files.write("a", "clusters: [{name: c1, cluster: {server: 'https://a'}}]\n"
                     "users: [{name: u1, user: {}}]\n");
    files.write("other/b",
                "current-context: x\n"
                "contexts: [{name: x, context: {cluster: c1, user: u1}},\n"
                "           {name: y, context: {cluster: c2, user: u2}}]\n"
                "clusters: [{name: c1, cluster: {server: 'https://b', tls-server-name: b}},\n"
                "           {name: c2, cluster: {server: 'https://b2'}}]\n"
                "users: [{name: u1, user: {token: S3CRET}}, {name: u2, user: {tokenFile: token}}]\n");
    files.write("c", "current-context: y\n");
    const std::string list =
        "none:" + directory + "/a::" + directory + "/other/b:" + directory + "/c:" + directory + "/a";

    const auto first = need(k8s::load_kubeconfig_list(list));
    CHECK(first.url() == "https://a:443");
    CHECK(first.tls_server_name.empty());
    CHECK(first.token.empty());
    CHECK(first.origin ==
          "kubeconfig " + directory + "/a:" + directory + "/other/b:" + directory + "/c, context \"x\"");

    const auto second = need(k8s::load_kubeconfig_list(list, "y"));
    CHECK(second.url() == "https://b2:443");
    CHECK(second.token.reveal() == "other"); // relative to its own file

    const auto unknown = k8s::load_kubeconfig_list(list, "z");
    REQUIRE(unknown.has_error());
    CHECK_THAT(unknown.error().text(), has_text("it has no context \"z\"; its contexts: \"x\", \"y\""));
}

TEST_CASE("a list of kubeconfigs is refused for one that is wrong, and passes over those that are missing",
          "[k8sclient][config]")
{
    const Files files;
    files.write("good", "current-context: x\ncontexts: [{name: x, context: {cluster: c1, user: u}}]\n"
                        "clusters: [{name: c1, cluster: {server: 'https://a'}}]\n");
    files.write("user", "users: [{name: u, user: {tokenFile: none}}]\n");
    files.write("bad", "a: [b\n");
    const std::string directory = files.directory.path.string() + "/";
    const auto refused = [&](const std::string& list) {
        const auto config = k8s::load_kubeconfig_list(list);
        REQUIRE(config.has_error());
        return config.error().text();
    };
    CHECK_THAT(refused(directory + "good:" + directory + "bad"),
               has_text("kubeconfig " + directory + "bad: line "));
    CHECK_THAT(refused(directory + "good:" + directory + "user"),
               has_text("user \"u\" of " + directory + "user: token: opening "));
    CHECK_THAT(refused(directory + "good"), has_text("names the user \"u\", which is not in the file"));
    CHECK_THAT(refused("/none:/nothing"), has_text("KUBECONFIG=/none:/nothing: none of these files exists"));
}

TEST_CASE("what a context names and the file lacks is said, with what there is instead",
          "[k8sclient][config]")
{
    const std::string clusters = "clusters: [{name: c1, cluster: {server: 'https://h'}}]\n";
    const std::string to_c2 = "current-context: prod\ncontexts: [{name: prod, context: {cluster: c2}}]\n";
    const std::string to_u2 = "current-context: prod\n"
                              "contexts: [{name: prod, context: {cluster: c1, user: u2}}]\n";
    const Files files;
    CHECK_THAT(files.text_of_error(clusters), has_text("it has no current-context: set one with \"kubectl"));
    CHECK_THAT(files.text_of_error("current-context: prod\n" + clusters),
               has_text("it has no context \"prod\"; its contexts: none"));
    CHECK_THAT(
        files.text_of_error(to_c2 + clusters),
        has_text(
            "context \"prod\" names the cluster \"c2\", which is not in the file; its clusters: \"c1\""));
    CHECK_THAT(
        files.text_of_error(to_u2 + clusters + "users: [{name: u1}]\n"),
        has_text("context \"prod\" names the user \"u2\", which is not in the file; its users: \"u1\""));
    CHECK_THAT(files.text_of_error("current-context: prod\ncontexts: [{name: prod}]\n" + clusters),
               has_text("context \"prod\" names no cluster"));
}

TEST_CASE("a file that is no kubeconfig is refused", "[k8sclient][config]")
{
    const Files files;
    CHECK_THAT(files.text_of_error("a: b\nc: [d\n"), has_text(": line "));
    CHECK_THAT(files.text_of_error("{\"a\": \"b\n"), has_text(": line "));
    CHECK_THAT(files.text_of_error(""), has_text("expected a map with clusters, users and contexts"));
    CHECK_THAT(files.text_of_error("just words"), has_text("it is not a kubeconfig"));
    CHECK_THAT(files.text_of_error("- a\n- b\n"), has_text("it is not a kubeconfig"));
    CHECK_THAT(files.text_of_error(std::string(100'000, '[')), has_text(": line 1"));
    CHECK_THAT(files.text_of_error(std::string(9U << 20U, ' ')), has_text("limit"));
    check_silent_about(secret, files.text_of_error("users:\n- user: {token: *S3CRET}\n"));

    const auto missing = k8s::load_kubeconfig(files.directory.path / "none");
    REQUIRE(missing.has_error());
    CHECK(missing.error().code == boost::system::errc::no_such_file_or_directory);
    CHECK_THAT(missing.error().text(), has_text((files.directory.path / "none").string()));
}

TEST_CASE("values of the wrong type are refused by name and line, not taken for absent",
          "[k8sclient][config]")
{
    struct Case {
        std::string text; // in place of the file's line 1, 2, 3 and 4
        std::string says;
    };
    const std::string context = "contexts: [{name: prod, context: {cluster: c1, user: u1}}]\n";
    const std::string cluster = "clusters: [{name: c1, cluster: {server: 'https://h'}}]\n";
    const std::string start = "current-context: prod\n";
    const std::string extra = context + cluster + "users: [{name: u1, user: {as: me, as-user-extra: ";
    const auto c = GENERATE_COPY(
        Case{"current-context: [prod]\n", "line 1: current-context should be a text"},
        Case{start + "contexts: {prod: c1}\n", "line 2: contexts should be a list"},
        Case{start + "contexts: 5\n", "line 2: contexts should be a list"},
        Case{start + "contexts: [prod, ~, [], {name: prod, context: x}]\n",
             "line 2: context should be a map"},
        Case{start + context + "clusters: 5\n", "line 3: clusters should be a list"},
        Case{start + context + "clusters: [{name: c1, cluster: [1]}]\n", "line 3: cluster should be a map"},
        Case{start + context + "clusters: [{name: c1, cluster: {server: [h]}}]\n", "server should be a text"},
        Case{start + context + cluster + "users: {}\n", "line 4: users should be a list"},
        Case{start + context + cluster + "users: [{name: u1, user: {exec: S3CRET}}]\n",
             "line 4: exec should be a map"},
        Case{start + context + cluster +
                 "users: [{name: u1, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: x, "
                 "args: S3CRET}}}]\n",
             "line 4: args should be a list"},
        Case{start + context + cluster + "users: [{name: u1, user: S3CRET}]\n", "user should be a map"},
        Case{start + extra + "S3CRET}}]\n", "as-user-extra should be a map of lists of texts"},
        Case{start + extra + "{a: S3CRET}}}]\n", "as-user-extra should be a map of lists of texts"},
        Case{start + extra + "{a: [[S3CRET]]}}}]\n", "as-user-extra should be a map of lists of texts"},
        Case{start + extra + "{'': [S3CRET]}}}]\n", "as-user-extra should be a map of lists of texts"},
        Case{start + context + cluster + "users: [{name: u1, user: {token: [S3CRET]}}]\n",
             "line 4: token should be a text"});
    const Files files;
    const std::string text = files.text_of_error(c.text);
    CHECK_THAT(text, has_text(c.says));
    check_silent_about(secret, text);
}

TEST_CASE("aliases are followed, also those that lead back to themselves", "[k8sclient][config]")
{
    const Files files;
    const auto config = need(files.load_text("current-context: &name prod\n"
                                             "contexts: [{name: *name, context: {cluster: *name}}]\n"
                                             "clusters: [{name: *name, cluster: {server: 'https://h'}}]\n"));
    CHECK(config.host == "h");
    CHECK_THAT(files.text_of_error(
                   "&root\ncurrent-context: prod\ncontexts: &c [*c, {name: prod, context: *root}]\n"),
               has_text("names no cluster"));
}

// Whatever the bytes, there is a configuration or an error with a text.
TEST_CASE("a damaged kubeconfig never does harm", "[k8sclient][config]")
{
    const std::string whole = "current-context: p\n"
                              "contexts: [{name: p, context: {cluster: &c c, user: u}}]\n"
                              "clusters:\n- name: *c\n  cluster: {server: \"https://[::1]:1\"}\n"
                              "users: [{name: u, user: {token: x}}]\n";
    const Files files;
    std::size_t refused = 0;
    const auto try_it = [&](const std::string& text) {
        const auto config = files.load_text(text);
        if (config)
            return;
        ++refused;
        REQUIRE_THAT(config.error().text(), has_text("kubeconfig " + files.file.string() + ": "));
    };
    need(files.load_text(whole));
    for (std::size_t size = 0; size < whole.size(); ++size)
        try_it(whole.substr(0, size));
    for (std::size_t at = 0; at < whole.size(); ++at)
        for (const char other : std::string_view("\0\n\t:-[]{}&*!%?|>'\"\xff", 19)) {
            std::string damaged = whole;
            damaged[at] = other;
            try_it(damaged);
        }
    CHECK(refused > whole.size());
}
