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

// "True", "False", or "" for nothing to write; what is to be written is.
std::string told(NetworkConditionPolicy& policy, const Readiness& readiness, const std::string& uid,
                 Clock::time_point now)
{
    const auto condition = policy.next(readiness, uid, now);
    if (!condition)
        return "";
    policy.written(*condition, uid);
    return condition->status;
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
        CHECK(policy.next(ready, "uid", start).has_value());
        CHECK(policy.next(ready, "uid", start + 1s).has_value());
    }
    SECTION("the message has the condition that fails")
    {
        (void)policy.next(unready, "uid", start);
        const auto condition = policy.next(unready, "uid", start + 10s);
        REQUIRE(condition.has_value());
        CHECK(condition->type == "NetworkUnavailable");
        CHECK(condition->reason == "RouteletNotReady");
        CHECK(condition->message == "own-node: the API server has no Node named node01");
        CHECK(policy.next(ready, "uid", start)->reason == "RouteletReady");
    }
}
