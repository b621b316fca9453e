#include "base/file.h"
#include "controller/metrics.h"
#include "test/support/catch.h"
#include "test/support/nodes.h"

#include <cmath>
#include <sstream>

using namespace routelet;
using namespace routelet::controller;
using namespace routelet::test;

namespace {

// node01 that is ready, with a routed and a refused node, and something of everything.
struct Measured {
    ApiState api{.what = ApiState::What::working,
                 .since = std::chrono::system_clock::from_time_t(1767225600)};
    Readiness readiness =
        judge_readiness({.node_name = "node01",
                         .nodes_listed = true,
                         .reconciled = true,
                         .node_exists = true,
                         .own_verdicts = {{"node01", "10.244.1.0/24", NodeState::self, Reason::none, ""}}});
    std::vector<Finding> findings = {{"cni-config-shadowed", "00-other.conf", "remove it"}};
    Plan plan{.routes = {{"10.244.2.0/24"_net, "192.168.1.12"_ip, netlink::IfIndex{2}, named("node02")},
                         {"fd00:10:244:2::/64"_net, "fd00:1::12"_ip, netlink::IfIndex{2}, named("node02")}},
              .own_pod_cidrs = {"10.244.1.0/24"_net},
              .verdicts = {{"node01", "10.244.1.0/24", NodeState::self, Reason::none, ""},
                           {"node03", "10.244.2.0/25", NodeState::refused, Reason::overlaps_node, "node02"}}};
    std::map<IpPrefix, std::string> refusals;
    PlanTimes times;
    LocalFacts local;
    RouteCounters routes;
    std::vector<IpamUse> ipam = {{.family = IpFamily::v4, .reserved = 7, .capacity = 253}};
    std::optional<ProcessUse> process = read_process();

    std::string text()
    {
        const Status status{.node_name = "node01",
                            .api_url = "https://10.0.0.1:6443",
                            .api = api,
                            .readiness = readiness,
                            .findings = findings,
                            .plan = plan,
                            .times = times,
                            .local = local,
                            .last_change = routes.last,
                            .refusals = refusals,
                            .routes_in_place = {.v4 = 1, .v6 = 1}};
        return to_metrics({.status = status, .routes = routes, .ipam = ipam, .process = process});
    }
};

} // namespace

TEST_CASE("metrics are written as Prometheus reads them", "[metrics]")
{
    Exposition out;
    out.gauge("a_gauge", "What it is.");
    out.sample(0.25);
    out.sample(1e9, {{"path", "a \"b\"\\c\nd"}, {"family", "IPv4"}});
    out.counter("nothing_total", "Nothing yet.");
    CHECK(out.text() == "# HELP a_gauge What it is.\n"
                        "# TYPE a_gauge gauge\n"
                        "a_gauge 0.25\n"
                        "a_gauge{path=\"a \\\"b\\\"\\\\c\\nd\",family=\"IPv4\"} 1000000000\n"
                        "# HELP nothing_total Nothing yet.\n"
                        "# TYPE nothing_total counter\n");
}

TEST_CASE("a histogram counts up to each bound, and all", "[metrics]")
{
    Histogram histogram;
    histogram.observe(0.0001);
    histogram.observe(0.003, 2);
    histogram.observe(60);
    CHECK(histogram.count() == 4);
    CHECK(std::abs(histogram.sum() - 60.0061) < 1e-9);

    Exposition out;
    out.histogram("took_seconds", "How long.");
    out.sample(histogram, {{"cause", "node"}});
    CHECK_THAT(out.text(), has_text("\ntook_seconds_bucket{cause=\"node\",le=\"0.0001\"} 1\n") &&
                               has_text("\ntook_seconds_bucket{cause=\"node\",le=\"0.0025\"} 1\n") &&
                               has_text("\ntook_seconds_bucket{cause=\"node\",le=\"0.005\"} 3\n") &&
                               has_text("\ntook_seconds_bucket{cause=\"node\",le=\"10\"} 3\n") &&
                               has_text("\ntook_seconds_bucket{cause=\"node\",le=\"+Inf\"} 4\n") &&
                               has_text("\ntook_seconds_count{cause=\"node\"} 4\n"));
}

TEST_CASE("the metrics say what the status says", "[metrics]")
{
    Measured measured;
    measured.routes.count("route-restored", "kernel", 3, 0.0004);
    measured.routes.count("route-restored", "kernel", 0, 0.0004);
    measured.routes.failures = 2;
    measured.routes.unread = 1;
    CHECK_THAT(measured.text(), !has_text("\nroutelet_watch_last_event_timestamp_seconds "));
    measured.api.heard = std::chrono::system_clock::from_time_t(1767225610);
    const std::string text = measured.text();

    for (const char* line :
         {"routelet_ready 1",
          "routelet_condition_met{condition=\"routes\"} 1",
          "routelet_finding{code=\"cni-config-shadowed\"} 1",
          "routelet_api_up 1",
          "routelet_api_state_since_timestamp_seconds 1767225600",
          "routelet_pod_cidrs{state=\"routed\",family=\"IPv4\"} 1",
          "routelet_pod_cidrs{state=\"routed\",family=\"IPv6\"} 1",
          "routelet_pod_cidrs{state=\"self\",family=\"IPv4\"} 1",
          "routelet_pod_cidrs{state=\"pending\",family=\"IPv6\"} 0",
          "routelet_pod_cidrs_without_route{state=\"refused\",reason=\"overlaps-node\",family=\"IPv4\"} 1",
          "routelet_routes_planned{family=\"IPv4\"} 1",
          "routelet_routes_planned{family=\"IPv6\"} 1",
          "routelet_routes_in_place{family=\"IPv4\"} 1",
          "routelet_routes_in_place{family=\"IPv6\"} 1",
          "routelet_routes_refused{family=\"IPv6\"} 0",
          "routelet_route_changes_total{change=\"restored\",cause=\"kernel\"} 3",
          "routelet_route_changes_total{change=\"restored\",cause=\"retry\"} 0",
          "routelet_route_failures_total 2",
          "routelet_kernel_overruns_total 0",
          "routelet_kernel_read_failures_total 1",
          "routelet_watch_last_event_timestamp_seconds 1767225610",
          "routelet_event_to_kernel_seconds_bucket{cause=\"kernel\",le=\"0.0005\"} 3",
          "routelet_event_to_kernel_seconds_count{cause=\"node\"} 0",
          "routelet_reconciliation_seconds_bucket{cause=\"check\",le=\"+Inf\"} 0",
          "routelet_ipam_addresses_reserved{family=\"IPv4\"} 7",
          "routelet_ipam_addresses{family=\"IPv4\"} 253"}) {
        CAPTURE(line);
        CHECK_THAT(text, has_text("\n" + std::string(line) + "\n"));
    }

    measured.api.what = ApiState::What::failing;
    CHECK_THAT(measured.text(), has_text("\nroutelet_api_up 0\n"));
}

TEST_CASE("this process is measured", "[metrics]")
{
    const auto process = read_process();
    REQUIRE(process.has_value());
    CHECK(process->resident_bytes > 1e5);
    CHECK(process->open_fds >= 3);
    const auto now =
        static_cast<double>(std::chrono::system_clock::to_time_t(std::chrono::system_clock::now()));
    CHECK(process->start_time <= now + 1);
    CHECK(process->start_time > now - 3600);
}

TEST_CASE("every metric is in the documentation, and no label names a node", "[metrics]")
{
    Measured measured;
    measured.routes.count("route-added", "node", 1, 0.0004);
    RouteCounters::of(measured.routes.reconciling, "node").observe(0.001);
    const std::string documentation = need(read_file(ROUTELET_DOCS "/metrics.md"));
    const std::string text = measured.text();
    CHECK_THAT(text, !has_text("node02") && !has_text("node01") && !has_text("10.244"));

    std::size_t families = 0;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        if (line.rfind("# TYPE routelet_", 0) != 0)
            continue;
        ++families;
        std::istringstream words(line);
        std::string mark, type, name, kind;
        words >> mark >> type >> name >> kind;
        CAPTURE(name);
        CHECK_THAT(documentation, has_text("| `" + name + "` | " + kind + " |"));
    }
    CHECK(families == 20);
}
