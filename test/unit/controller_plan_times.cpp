#include "controller/plan_times.h"
#include "test/unit/planned_cluster.h"

using namespace routelet;
using namespace routelet::controller;
using namespace routelet::test;
using namespace routelet::test::planned;

namespace {

constexpr std::chrono::sys_seconds at(int seconds)
{
    return std::chrono::sys_seconds(std::chrono::seconds(seconds));
}

// Plans of node01, one after another.
struct Followed {
    std::vector<std::size_t> follow(const std::vector<TestNode>& nodes, int seconds)
    {
        const Plan before = std::exchange(plan, plan_routes(cluster(nodes), node01, as_node01));
        return times.follow(before, plan, at(seconds));
    }
    std::chrono::sys_seconds since(const std::string& node) const
    {
        for (std::size_t i = 0; i < plan.routes.size(); ++i)
            if (plan.routes[i].node->name == node)
                return times.of_route(i);
        for (std::size_t i = 0; i < plan.verdicts.size(); ++i)
            if (plan.verdicts[i].node == node)
                return times.of_verdict(i);
        FAIL("no such node: " + node);
        return {};
    }

    Plan plan;
    PlanTimes times;
};

} // namespace

TEST_CASE("a node's time is that of its state's beginning, whatever others do", "[plan-times]")
{
    Followed f;
    f.follow({self, node02}, 1);
    f.follow({self, node02, node03}, 2);
    CHECK(f.since("node01") == at(1));
    CHECK(f.since("node02") == at(1));
    CHECK(f.since("node03") == at(2));

    f.follow({self, node03}, 3);
    CHECK(f.since("node03") == at(2));
    f.follow({self, node02, node03}, 4); // another of the same name, for all that is known
    CHECK(f.since("node02") == at(4));
    CHECK(f.since("node03") == at(2));
}

TEST_CASE("another next hop, state or reason begins a time", "[plan-times]")
{
    const TestNode moved = {"node02", {"10.244.2.0/24"}, {"192.168.1.22"}};
    const TestNode elsewhere = {"node02", {"10.244.2.0/24"}, {"10.9.9.9"}};
    const TestNode further = {"node02", {"10.244.2.0/24"}, {"10.9.9.10"}};
    const TestNode nameless = {"node02", {"10.244.2.0/24"}, {}};
    Followed f;
    f.follow({self, node02, node03}, 1);
    f.follow({self, moved, node03}, 2);
    CHECK(f.since("node02") == at(2));
    f.follow({self, elsewhere, node03}, 3);
    CHECK(f.since("node02") == at(3));
    f.follow({self, further, node03}, 4); // refused for the same reason, whose detail is another
    CHECK(f.since("node02") == at(3));
    f.follow({self, nameless, node03}, 5);
    CHECK(f.since("node02") == at(5));
    f.follow({self, node02, node03}, 6);
    CHECK(f.since("node02") == at(6));
    CHECK(f.since("node01") == at(1));
    CHECK(f.since("node03") == at(1));
}

TEST_CASE("each podCIDR of a node has its own time", "[plan-times]")
{
    const TestNode first = {"node02", {"10.244.2.0/24"}, {"192.168.1.12"}};
    const TestNode both = {"node02", {"10.244.2.0/24", "fd00:10:244:2::/64"}, {"192.168.1.12"}};
    const TestNode neither = {"node02", {"10.244.2.0/24", "fd00:10:244:2::/64"}, {}};
    Followed f;
    f.follow({self, first}, 1);
    f.follow({self, both}, 2);
    REQUIRE(f.plan.routes.size() == 1);
    CHECK(f.times.of_route(0) == at(1));
    CHECK(f.since("node01") == at(1));
    CHECK(f.times.of_verdict(1) == at(2)); // no InternalIP of IPv6
    f.follow({self, neither}, 3);
    REQUIRE(f.plan.verdicts.size() == 3);
    CHECK(f.times.of_verdict(1) == at(3)); // of IPv4
    CHECK(f.times.of_verdict(2) == at(2)); // still of IPv6
}

TEST_CASE("what stands otherwise than before is told by its position", "[plan-times]")
{
    using Positions = std::vector<std::size_t>;
    const TestNode broken02 = {"node02", {"10.244.2.0/33"}, {"192.168.1.12"}};
    const TestNode broken03 = {"node03", {"10.244.3.0/33"}, {"192.168.1.13"}};
    const TestNode other03 = {"node03", {"10.244.3.0/34"}, {"192.168.1.13"}};
    const TestNode far03 = {"node03", {"10.244.3.0/24"}, {"10.9.9.9"}};
    const TestNode further03 = {"node03", {"10.244.3.0/24"}, {"10.9.9.10"}};
    Followed f;
    CHECK(f.follow({self}, 1) == Positions{0});
    CHECK(f.follow({self}, 2) == Positions{});
    CHECK(f.follow({self, broken03}, 3) == Positions{1});
    CHECK(f.follow({self, broken02, broken03}, 4) == Positions{1});
    CHECK(f.follow({self, broken02, other03}, 5) == Positions{2});
    CHECK(f.follow({self, broken02, far03}, 6) == Positions{2});
    CHECK(f.follow({self, broken02, further03}, 7) == Positions{2});
    CHECK(f.follow({self, node02, further03}, 8) == Positions{});
}
