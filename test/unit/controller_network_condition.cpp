#include "controller/network_condition.h"
#include "test/support/catch.h"

using namespace routelet;
using namespace routelet::controller;
using namespace routelet::test;
using namespace std::chrono_literals;

namespace {

using Clock = NetworkConditionPolicy::Clock;

const Readiness unknown = judge_readiness({.node_name = "node01"});
const Readiness unready = judge_readiness({.node_name = "node01", .nodes_listed = true});
const Readiness ready =
    judge_readiness({.node_name = "node01",
                     .nodes_listed = true,
                     .reconciled = true,
                     .node_exists = true,
                     .own_verdicts = {{"node01", "10.244.1.0/24", NodeState::self, Reason::none, ""}}});

// The Node of uid "uid" as it was told for the n-th time.
OwnNode::State shown(const std::string& status, const std::string& reason, std::uint64_t n,
                     const std::string& uid = "uid")
{
    return {.uid = uid, .network_unavailable = {status, reason}, .times_told = n};
}

OwnNode::State node_of(const std::string& uid)
{
    return shown("", "", 1, uid);
}

// "True", "False", or "" for nothing to write; what is to be written is.
std::string told(NetworkConditionPolicy& policy, const Readiness& readiness, const OwnNode::State& own,
                 Clock::time_point now)
{
    const auto condition = policy.next(readiness, own, now);
    if (!condition)
        return "";
    policy.written(*condition, own, now);
    return condition->status;
}

std::string told(NetworkConditionPolicy& policy, const Readiness& readiness, const std::string& uid,
                 Clock::time_point now)
{
    return told(policy, readiness, node_of(uid), now);
}

} // namespace

TEST_CASE("NetworkUnavailable follows readiness, without flapping", "[network-condition]")
{
    NetworkConditionPolicy policy;
    const auto start = Clock::now();

    SECTION("nothing is told before the first list, and without a Node")
    {
        CHECK(told(policy, unknown, "uid", start).empty());
        CHECK(told(policy, unready, "", start).empty());
        CHECK(told(policy, ready, "", start).empty());
    }
    SECTION("that a node is ready is told at once, and once")
    {
        CHECK(told(policy, ready, "uid", start) == "False");
        CHECK(told(policy, ready, "uid", start + 1h).empty());
    }
    SECTION("that it is not is told when it has lasted")
    {
        CHECK(told(policy, ready, "uid", start) == "False");
        CHECK(told(policy, unready, "uid", start + 1s).empty());
        CHECK(told(policy, unready, "uid", start + 10s).empty());
        CHECK(told(policy, unready, "uid", start + 11s) == "True");
        CHECK(told(policy, unready, "uid", start + 12s).empty());
        CHECK(told(policy, ready, "uid", start + 13s) == "False");
    }
    SECTION("a break starts the time anew")
    {
        CHECK(told(policy, ready, "uid", start) == "False");
        CHECK(told(policy, unready, "uid", start + 1s).empty());
        CHECK(told(policy, ready, "uid", start + 9s).empty());
        CHECK(told(policy, unready, "uid", start + 10s).empty());
        CHECK(told(policy, unready, "uid", start + 19s).empty());
    }
    SECTION("a Node that is registered anew is told anew")
    {
        CHECK(told(policy, ready, "uid", start) == "False");
        CHECK(told(policy, ready, "another", start + 1s) == "False");
    }
    SECTION("what was refused is to be written still")
    {
        CHECK(policy.next(ready, node_of("uid"), start).has_value());
        CHECK(policy.next(ready, node_of("uid"), start + 1s).has_value());
    }
    SECTION("the message has the condition that fails")
    {
        (void)policy.next(unready, node_of("uid"), start);
        const auto condition = policy.next(unready, node_of("uid"), start + 10s);
        REQUIRE(condition.has_value());
        CHECK(condition->type == "NetworkUnavailable");
        CHECK(condition->reason == "RouteletNotReady");
        CHECK(condition->message == "own-node: the API server has no Node named node01");
        CHECK(policy.next(ready, node_of("uid"), start)->reason == "RouteletReady");
    }
}

TEST_CASE("a Node that shows what it should is not written", "[network-condition]")
{
    NetworkConditionPolicy policy;
    const auto start = Clock::now();

    SECTION("since an earlier run wrote it")
    {
        CHECK(told(policy, ready, shown("False", "RouteletReady", 1), start).empty());
        CHECK(told(policy, ready, shown("False", "RouteletReady", 2), start + 1h).empty());
    }
    SECTION("but it is when the reason is somebody else's")
    {
        CHECK(told(policy, ready, shown("False", "FlannelIsUp", 1), start) == "False");
    }
    SECTION("and when the status is wrong")
    {
        CHECK(told(policy, ready, shown("True", "NoRouteCreated", 1), start) == "False");
    }
    SECTION("and as soon as the node's state is another")
    {
        CHECK(told(policy, unready, shown("False", "RouteletReady", 1), start).empty());
        CHECK(told(policy, unready, shown("False", "RouteletReady", 1), start + 10s) == "True");
    }
}

TEST_CASE("somebody else who overwrites it is corrected, every ten seconds at most",
          "[network-condition][F87]")
{
    NetworkConditionPolicy policy;
    const auto start = Clock::now();
    REQUIRE(told(policy, ready, shown("", "", 1), start) == "False");

    SECTION("what was told before the write was sent is no news")
    {
        CHECK(told(policy, ready, shown("True", "Other", 1), start + 1h).empty());
    }
    SECTION("once it is told anew, and ten seconds after the last write")
    {
        CHECK(told(policy, ready, shown("False", "RouteletReady", 2), start + 1s).empty());
        CHECK(told(policy, ready, shown("True", "Other", 3), start + 2s).empty());
        CHECK(told(policy, ready, shown("True", "Other", 3), start + 9s).empty());
        CHECK(told(policy, ready, shown("True", "Other", 3), start + 10s) == "False");
        CHECK(told(policy, ready, shown("True", "Other", 4), start + 11s).empty());
        CHECK(told(policy, ready, shown("True", "Other", 4), start + 20s) == "False");
    }
    SECTION("also when it is taken away")
    {
        CHECK(told(policy, ready, shown("", "", 2), start + 10s) == "False");
    }
    SECTION("another reason for the same status is left to whoever gives it")
    {
        CHECK(told(policy, ready, shown("False", "Other", 2), start + 1h).empty());
    }
    SECTION("what an earlier run wrote is corrected at once")
    {
        NetworkConditionPolicy restarted;
        CHECK(told(restarted, ready, shown("False", "RouteletReady", 1), start).empty());
        CHECK(told(restarted, ready, shown("True", "Other", 2), start + 1s) == "False");
        CHECK(told(restarted, ready, shown("True", "Other", 3), start + 2s).empty());
    }
}
