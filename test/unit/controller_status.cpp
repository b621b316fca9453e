#include "controller/status.h"
#include "test/support/catch.h"
#include "test/support/nodes.h"

#include <nlohmann/json.hpp>

using namespace routelet;
using namespace routelet::controller;
using namespace routelet::test;
using nlohmann::json;

namespace {

const auto start = std::chrono::system_clock::from_time_t(1767225600); // 2026-01-01T00:00:00Z

StatusView view_after(std::chrono::seconds time)
{
    return {.now = start + time};
}

// node01 among a routed, a refused and a pending node.
struct Described {
    ApiState api{ApiState::What::failing, start, "no route to host"};
    Readiness readiness =
        judge_readiness({.node_name = "node01",
                         .nodes_listed = true,
                         .reconciled = true,
                         .node_exists = true,
                         .own_verdicts = {{"node01", "10.244.1.0/24", NodeState::self, Reason::none, ""}}});
    std::vector<Finding> findings;
    Plan plan{.routes = {{"10.244.2.0/24"_net, "192.168.1.12"_ip, netlink::IfIndex{2}, named("node02")}},
              .own_pod_cidrs = {"10.244.1.0/24"_net},
              .verdicts = {{"node01", "10.244.1.0/24", NodeState::self, Reason::none, ""},
                           {"node03", "", NodeState::pending, Reason::no_pod_cidr, ""},
                           {"node04", "0.0.0.0/1", NodeState::refused, Reason::pod_cidr_not_unicast, "why"}}};
    LocalFacts local{
        .addresses = {}, .networks = {{"192.168.1.0/24"_net, netlink::IfIndex{2}, "eth0"}}, .gateways = {}};
    std::optional<LastChange> last_change;
    std::map<IpPrefix, std::string> refusals;

    std::string text(const std::string& node_name = "node01") const
    {
        PlanTimes times;
        times.follow({}, plan, std::chrono::floor<std::chrono::seconds>(start));
        return to_json({.node_name = node_name,
                        .api_url = "https://10.0.0.1:6443",
                        .api = api,
                        .readiness = readiness,
                        .findings = findings,
                        .plan = plan,
                        .times = times,
                        .local = local,
                        .last_change = last_change,
                        .refusals = refusals,
                        .routes_in_place = {.v4 = 1}});
    }
};

} // namespace

TEST_CASE("the status has all that an operator asks for", "[status]")
{
    Described described;
    described.findings = {{"cni-config-shadowed", "00-other.conf", "remove it"}};
    described.refusals = {{"10.244.2.0/24"_net, "Network is unreachable"}};

    const json status = json::parse(described.text());

    CHECK(status["role"] == "node");
    CHECK(status["node"] == "node01");
    CHECK(status["state"] == "ready");
    CHECK(status["podCIDRs"] == json({"10.244.1.0/24"}));
    CHECK(status["routes"] == json({{"planned", 1}, {"inPlace", 1}}));
    CHECK(status["counts"] ==
          json({{"routed", 1}, {"self", 1}, {"gateway", 0}, {"pending", 1}, {"refused", 1}}));
    CHECK(status["api"] == json({{"server", "https://10.0.0.1:6443"},
                                 {"state", "failing"},
                                 {"since", "2026-01-01T00:00:00Z"},
                                 {"error", "no route to host"}}));
    CHECK(status["conditions"].size() == 5);
    CHECK(status["findings"][0]["code"] == "cni-config-shadowed");
    REQUIRE(status["nodes"].size() == 4);
    CHECK(status["nodes"][1] == json({{"node", "node02"},
                                      {"destination", "10.244.2.0/24"},
                                      {"state", "routed"},
                                      {"since", "2026-01-01T00:00:00Z"},
                                      {"nextHop", "192.168.1.12"},
                                      {"dev", "eth0"},
                                      {"error", "Network is unreachable"}}));
    CHECK(status["nodes"][3]["reason"] == "pod-cidr-not-unicast");
}

TEST_CASE("for a person the status is a few lines", "[status]")
{
    Described described;
    const auto ready = need(summarize_status(described.text(), view_after(std::chrono::minutes(5))));
    CHECK(ready.is_ready);
    CHECK_THAT(ready.text, has_text("node      node01: ready\n"));
    CHECK_THAT(ready.text, has_text("routes    1 of 1 in place\n"));
    CHECK_THAT(ready.text, has_text("failing since 2026-01-01T00:00:00Z: no route to host\n"));
    CHECK_THAT(ready.text, has_text("findings: none\n"));
    CHECK_THAT(ready.text, has_text("  node02  routed   5m     10.244.2.0/24  192.168.1.12\n"));

    described.readiness = judge_readiness({.node_name = "node01", .nodes_listed = true});
    described.findings = described.readiness.findings();
    const auto unready = need(summarize_status(described.text()));
    CHECK_FALSE(unready.is_ready);
    CHECK_THAT(unready.text,
               has_text("  self-missing: the API server has no Node named node01\n      to do: "));
}

TEST_CASE("of the nodes some can be asked for; the counts are of all", "[status]")
{
    const Described described;
    const auto nodes_of = [&](const StatusFilter& filter) {
        const std::string text = need(summarize_status(described.text(), {.filter = filter})).text;
        return text.substr(text.find("\nnodes"));
    };
    const std::string all = "\nnodes: 1 routed, 1 self, 1 pending, 1 refused\n";
    CHECK_THAT(nodes_of({}), has_text(all) && has_text("node02") && has_text("node04"));
    CHECK_THAT(nodes_of({.state = "refused"}), has_text(all) && has_text("node04") && !has_text("node02"));
    CHECK_THAT(nodes_of({.node = "node02"}), has_text(all) && has_text("node02") && !has_text("node04"));
    CHECK_THAT(nodes_of({.node = "node02", .state = "refused"}), !has_text("node02") && !has_text("node04"));
}

TEST_CASE("a node that is left to the gateway is shown with the way there", "[status][off-link]")
{
    Described described;
    described.plan.verdicts.push_back({"node05", "10.244.5.0/24", NodeState::gateway, Reason::none,
                                       "192.168.2.15 is elsewhere; the default route leads there"});

    const json status = json::parse(described.text());
    CHECK(status["counts"]["gateway"] == 1);
    CHECK(status["nodes"].back() ==
          json({{"node", "node05"},
                {"destination", "10.244.5.0/24"},
                {"state", "gateway"},
                {"since", "2026-01-01T00:00:00Z"},
                {"detail", "192.168.2.15 is elsewhere; the default route leads there"}}));
    CHECK_THAT(
        need(summarize_status(described.text(), view_after(std::chrono::seconds(90)))).text,
        has_text("  node05  gateway  90s    10.244.5.0/24  192.168.2.15 is elsewhere; the default route "
                 "leads there\n"));
}

TEST_CASE("a router's status has no node and no podCIDRs of its own", "[status][router]")
{
    Described described;
    described.readiness = judge_readiness({.nodes_listed = true, .reconciled = true});
    described.plan.own_pod_cidrs.clear();

    CHECK(json::parse(described.text(""))["role"] == "router");
    const auto summary = need(summarize_status(described.text(""), view_after(std::chrono::hours(50))));
    CHECK(summary.is_ready);
    CHECK(summary.text.starts_with("router    ready\n"));
    CHECK_THAT(summary.text, !has_text("podCIDRs"));
    CHECK_THAT(summary.text, !has_text("own-node"));
    CHECK_THAT(summary.text, has_text("  node02  routed   2d2h   10.244.2.0/24  192.168.1.12\n"));
}

TEST_CASE("the status tells the last change, and an API server that has long said nothing", "[status]")
{
    Described described;
    const auto text_after = [&](std::chrono::seconds time) {
        return need(summarize_status(described.text(), view_after(time))).text;
    };
    CHECK_FALSE(json::parse(described.text()).contains("lastChange"));
    CHECK_THAT(text_after(std::chrono::hours(1)), !has_text("last change") && !has_text("nothing heard"));

    described.last_change =
        LastChange{start + std::chrono::seconds(10), "route-restored", "10.244.2.0/24"_net, "kernel"};
    described.api.heard = start + std::chrono::seconds(10);
    CHECK(json::parse(described.text())["lastChange"] == json({{"when", "2026-01-01T00:00:10Z"},
                                                               {"event", "route-restored"},
                                                               {"destination", "10.244.2.0/24"},
                                                               {"cause", "kernel"}}));
    CHECK_THAT(text_after(std::chrono::seconds(100)),
               has_text("routes    1 of 1 in place, last change 90s ago: route-restored 10.244.2.0/24, "
                        "cause kernel\n") &&
                   !has_text("nothing heard"));
    CHECK_THAT(text_after(std::chrono::seconds(310)), has_text("nothing heard of it for 5m\n"));
}

TEST_CASE("without ages the status changes only when something has", "[status]")
{
    Described described;
    described.last_change = LastChange{start, "route-restored", "10.244.2.0/24"_net, "kernel"};
    described.api.heard = start;
    const auto text_after = [&](std::chrono::seconds time) {
        const StatusView view{.now = start + time, .has_ages = false};
        return need(summarize_status(described.text(), view)).text;
    };
    const std::string text = text_after({});
    CHECK_THAT(text, has_text("last change 2026-01-01T00:00:00Z ago: route-restored"));
    CHECK(text == text_after(std::chrono::seconds(100)));
    const std::string silent = text_after(std::chrono::seconds(200));
    CHECK_THAT(silent, has_text("nothing heard of it for 2026-01-01T00:00:00Z\n"));
    CHECK(silent == text_after(std::chrono::seconds(300)));
    described.last_change->when += std::chrono::seconds(1);
    CHECK(silent != text_after(std::chrono::seconds(300)));
}

TEST_CASE("a wide status has links and remedies as well", "[status]")
{
    const Described described;
    const StatusView wide{.is_wide = true, .now = start};
    const std::string text = need(summarize_status(described.text(), wide)).text;
    CHECK_THAT(text, has_text("NEXT HOP OR REASON         LINK  TO DO\n") &&
                         has_text("192.168.1.12               eth0\n"));
    const std::string advice(remedy(Reason::pod_cidr_not_unicast));
    CHECK_THAT(text, has_text("pod-cidr-not-unicast: why        " + advice + "\n"));
}

TEST_CASE("the names of the nodes alone are a line each, whatever the number of podCIDRs", "[status]")
{
    Described described;
    described.plan.verdicts.push_back({"node02", "fd00::/64", NodeState::refused, Reason::none, ""});
    const auto names = [&](const StatusFilter& filter) {
        return need(summarize_status(described.text(), {.filter = filter, .has_names_only = true})).text;
    };
    CHECK(names({}) == "node01\nnode02\nnode03\nnode04\n");
    CHECK(names({.state = "refused"}) == "node02\nnode04\n");
    CHECK(names({.node = "node02"}) == "node02\n");
    CHECK(names({.node = "node77"}).empty());
}

TEST_CASE("on a terminal good and bad have colours, and columns stay columns", "[status][output]")
{
    Described described;
    described.findings = {{"cni-config-shadowed", "00-other.conf", "remove it"}};
    const StatusView coloured{.painter = Painter(true), .now = start};
    std::string text = need(summarize_status(described.text(), coloured)).text;
    CHECK_THAT(text, has_text("node01: \x1b[32mready\x1b[0m\n"));
    CHECK_THAT(text, has_text("node02  \x1b[32mrouted\x1b[0m   0s     10.244.2.0/24"));
    CHECK_THAT(text, has_text("node04  \x1b[31mrefused\x1b[0m  0s     0.0.0.0/1"));
    CHECK_THAT(text, has_text("  \x1b[31mcni-config-shadowed\x1b[0m: 00-other.conf\n"));
    for (auto escape = text.find('\x1b'); escape != std::string::npos; escape = text.find('\x1b'))
        text.erase(escape, text.find('m', escape) + 1 - escape);
    CHECK(text == need(summarize_status(described.text(), view_after({}))).text);
}

TEST_CASE("what a Node object holds does not steer the terminal", "[status]")
{
    Described described;
    described.plan.verdicts.back().detail = "\x1b]0;owned\x07";
    CHECK_THAT(need(summarize_status(described.text())).text, has_text("pod-cidr-not-unicast: ?]0;owned?\n"));
}

TEST_CASE("another program's answer is no status", "[status]")
{
    const auto text = GENERATE("", "<html>", "{}", "[]", R"({"state": 1})");
    CAPTURE(text);
    CHECK(summarize_status(text).has_error());
}

TEST_CASE("a probe reads a line for each condition", "[status]")
{
    const std::string text = to_text(judge_readiness({.node_name = "node01", .nodes_listed = true}));
    CHECK_THAT(text, has_text("nodes-listed: met\n"));
    CHECK_THAT(text, has_text("own-node: unmet (the API server has no Node named node01)\n"));
}
