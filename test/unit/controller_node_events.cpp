#include "controller/node_events.h"
#include "test/support/catch.h"

using namespace routelet;
using namespace routelet::controller;
using namespace routelet::test;
using namespace std::chrono_literals;

namespace {

using Clock = NodeEventPolicy::Clock;
using Texts = std::vector<std::string>;

const Readiness unknown = judge_readiness({.node_name = "node01"});
const Readiness unready = judge_readiness({.node_name = "node01", .nodes_listed = true});
const Readiness ready =
    judge_readiness({.node_name = "node01",
                     .nodes_listed = true,
                     .reconciled = true,
                     .node_exists = true,
                     .own_verdicts = {{"node01", "10.244.1.0/24", NodeState::self, Reason::none, ""}}});

const Finding shadowed = {"cni-config-shadowed", "00-a.conf", "remove it"};
const Finding shadowed_by_another = {"cni-config-shadowed", "00-b.conf", "remove it"};

// The policy at `start` and so much later.
struct Told {
    NodeEventPolicy policy{"node01"};
    Clock::time_point start = Clock::now();

    Texts at(std::chrono::seconds later, const Readiness& readiness, std::vector<Finding> findings = {},
             const std::string& uid = "uid-1")
    {
        Texts told;
        for (const k8s::EventNote& note : policy.next(uid, readiness, std::move(findings), start + later)) {
            CHECK(note.kind == "Node");
            CHECK(note.name == "node01");
            CHECK(note.object_uid == uid);
            told.push_back((note.type == k8s::EventNote::Type::warning ? "Warning " : "Normal ") +
                           note.reason + ": " + note.message);
        }
        return told;
    }
};

const std::string of_shadowed = "Warning CniConfigShadowed: 00-a.conf; remove it";
const std::string of_unready =
    "Warning RouteletNotReady: no pods can be run here while own-node is not met; see the "
    "other Events of this node, or routelet status on it";
const std::string of_ready = "Normal RouteletReady: Routelet's routes and CNI configuration are in place";

} // namespace

TEST_CASE("an Event's reason is the finding's code in another spelling", "[node-events]")
{
    CHECK(event_reason("own-pod-cidr-missing") == "OwnPodCidrMissing");
    CHECK(event_reason("network-condition-failed") == "NetworkConditionFailed");
    CHECK(event_reason("x") == "X");
    CHECK(event_reason("") == "");
}

TEST_CASE("a finding becomes a Warning once it has lasted", "[node-events]")
{
    Told told;
    SECTION("and only then")
    {
        CHECK(told.at(0s, ready, {shadowed}).empty());
        CHECK(told.at(9s, ready, {shadowed}).empty());
        CHECK(told.at(10s, ready, {shadowed}) == Texts{of_shadowed});
        CHECK(told.at(20s, ready, {shadowed}).empty());
    }
    SECTION("one that passes is not told, and begins anew when it comes again")
    {
        CHECK(told.at(0s, ready, {shadowed}).empty());
        CHECK(told.at(9s, ready).empty());
        CHECK(told.at(11s, ready, {shadowed}).empty());
        CHECK(told.at(21s, ready, {shadowed}) == Texts{of_shadowed});
        CHECK(told.at(22s, ready).empty());
        CHECK(told.at(30s, ready, {shadowed}).empty());
        CHECK(told.at(40s, ready, {shadowed}) == Texts{of_shadowed});
    }
    SECTION("one that says something else meanwhile has lasted all the same")
    {
        CHECK(told.at(0s, ready, {shadowed}).empty());
        CHECK(told.at(10s, ready, {shadowed_by_another}).size() == 1);
        CHECK(told.at(11s, ready, {shadowed, shadowed_by_another}) == Texts{of_shadowed});
        CHECK(told.at(12s, ready, {shadowed, shadowed_by_another}).empty());
    }
    SECTION("not without a Node, and of one that was registered anew it is told anew")
    {
        CHECK(told.at(0s, ready, {shadowed}, "").empty());
        CHECK(told.at(10s, ready, {shadowed}, "").empty());
        CHECK(told.at(11s, ready, {shadowed}) == Texts{of_shadowed});
        CHECK(told.at(12s, ready, {shadowed}, "uid-2") == Texts{of_shadowed});
        CHECK(told.at(13s, ready, {shadowed}, "uid-2").empty());
    }
}

TEST_CASE("being unready is told, and its end", "[node-events]")
{
    Told told;
    SECTION("an agent that starts on a healthy node tells nothing")
    {
        CHECK(told.at(0s, unknown).empty());
        CHECK(told.at(100s, unknown).empty());
        CHECK(told.at(101s, unready).empty()); // for a moment
        CHECK(told.at(102s, ready).empty());
        CHECK(told.at(1000s, ready).empty());
    }
    SECTION("one that lasts is told with what is missing, and then that it is over")
    {
        CHECK(told.at(0s, unready).empty());
        CHECK(told.at(10s, unready) == Texts{of_unready});
        CHECK(told.at(20s, unready).empty());
        CHECK(told.at(21s, ready) == Texts{of_ready});
        CHECK(told.at(22s, ready).empty());
    }
    SECTION("a Node that was registered anew was not told that it is unready")
    {
        CHECK(told.at(0s, unready).empty());
        CHECK(told.at(10s, unready) == Texts{of_unready});
        CHECK(told.at(11s, ready, {}, "uid-2").empty());
    }
}
