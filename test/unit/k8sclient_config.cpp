#include "k8sclient/config.h"

#include "base/file.h"
#include "test/lab/certificate.h"
#include "test/support/catch.h"
#include "test/support/environment.h"
#include "test/support/temporary_directory.h"

#include <optional>

using namespace routelet;
using namespace routelet::test;

namespace {

// What Kubernetes mounts and sets in a pod.
struct Pod {
    TemporaryDirectory directory;
    Environment environment;

    Pod()
    {
        lab::identity_in(directory.path, {"127.0.0.1"}); // makes ca.crt
        write("token", "S3CRET\n");
        environment.set("KUBERNETES_SERVICE_HOST", "10.96.0.1");
        environment.set("KUBERNETES_SERVICE_PORT", "443");
        environment.set("KUBECONFIG", std::nullopt);
    }
    void write(const std::string& name, const std::string& content) const
    {
        need(write_file_atomically(directory.path / name, content));
    }
    void remove(const std::string& name) const { std::filesystem::remove(directory.path / name); }
    std::string text_of_error() const
    {
        const auto config = k8s::load_in_cluster(directory.path);
        REQUIRE(config.has_error());
        CHECK(config.error().text().find("S3CRET") == std::string::npos);
        return config.error().text();
    }
};

std::string kubeconfig(const std::string& host)
{
    return "current-context: x\ncontexts: [{name: x, context: {cluster: x}}]\n"
           "clusters: [{name: x, cluster: {server: 'https://" +
           host + "'}}]\n";
}

} // namespace

TEST_CASE("in a pod the service account is used", "[k8sclient][config]")
{
    const Pod pod;
    const auto config = need(k8s::load_in_cluster(pod.directory.path));
    CHECK(config.url() == "https://10.96.0.1:443");
    CHECK(config.token.reveal() == "S3CRET");
    CHECK(config.token_file == pod.directory.path / "token");
    CHECK(config.ca.file == pod.directory.path / "ca.crt");
    CHECK_FALSE(config.skip_tls_verify);
    CHECK(config.origin == "service account in " + pod.directory.path.string());
}

TEST_CASE("in a pod the server's address may be IPv6", "[k8sclient][config]")
{
    Pod pod;
    pod.environment.set("KUBERNETES_SERVICE_HOST", "fd00:10:96::1");
    const auto config = need(k8s::load_in_cluster(pod.directory.path));
    CHECK(config.host == "fd00:10:96::1");
    CHECK(config.url() == "https://[fd00:10:96::1]:443");
}

TEST_CASE("what is missing in a pod is named", "[k8sclient][config]")
{
    Pod pod;
    const std::string remedy = "is automountServiceAccountToken off?";
    SECTION("host")
    {
        pod.environment.set("KUBERNETES_SERVICE_HOST", GENERATE(std::optional<std::string>(), ""));
        CHECK_THAT(pod.text_of_error(), has_text("not in a pod: KUBERNETES_SERVICE_HOST is not set"));
    }
    SECTION("port")
    {
        pod.environment.set("KUBERNETES_SERVICE_PORT", std::nullopt);
        CHECK_THAT(pod.text_of_error(), has_text("not in a pod: KUBERNETES_SERVICE_PORT is not set"));
    }
    SECTION("a port that is a number")
    {
        pod.environment.set("KUBERNETES_SERVICE_PORT",
                            GENERATE("tcp://10.96.0.1:443", "0", "99999", "https"));
        CHECK_THAT(pod.text_of_error(), has_text("KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT: "));
    }
    SECTION("token")
    {
        pod.remove("token");
        CHECK_THAT(pod.text_of_error(), has_text((pod.directory.path / "token").string()));
        CHECK_THAT(pod.text_of_error(), has_text(remedy));
    }
    SECTION("content of the token")
    {
        pod.write("token", "\n");
        CHECK_THAT(pod.text_of_error(), has_text("token is empty"));
        CHECK_THAT(pod.text_of_error(), has_text(remedy));
    }
    SECTION("CA")
    {
        pod.remove("ca.crt");
        CHECK_THAT(pod.text_of_error(), has_text((pod.directory.path / "ca.crt").string()));
    }
    SECTION("content of the CA")
    {
        pod.write("ca.crt", "S3CRET");
        CHECK_THAT(pod.text_of_error(), has_text("ca.crt: no certificate in it"));
    }
}

TEST_CASE("the flag wins over KUBECONFIG, and KUBECONFIG over the service account", "[k8sclient][config]")
{
    Pod pod;
    pod.write("flag", kubeconfig("flag"));
    pod.write("variable", kubeconfig("variable"));
    const std::string directory = pod.directory.path.string();
    pod.environment.set("KUBECONFIG",
                        ":" + directory + "/none:" + directory + "/variable:" + directory + "/flag");
    CHECK(need(k8s::load_config(pod.directory.path / "flag")).host == "flag");
    CHECK(need(k8s::load_config({})).host == "variable");
    CHECK(k8s::load_config(pod.directory.path / "none").has_error());

    pod.environment.set("KUBECONFIG", directory + "/none");
    const auto none = k8s::load_config({});
    REQUIRE(none.has_error());
    CHECK_THAT(none.error().text(),
               has_text("KUBECONFIG=" + directory + "/none: none of these files exists"));
}

TEST_CASE("a proxy of the environment is for kubeconfigs, and never for pods", "[k8sclient][config]")
{
    Pod pod;
    pod.environment.set("HTTPS_PROXY", "http://proxy:3128");
    pod.environment.set("NO_PROXY", "direct");
    CHECK(need(k8s::load_in_cluster(pod.directory.path)).proxy.for_server("h", 443) == nullptr);
    pod.write("k", kubeconfig("h"));
    const auto config = need(k8s::load_kubeconfig(pod.directory.path / "k"));
    REQUIRE(config.proxy.for_server("h", 443) != nullptr);
    CHECK(config.proxy.for_server("h", 443)->url() == "http://proxy:3128");
    CHECK(config.proxy.for_server("direct", 443) == nullptr);
}

TEST_CASE("with no configuration at all, every way to give one is named", "[k8sclient][config]")
{
    Pod pod;
    pod.environment.set("KUBERNETES_SERVICE_HOST", std::nullopt);
    const auto nothing = k8s::load_config({});
    REQUIRE(nothing.has_error());
    CHECK_THAT(nothing.error().text(),
               has_text("neither --kubeconfig nor KUBECONFIG is set, and: not in a pod"));
    const auto context = k8s::load_config({}, "prod");
    REQUIRE(context.has_error());
    CHECK_THAT(context.error().text(), has_text("\"prod\" was asked for, but there is no kubeconfig: give"));
}

TEST_CASE("another address of the server is used under the configured name", "[k8sclient][config]")
{
    struct Case {
        std::string server;
        std::string url;
    };
    const auto c =
        GENERATE(Case{"192.168.1.10:6443", "https://192.168.1.10:6443/p"},
                 Case{"https://192.168.1.10:6443", "https://192.168.1.10:6443/p"},
                 Case{"https://192.168.1.10:6443/", "https://192.168.1.10:6443/p"},
                 Case{"[::1]:6443", "https://[::1]:6443/p"}, Case{"node01", "https://node01:443/p"});
    k8s::ClusterConfig config;
    config.host = "10.96.0.1";
    config.path_prefix = "/p";
    config.origin = "somewhere";
    SECTION("that of the host")
    {
        need(k8s::override_servers(config, {c.server}));
        CHECK(config.tls_server_name == "10.96.0.1");
    }
    SECTION("or that for TLS")
    {
        config.tls_server_name = "kubernetes.default";
        need(k8s::override_servers(config, {c.server}));
        CHECK(config.tls_server_name == "kubernetes.default");
    }
    CHECK(config.url() == c.url);
    CHECK_THAT(config.origin, has_text("somewhere, server replaced by "));
}

TEST_CASE("several addresses of the server may be given, and one twice is one", "[k8sclient][config]")
{
    k8s::ClusterConfig config;
    config.host = "10.96.0.1";
    need(k8s::override_servers(config, {"a:1", "https://[fd00::1]:2", "a:1"}));
    CHECK(config.endpoints == std::vector<k8s::Endpoint>{{"a", 1}, {"fd00::1", 2}});
    CHECK(config.url() == "https://a:1");
    CHECK(config.urls() == "https://a:1, https://[fd00::1]:2");
    CHECK(config.tls_server_name == "10.96.0.1");
    CHECK_THAT(config.origin, has_text("server replaced by a:1, [fd00::1]:2"));
}

TEST_CASE("nonsense as the server's other address changes nothing", "[k8sclient][config]")
{
    const std::string server =
        GENERATE("", ":", ":6443", "h:", "h:x", "h:70000", "::1", "[::1", "[]:6443", "http://h:6443",
                 "https://h/path", "https://h?q", "me:S3CRET@h:1", "a b");
    k8s::ClusterConfig config;
    config.host = "10.96.0.1";
    config.origin = "somewhere";
    const auto replaced = k8s::override_servers(config, {"h:1", server});
    REQUIRE(replaced.has_error());
    CHECK_THAT(replaced.error().text(), has_text("server"));
    CHECK(replaced.error().text().find("S3CRET") == std::string::npos);
    CHECK(config.url() == "https://10.96.0.1:443");
    CHECK(config.endpoints.empty());
    CHECK(config.tls_server_name.empty());
    CHECK(config.origin == "somewhere");
}
