#include "base/file.h"
#include "k8sclient/node_reflector.h"
#include "test/lab/server.h"
#include "test/support/catch.h"
#include "test/support/temporary_directory.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <exception>
#include <map>

using namespace routelet;
using namespace routelet::test;
using namespace std::chrono_literals;
using lab::Fault;
using lab::Json;
using What = k8s::WatchNotice::What;
namespace asio = boost::asio;

namespace {

constexpr auto patience = 20s; // for what takes milliseconds on an idle machine

Json node(const std::string& name, const std::string& pod_cidr)
{
    return {{"apiVersion", "v1"},
            {"kind", "Node"},
            {"metadata", {{"name", name}}},
            {"spec", {{"podCIDR", pod_cidr}, {"podCIDRs", {pod_cidr}}}},
            {"status", {{"addresses", {{{"type", "InternalIP"}, {"address", "192.168.1.11"}}}}}}};
}

// What the controller would keep: the first podCIDR of each node, by name.
using Table = std::map<std::string, std::string>;

struct Recorder : k8s::NodeObserver {
    Table nodes;
    Table listing;
    std::vector<k8s::WatchNotice> notices;
    std::size_t replacements = 0;
    std::size_t upserts = 0;
    std::size_t deletions = 0;

    void list_begins() override { listing.clear(); }
    void listed(k8s::Node one) override { keep(listing, one); }
    void replaced(Clock::time_point) override
    {
        ++replacements;
        nodes = listing;
    }
    void upserted(k8s::Node one, Clock::time_point) override
    {
        ++upserts;
        keep(nodes, one);
    }
    void deleted(k8s::Node one, Clock::time_point) override
    {
        ++deletions;
        nodes.erase(one.name);
    }
    void noticed(const k8s::WatchNotice& notice) override { notices.push_back(notice); }

    static void keep(Table& table, const k8s::Node& one)
    {
        table[one.name] = one.pod_cidrs.empty() ? "" : one.pod_cidrs[0];
    }
    std::size_t count(What what) const
    {
        return static_cast<std::size_t>(std::ranges::count(notices, what, &k8s::WatchNotice::what));
    }
    // The text of the last failure.
    std::string trouble() const
    {
        for (auto notice = notices.rbegin(); notice != notices.rend(); ++notice)
            if (notice->error)
                return notice->error->text();
        return "";
    }
};

// A reflector at work, on this thread.
struct Reflection {
    asio::io_context loop;
    Recorder seen;
    k8s::NodeReflector reflector;
    asio::cancellation_signal stop;
    std::exception_ptr ended;
    bool has_ended = false;

    explicit Reflection(k8s::ClusterConfig config, std::chrono::seconds watch_timeout = 300s,
                        std::size_t page_size = 500)
        : reflector(loop.get_executor(), std::move(config), seen,
                    {.backoff_first = 20ms,
                     .backoff_most = 200ms,
                     .watch_timeout_least = watch_timeout,
                     .page_size = page_size,
                     .encoding = k8s::Encoding::json,
                     .streaming_list = false})
    {
        asio::co_spawn(loop, reflector.run(),
                       asio::bind_cancellation_slot(stop.slot(), [this](std::exception_ptr how) {
                           ended = how;
                           has_ended = true;
                       }));
    }
    ~Reflection() { cancel(); }

    // True as soon as `condition` is.
    template <class Condition>
    bool sees(Condition condition, std::chrono::milliseconds limit = patience)
    {
        const auto deadline = std::chrono::steady_clock::now() + limit;
        while (!condition() && std::chrono::steady_clock::now() < deadline)
            loop.run_one_for(20ms);
        return condition();
    }
    bool sees_nodes(const Table& expected)
    {
        return sees([&] { return seen.nodes == expected; });
    }
    bool sees_notice(What what, std::size_t times = 1)
    {
        return sees([&] { return seen.count(what) >= times; });
    }
    // True if it ended by that, promptly.
    bool cancel()
    {
        stop.emit(asio::cancellation_type::terminal);
        return sees([this] { return has_ended; }, 5s);
    }
};

struct Lab {
    TemporaryDirectory directory;
    lab::Server server;

    explicit Lab(std::chrono::milliseconds bookmark_interval = 60s, const std::string& listen = "127.0.0.1:0")
        : server({.listen = listen, .directory = directory.path, .bookmark_interval = bookmark_interval})
    {
        server.put_node(node("node01", "10.244.1.0/24"));
        server.put_node(node("node02", "10.244.2.0/24"));
    }

    k8s::ClusterConfig config() const { return need(k8s::load_kubeconfig(server.agent_kubeconfig())); }
    std::vector<std::string> targets(bool watches) const
    {
        std::vector<std::string> found;
        for (const lab::RequestRecord& request : server.requests())
            if ((request.target.find("watch=1") != std::string::npos) == watches)
                found.push_back(request.target);
        return found;
    }
    std::size_t lists() const { return targets(false).size(); }
    std::size_t watches() const { return targets(true).size(); }
};

const Table both = {{"node01", "10.244.1.0/24"}, {"node02", "10.244.2.0/24"}};
const Table all_three = {
    {"node01", "10.244.1.0/24"}, {"node02", "10.244.2.0/24"}, {"node03", "10.244.3.0/24"}};

} // namespace

TEST_CASE("nodes are listed, then watched", "[k8sclient][lab]")
{
    Lab lab;
    Reflection reflection(lab.config());
    REQUIRE(reflection.sees_notice(What::watching));
    CHECK(reflection.seen.nodes == both);

    lab.server.put_node(node("node03", "10.244.3.0/24"));
    CHECK(reflection.sees_nodes(all_three));
    lab.server.put_node(node("node03", "10.244.9.0/24"));
    CHECK(reflection.sees([&] { return reflection.seen.nodes["node03"] == "10.244.9.0/24"; }));
    lab.server.delete_node("node03");
    CHECK(reflection.sees_nodes(both));

    CHECK(reflection.seen.replacements == 1);
    CHECK(lab.targets(false) == std::vector<std::string>{"/api/v1/nodes?resourceVersion=0"});
    CHECK(lab.watches() == 1);
}

TEST_CASE("after a restart of the server the watch goes on from its version, without a list",
          "[k8sclient][lab]")
{
    Lab lab;
    Reflection reflection(lab.config());
    REQUIRE(reflection.sees_notice(What::watching));
    lab.server.stop();
    REQUIRE(reflection.sees_notice(What::failed, 2));
    CHECK_THAT(reflection.seen.trouble(), has_text("connecting to 127.0.0.1:"));
    CHECK(reflection.seen.nodes == both);

    lab.server.start();
    lab.server.put_node(node("node03", "10.244.3.0/24"));
    CHECK(reflection.sees_nodes(all_three));
    CHECK(reflection.seen.replacements == 1);
}

TEST_CASE("the waits of an outage are forgotten as soon as the server answers", "[k8sclient][lab]")
{
    Lab lab;
    Reflection reflection(lab.config());
    REQUIRE(reflection.sees_notice(What::watching));
    lab.server.stop();
    REQUIRE(reflection.sees_notice(What::failed, 6));
    CHECK(reflection.seen.notices.back().retry_in >= 200ms);

    lab.server.inject({.what = Fault::What::garbage, .requests = Fault::Requests::watch});
    lab.server.start();
    REQUIRE(reflection.sees_notice(What::watching, 2));
    const std::size_t failures = reflection.seen.count(What::failed);
    lab.server.put_node(node("node03", "10.244.3.0/24")); // what the garbage comes with
    REQUIRE(reflection.sees_notice(What::failed, failures + 1));
    CHECK_THAT(reflection.seen.trouble(), has_text("not valid JSON"));
    const auto failed = std::ranges::find(reflection.seen.notices.rbegin(), reflection.seen.notices.rend(),
                                          What::failed, &k8s::WatchNotice::what);
    CHECK(failed->retry_in < 40ms);
    CHECK(reflection.sees_nodes(all_three));
}

TEST_CASE("a version that the server has forgotten costs one new list", "[k8sclient][lab]")
{
    Lab lab;
    Reflection reflection(lab.config());
    REQUIRE(reflection.sees_notice(What::watching));

    lab.server.inject({.what = Fault::What::gone, .requests = Fault::Requests::watch});
    lab.server.stop();
    lab.server.start();
    lab.server.put_node(node("node03", "10.244.3.0/24"));
    CHECK(reflection.sees_nodes(all_three));
    REQUIRE(reflection.sees_notice(What::watching, 3)); // the second was the one that was gone
    CHECK(reflection.seen.count(What::expired) == 1);
    CHECK(reflection.seen.replacements == 2);
}

TEST_CASE("after a compaction there is exactly one list, of what is not older", "[k8sclient][lab]")
{
    Lab lab;
    Reflection reflection(lab.config());
    REQUIRE(reflection.sees_notice(What::watching));
    const std::string version = reflection.seen.notices.back().version;
    lab.server.inject({.what = Fault::What::refuse, .requests = Fault::Requests::connect, .times = 0});
    lab.server.stop();
    lab.server.start();
    REQUIRE(reflection.sees_notice(What::failed, 2));
    lab.server.put_node(node("node03", "10.244.3.0/24"));
    lab.server.delete_node("node01");
    lab.server.compact();
    lab.server.heal();

    CHECK(reflection.sees_nodes({{"node02", "10.244.2.0/24"}, {"node03", "10.244.3.0/24"}}));
    REQUIRE(reflection.sees_notice(What::watching, 2));
    CHECK(reflection.seen.replacements == 2);
    CHECK(lab.targets(false).back() == "/api/v1/nodes?resourceVersion=" + version);
}

TEST_CASE("a list that the server cannot give from memory comes in pages", "[k8sclient][lab]")
{
    Lab lab;
    for (const std::string name : {"node03", "node04", "node05"})
        lab.server.put_node(node(name, "10.244." + name.substr(5) + ".0/24"));
    Reflection reflection(lab.config(), 300s, 2);
    REQUIRE(reflection.sees_notice(What::watching));
    REQUIRE(reflection.seen.nodes.size() == 5);

    lab.server.inject({.what = Fault::What::refuse, .requests = Fault::Requests::connect, .times = 0});
    lab.server.stop();
    lab.server.start();
    REQUIRE(reflection.sees_notice(What::failed, 2));
    lab.server.delete_node("node05");
    lab.server.put_node(node("node06", "10.244.6.0/24"));
    lab.server.compact();
    lab.server.heal();
    lab.server.inject({.what = Fault::What::gone, .requests = Fault::Requests::list});

    const Table expected = {{"node01", "10.244.1.0/24"},
                            {"node02", "10.244.2.0/24"},
                            {"node03", "10.244.3.0/24"},
                            {"node04", "10.244.4.0/24"},
                            {"node06", "10.244.6.0/24"}};
    CHECK(reflection.sees_nodes(expected));
    REQUIRE(reflection.sees_notice(What::watching, 2));
    CHECK(reflection.seen.replacements == 2);
    CHECK(reflection.seen.count(What::expired) == 2); // of the watch, and of the list
    const std::vector<std::string> lists = lab.targets(false);
    REQUIRE(lists.size() == 5); // the first, the one that is gone, and three pages
    CHECK(lists[2] == "/api/v1/nodes?limit=2");
    CHECK_THAT(lists[3], has_text("/api/v1/nodes?limit=2&continue="));
    CHECK_THAT(lists[4], has_text("/api/v1/nodes?limit=2&continue="));
}

TEST_CASE("a page that comes too late costs a list in one piece, and no node", "[k8sclient][lab]")
{
    Lab lab;
    lab.server.put_node(node("node03", "10.244.3.0/24"));
    lab.server.inject({.what = Fault::What::gone, .requests = Fault::Requests::list});
    lab.server.inject(
        {.what = Fault::What::chunks, .requests = Fault::Requests::list, .size = 100}); // no harm
    lab.server.inject({.what = Fault::What::gone, .requests = Fault::Requests::list});
    Reflection reflection(lab.config(), 300s, 2);
    CHECK(reflection.sees_nodes(all_three));
    CHECK(reflection.seen.replacements == 1);
    const std::vector<std::string> lists = lab.targets(false);
    REQUIRE(lists.size() == 4);
    CHECK(lists[1] == "/api/v1/nodes?limit=2");
    CHECK_THAT(lists[2], has_text("/api/v1/nodes?limit=2&continue="));
    CHECK(lists[3] == "/api/v1/nodes");
}

TEST_CASE("the server may be reached over IPv6", "[k8sclient][lab]")
{
    Lab lab(60s, "[::1]:0");
    k8s::ClusterConfig config = lab.config();
    REQUIRE(config.host == "::1");
    SECTION("by its address") {}
    SECTION("in place of another address, under that one's name")
    {
        const std::string server = config.url();
        config.host = "kubernetes.default.svc";
        need(k8s::override_server(config, server));
        REQUIRE(config.tls_server_name == "kubernetes.default.svc");
    }
    Reflection reflection(config);
    REQUIRE(reflection.sees_notice(What::watching));
    lab.server.put_node(node("node03", "10.244.3.0/24"));
    CHECK(reflection.sees_nodes(all_three));
    CHECK(reflection.seen.count(What::failed) == 0);
}

TEST_CASE("a page of a proxy with status 200 is no list and no watch", "[k8sclient][lab]")
{
    Lab lab;
    const auto requests = GENERATE(Fault::Requests::list, Fault::Requests::watch);
    lab.server.inject({.what = Fault::What::content_type, .requests = requests});
    Reflection reflection(lab.config(), 1s);
    REQUIRE(reflection.sees_notice(What::failed));
    CHECK_THAT(reflection.seen.trouble(), has_text("this is text/html, not JSON"));
    CHECK_THAT(reflection.seen.trouble(), has_text("does a proxy answer for it?"));
    CHECK(reflection.sees_nodes(both));
    REQUIRE(reflection.sees_notice(What::watching));
    CHECK(reflection.seen.replacements == 1);
}

TEST_CASE("a server whose certificate the CA did not sign is not spoken to", "[k8sclient][lab]")
{
    Lab lab;
    Lab other;
    k8s::ClusterConfig config = lab.config();
    config.ca = {.inline_pem = {}, .file = other.server.ca_file()};
    Reflection reflection(config);
    REQUIRE(reflection.sees_notice(What::failed));
    CHECK_THAT(reflection.seen.trouble(), has_text("did not sign the server's certificate"));
    CHECK_THAT(reflection.seen.trouble(), has_text("kubeconfig " + lab.server.agent_kubeconfig().string()));
    CHECK(lab.server.requests().empty());
}

TEST_CASE("a server whose certificate is for another name is not spoken to", "[k8sclient][lab]")
{
    Lab lab;
    k8s::ClusterConfig config = lab.config();
    config.tls_server_name = GENERATE("api.example", "192.0.2.1");
    Reflection reflection(config);
    REQUIRE(reflection.sees_notice(What::failed));
    CHECK_THAT(reflection.seen.trouble(), has_text("not for " + config.tls_server_name));
    CHECK(lab.server.requests().empty());
}

TEST_CASE("a token that is not accepted is reported, and read again once it is replaced", "[k8sclient][lab]")
{
    Lab lab;
    k8s::ClusterConfig config = lab.config();
    config.token_file = lab.directory.path / "agent-token";
    need(write_file_atomically(config.token_file, "stale\n"));
    Reflection reflection(config);
    REQUIRE(reflection.sees_notice(What::failed));
    CHECK_THAT(reflection.seen.trouble(), has_text("401 Unauthorized"));
    CHECK_THAT(reflection.seen.trouble(), has_text("is not accepted"));

    need(write_file_atomically(config.token_file, lab.server.agent_token() + "\n"));
    CHECK(reflection.sees_nodes(both));
}

TEST_CASE("a refusal by RBAC names the rule that is missing", "[k8sclient][lab]")
{
    Lab lab;
    lab.server.inject({.what = Fault::What::status,
                       .requests = Fault::Requests::list,
                       .status = 403,
                       .body = R"({"kind":"Status","code":403,"message":"nodes is forbidden"})",
                       .content_type = "application/json"});
    Reflection reflection(lab.config());
    REQUIRE(reflection.sees_notice(What::failed));
    CHECK_THAT(reflection.seen.trouble(), has_text("403 Forbidden: nodes is forbidden"));
    CHECK_THAT(reflection.seen.trouble(), has_text("resources [nodes], verbs [get, list, watch]"));
    CHECK(reflection.sees_nodes(both));
}

TEST_CASE("a list that is cut is not acted on", "[k8sclient][lab]")
{
    Lab lab;
    const bool by_reset = GENERATE(true, false);
    lab.server.inject(
        {.what = Fault::What::cut, .requests = Fault::Requests::list, .after_bytes = 200, .reset = by_reset});
    Reflection reflection(lab.config());
    REQUIRE(reflection.sees_notice(What::failed));
    CHECK(reflection.seen.replacements == 0);
    CHECK(reflection.sees_nodes(both));
    CHECK(reflection.seen.replacements == 1);
}

TEST_CASE("an event that is cut is applied once, after the watch went on", "[k8sclient][lab]")
{
    Lab lab;
    lab.server.inject({.what = Fault::What::cut, .requests = Fault::Requests::watch, .after_bytes = 50});
    Reflection reflection(lab.config());
    REQUIRE(reflection.sees_notice(What::watching));
    lab.server.put_node(node("node03", "10.244.3.0/24"));
    CHECK(reflection.sees_nodes(all_three));
    CHECK(reflection.seen.upserts == 1);
    CHECK(lab.lists() == 1);
    CHECK(lab.watches() == 2);
}

TEST_CASE("a bookmark's version is where the next watch begins", "[k8sclient][lab]")
{
    Lab lab(200ms);
    // An event of version 1 right before the first bookmark: only that leads back to the server's version.
    const std::string event = R"({"type":"MODIFIED","object":{"kind":"Node","metadata":{"name":"node02",)"
                              R"("resourceVersion":"1"},"spec":{"podCIDR":"10.244.2.0/24"}}})"
                              "\n";
    lab.server.inject({.what = Fault::What::garbage, .requests = Fault::Requests::watch, .body = event});
    Reflection reflection(lab.config(), 1s);
    REQUIRE(reflection.sees_notice(What::closed));
    REQUIRE(reflection.sees_notice(What::watching, 2));
    CHECK(reflection.seen.upserts == 1);
    CHECK_THAT(lab.targets(true)[1],
               has_text("resourceVersion=" + std::to_string(lab.server.version()) + "&"));
    CHECK(lab.lists() == 1);
}

TEST_CASE("a watch that the server ends goes on from its last event, without a list", "[k8sclient][lab]")
{
    Lab lab(200ms);
    Reflection reflection(lab.config(), 1s);
    REQUIRE(reflection.sees_notice(What::watching));
    lab.server.put_node(node("node03", "10.244.3.0/24"));
    REQUIRE(reflection.sees_notice(What::closed));
    REQUIRE(reflection.sees_notice(What::watching, 2));
    CHECK_THAT(lab.targets(true)[1],
               has_text("resourceVersion=" + std::to_string(lab.server.version()) + "&"));
    CHECK(lab.lists() == 1);
    CHECK(reflection.seen.nodes == all_three);
}

TEST_CASE("a body that comes byte by byte or in small chunks is read like any other", "[k8sclient][lab]")
{
    Lab lab;
    const auto how = GENERATE(Fault::What::byte_by_byte, Fault::What::chunks);
    lab.server.inject({.what = how, .times = 2, .size = 7});
    Reflection reflection(lab.config());
    REQUIRE(reflection.sees_notice(What::watching));
    lab.server.put_node(node("node03", "10.244.3.0/24"));
    CHECK(reflection.sees_nodes(all_three));
    CHECK(reflection.seen.count(What::failed) == 0);
}

TEST_CASE("a busy server is left alone as long as it asks for", "[k8sclient][lab]")
{
    Lab lab;
    lab.server.inject({.what = Fault::What::status,
                       .requests = Fault::Requests::list,
                       .status = 429,
                       .retry_after = "1",
                       .body = "Too many requests, please try again later.",
                       .content_type = "text/plain"});
    Reflection reflection(lab.config());
    REQUIRE(reflection.sees_notice(What::failed));
    CHECK(reflection.seen.notices[0].retry_in >= 1s);
    CHECK_THAT(reflection.seen.trouble(), has_text("429 Too Many Requests: Too many requests, please"));
    CHECK(reflection.sees_nodes(both));
}

TEST_CASE("garbage in a watch is passed over by watching on, and by a list when it comes again",
          "[k8sclient][lab]")
{
    Lab lab;
    lab.server.inject({.what = Fault::What::garbage, .requests = Fault::Requests::watch, .times = 2});
    Reflection reflection(lab.config());
    REQUIRE(reflection.sees_notice(What::watching));
    lab.server.put_node(node("node03", "10.244.3.0/24"));
    CHECK(reflection.sees_nodes(all_three));
    REQUIRE(reflection.sees_notice(What::watching, 3));
    CHECK(reflection.seen.count(What::failed) == 2);
    CHECK(reflection.seen.replacements == 2);
}

TEST_CASE("cancellation ends the reflector at once, wherever it waits", "[k8sclient][lab]")
{
    Lab lab;
    SECTION("for an event")
    {
        Reflection reflection(lab.config());
        REQUIRE(reflection.sees_notice(What::watching));
        CHECK(reflection.cancel());
        CHECK_THROWS_AS(std::rethrow_exception(reflection.ended), boost::system::system_error);
    }
    SECTION("for a response")
    {
        lab.server.inject({.what = Fault::What::silence, .requests = Fault::Requests::list});
        Reflection reflection(lab.config());
        REQUIRE(reflection.sees([&] { return !lab.server.requests().empty(); }));
        CHECK(reflection.cancel());
    }
    SECTION("for a handshake")
    {
        lab.server.inject({.what = Fault::What::silence, .requests = Fault::Requests::connect});
        Reflection reflection(lab.config());
        reflection.sees([] { return false; }, 200ms);
        CHECK(reflection.cancel());
    }
    SECTION("for the next attempt")
    {
        lab.server.inject({.what = Fault::What::status, .status = 503, .retry_after = "60"});
        Reflection reflection(lab.config());
        REQUIRE(reflection.sees_notice(What::failed));
        CHECK(reflection.cancel());
    }
}
