#include "controller/readiness.h"
#include "test/support/catch.h"

using namespace routelet::controller;

namespace {

using State = Readiness::State;

Verdict own(const std::string& pod_cidr, Reason reason = Reason::none, const std::string& detail = "")
{
    return {"node01", pod_cidr, reason == Reason::none ? NodeState::self : NodeState::refused, reason,
            detail};
}

// A node that works, among three.
const ReadinessFacts working = {.node_name = "node01",
                                .nodes_listed = true,
                                .reconciled = true,
                                .node_exists = true,
                                .own_verdicts = {own("10.244.1.0/24")},
                                .routes_planned = 2,
                                .routes_in_place = 2};

ReadinessFacts with(void (*change)(ReadinessFacts&))
{
    ReadinessFacts facts = working;
    change(facts);
    return facts;
}

} // namespace

TEST_CASE("a node is ready when pods can be run on it, and says otherwise what is missing", "[readiness]")
{
    struct Row {
        const char* what;
        ReadinessFacts facts;
        State state;
        const char* condition; // the first that is not met
        const char* code;
        const char* detail;
    };
    const auto row = GENERATE(values<Row>({
        {"all is as it should be", working, State::ready, "", "", ""},
        {"nothing is known yet",
         {.node_name = "node01"},
         State::unknown,
         "nodes-listed",
         "",
         "complete list"},
        {"the cluster has no such Node", with([](ReadinessFacts& f) {
             f.node_exists = false;
             f.own_verdicts.clear();
         }),
         State::not_ready, "own-node", "self-missing", "node01"},
        {"the Node has no podCIDR",
         with([](ReadinessFacts& f) { f.own_verdicts = {own("", Reason::no_pod_cidr)}; }), State::not_ready,
         "own-pod-cidr", "own-pod-cidr-missing", "node01 has no podCIDR"},
        {"its podCIDR is no network", with([](ReadinessFacts& f) {
             f.own_verdicts = {own("10.244.1.7/24", Reason::bad_pod_cidr, "host bits are set")};
         }),
         State::not_ready, "own-pod-cidr", "own-pod-cidr-refused", "bad-pod-cidr): host bits are set"},
        {"one family is refused, the other can be used", with([](ReadinessFacts& f) {
             f.own_verdicts.insert(f.own_verdicts.begin(), own("fd00::/64", Reason::outside_cluster_cidr));
         }),
         State::ready, "", "", ""},
        {"another CNI's bridge has one of the ranges", with([](ReadinessFacts& f) {
             f.own_verdicts.push_back(
                 own("10.244.1.0/24", Reason::overlaps_local_network, "it overlaps cni0"));
         }),
         State::not_ready, "own-range-free", "own-range-in-use",
         "10.244.1.0/24 of this node: it overlaps cni0"},
        {"the kernel's routes could not be read", with([](ReadinessFacts& f) { f.reconciled = false; }),
         State::not_ready, "routes", "routes-missing", "not been read"},
        {"none of several routes is in place", with([](ReadinessFacts& f) { f.routes_in_place = 0; }),
         State::not_ready, "routes", "routes-missing", "none of 2 routes"},
        {"one of several is refused", with([](ReadinessFacts& f) { f.routes_in_place = 1; }), State::ready,
         "", "", ""},
        {"the only peer's route is refused", with([](ReadinessFacts& f) {
             f.routes_planned = 1;
             f.routes_in_place = 0;
         }),
         State::ready, "", "", ""},
        {"it is alone in the cluster", with([](ReadinessFacts& f) {
             f.routes_planned = 0;
             f.routes_in_place = 0;
         }),
         State::ready, "", "", ""},
    }));
    CAPTURE(row.what);

    const Readiness readiness = judge_readiness(row.facts);

    CHECK(to_string(readiness.state) == to_string(row.state));
    CHECK(readiness.conditions.size() == 5);
    const Condition* unmet = readiness.first_unmet();
    CHECK((unmet == nullptr ? "" : unmet->name) == row.condition);
    if (unmet != nullptr) {
        CHECK(unmet->finding.code == row.code);
        CHECK_THAT(unmet->finding.detail, routelet::test::has_text(row.detail));
    }
}

TEST_CASE("a router is ready when it routes: it has neither Node nor podCIDR", "[readiness][router]")
{
    const ReadinessFacts routing = {
        .nodes_listed = true, .reconciled = true, .routes_planned = 2, .routes_in_place = 2};

    const Readiness ready = judge_readiness(routing);
    CHECK(ready.state == State::ready);
    REQUIRE(ready.conditions.size() == 2);
    CHECK(ready.conditions[0].name == "nodes-listed");
    CHECK(ready.conditions[1].name == "routes");

    ReadinessFacts none = routing;
    none.routes_in_place = 0;
    const Readiness without = judge_readiness(none);
    CHECK(without.state == State::not_ready);
    REQUIRE(without.findings().size() == 1);
    CHECK(without.findings()[0].code == "routes-missing");

    CHECK(judge_readiness({}).state == State::unknown);
}

TEST_CASE("what is unmet is a finding with a remedy; what is only waited for is none", "[readiness]")
{
    CHECK(judge_readiness({.node_name = "node01"}).findings().empty());
    CHECK(judge_readiness(working).findings().empty());

    const auto taken = judge_readiness(with([](ReadinessFacts& f) {
        f.own_verdicts = {own("10.244.1.0/24", Reason::overlaps_local_network, "it overlaps cni0")};
        f.routes_in_place = 0;
    }));
    const auto findings = taken.findings();
    REQUIRE(findings.size() == 2);
    CHECK(findings[0].code == "own-range-in-use");
    CHECK(findings[1].code == "routes-missing");
    for (const auto& finding : findings)
        CHECK_FALSE(finding.remedy.empty());
}
