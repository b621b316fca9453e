#include "base/file.h"
#include "test/lab/reflection.h"

using namespace routelet;
using namespace routelet::test;

TEST_CASE("nodes are listed, then watched", "[k8sclient][lab]")
{
    const k8s::ReflectorOptions options = GENERATE(from_range(every_way()));
    Lab lab;
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::watching));
    CHECK(reflection.seen.nodes == both);

    lab.put("node03", "10.244.3.0/24");
    CHECK(reflection.sees_nodes(all_three));
    lab.put("node03", "10.244.9.0/24");
    CHECK(reflection.sees([&] { return reflection.seen.nodes["node03"] == "10.244.9.0/24"; }));
    lab.remove("node03");
    CHECK(reflection.sees_nodes(both));

    CHECK(reflection.seen.replacements == 1);
    CHECK(lab.targets(false) == (options.streaming_list
                                     ? std::vector<std::string>{}
                                     : std::vector<std::string>{"/api/v1/nodes?resourceVersion=0"}));
    CHECK(lab.watches() == 1);
    reflection.expect_healed();
}

TEST_CASE("the server may be reached over IPv6", "[k8sclient][lab][F21]")
{
    Lab lab({.listen = "[::1]:0"});
    k8s::ClusterConfig config = lab.config();
    REQUIRE(config.host == "::1");
    SECTION("by its address") {}
    SECTION("in place of another address, under that one's name")
    {
        const std::string server = config.url();
        config.host = "kubernetes.default.svc";
        need(k8s::override_servers(config, {server}));
        REQUIRE(config.tls_server_name == "kubernetes.default.svc");
    }
    Reflection reflection(lab, config, quick());
    REQUIRE(reflection.sees_notice(What::watching));
    lab.put("node03", "10.244.3.0/24");
    CHECK(reflection.sees_nodes(all_three));
    CHECK(reflection.seen.count(What::failed) == 0);
}

TEST_CASE("a server whose certificate the CA did not sign is not spoken to", "[k8sclient][lab]")
{
    Lab lab;
    Lab other;
    k8s::ClusterConfig config = lab.config();
    config.ca = {.inline_pem = {}, .file = other.server->ca_file()};
    Reflection reflection(lab, config, quick());
    REQUIRE(reflection.sees_notice(What::failed));
    CHECK_THAT(reflection.seen.trouble(), has_text("did not sign the server's certificate"));
    CHECK_THAT(reflection.seen.trouble(), has_text("kubeconfig " + lab.server->agent_kubeconfig().string()));
    CHECK(lab.server->requests().empty());
}

TEST_CASE("a server whose certificate is for another name is not spoken to", "[k8sclient][lab]")
{
    Lab lab;
    k8s::ClusterConfig config = lab.config();
    config.tls_server_name = GENERATE("api.example", "192.0.2.1");
    Reflection reflection(lab, config, quick());
    REQUIRE(reflection.sees_notice(What::failed));
    CHECK_THAT(reflection.seen.trouble(), has_text("not for " + config.tls_server_name));
    CHECK(lab.server->requests().empty());
}

TEST_CASE("a token that is not accepted is reported, and read again once it is replaced",
          "[k8sclient][lab][F33]")
{
    Lab lab;
    k8s::ClusterConfig config = lab.config();
    config.token_file = lab.directory.path / "agent-token";
    need(write_file_atomically(config.token_file, "stale\n"));
    Reflection reflection(lab, config, quick());
    REQUIRE(reflection.sees_notice(What::failed));
    CHECK_THAT(reflection.seen.trouble(), has_text("401 Unauthorized"));
    CHECK_THAT(reflection.seen.trouble(), has_text("is not accepted"));

    need(write_file_atomically(config.token_file, lab.server->agent_token() + "\n"));
    CHECK(reflection.sees_nodes(both));
}

TEST_CASE("a token that is never accepted is asked with less and less often, and costs no node",
          "[k8sclient][lab][F34]")
{
    const k8s::ReflectorOptions options = GENERATE(from_range(every_way()));
    Lab lab;
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::watching));
    lab.server->inject({.what = Fault::What::status, .times = 0, .status = 401});
    lab.restart();
    const std::size_t before = lab.server->requests().size();
    REQUIRE(reflection.sees_notice(What::failed, 6));
    const auto& notices = reflection.seen.notices;
    CHECK(notices.back().retry_in >= options.backoff_most);
    // Each attempt is two: the token is read again at once, since it may have been replaced.
    CHECK(lab.server->requests().size() - before <= 2 * reflection.seen.count(What::failed));
    CHECK(reflection.seen.nodes == both);
    CHECK(reflection.seen.replacements == 1);
    reflection.expect_healed();
}

TEST_CASE("a refusal by RBAC names the rule that is missing", "[k8sclient][lab][F38]")
{
    Lab lab;
    lab.server->inject({.what = Fault::What::status,
                        .requests = Fault::Requests::list,
                        .status = 403,
                        .body = R"({"kind":"Status","code":403,"message":"nodes is forbidden"})",
                        .content_type = "application/json"});
    Reflection reflection(lab);
    REQUIRE(reflection.sees_notice(What::failed));
    CHECK_THAT(reflection.seen.trouble(), has_text("403 Forbidden: nodes is forbidden"));
    CHECK_THAT(reflection.seen.trouble(), has_text("resources [nodes], verbs [get, list, watch]"));
    CHECK(reflection.sees_nodes(both));
}

TEST_CASE("cancellation ends the reflector at once, wherever it waits", "[k8sclient][lab]")
{
    Lab lab;
    SECTION("for an event")
    {
        Reflection reflection(lab);
        REQUIRE(reflection.sees_notice(What::watching));
        CHECK(reflection.cancel());
        CHECK_THROWS_AS(std::rethrow_exception(reflection.ended), boost::system::system_error);
    }
    SECTION("for a response")
    {
        lab.server->inject({.what = Fault::What::silence, .requests = Fault::Requests::list});
        Reflection reflection(lab);
        REQUIRE(reflection.sees([&] { return !lab.server->requests().empty(); }));
        CHECK(reflection.cancel());
    }
    SECTION("for a handshake")
    {
        lab.server->inject({.what = Fault::What::silence, .requests = Fault::Requests::connect});
        Reflection reflection(lab);
        reflection.sees([] { return false; }, 200ms);
        CHECK(reflection.cancel());
    }
    SECTION("for the next attempt")
    {
        lab.server->inject({.what = Fault::What::status, .status = 503, .retry_after = "60"});
        Reflection reflection(lab);
        REQUIRE(reflection.sees_notice(What::failed));
        CHECK(reflection.cancel());
    }
}
