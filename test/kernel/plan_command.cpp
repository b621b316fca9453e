// `routelet plan` on the real kernel.
#include "controller/plan_command.h"
#include "base/join.h"
#include "test/support/catch.h"
#include "test/support/netns_fixture.h"

#include <sstream>

using namespace routelet;
using namespace routelet::controller;
using namespace routelet::test;

namespace {

struct PlanningNode : NetnsFixture {
    PlanCommandOptions options;
    std::string nodes;
    std::string errors;
    int exit_status = -1;

    PlanningNode()
    {
        add_uplink("eth0", {"192.168.1.11/24", "fd00:1::11/64"});
        options.nodes = "-";
        options.plan.node_name = "node01";
        options.pod_bridge = "v-net-0";
    }

    void add_node(const std::string& number, const std::string& range)
    {
        append_item(
            nodes,
            (R"({"kind":"Node","metadata":{"name":"node0)" + number + R"(","creationTimestamp":"2026-01-0)" +
             number + R"(T00:00:00Z"},"spec":{"podCIDRs":["10.244.)" + range + R"(.0/24","fd00:10:244:)" +
             range + R"(::/64"]},"status":{"addresses":[{"type":"InternalIP","address":"192.168.1.1)" +
             number + R"("},{"type":"InternalIP","address":"fd00:1::1)" + number + R"("}]}})"),
            ",");
    }
    std::string plan(PlanCommandOptions::Output output)
    {
        options.output = output;
        std::istringstream in(R"({"kind":"List","metadata":{"resourceVersion":""},"items":[)" + nodes + "]}");
        std::ostringstream out;
        std::ostringstream err;
        exit_status = show_plan(options, in, out, err);
        errors = err.str();
        return out.str();
    }
    std::string routes() { return output("ip route show proto 82; ip -6 route show proto 82"); }
};

} // namespace

TEST_CASE_METHOD(PlanningNode, "a plan's commands do what it says, and then nothing is left to do",
                 "[kernel][plan]")
{
    add_node("1", "1");
    add_node("2", "2");
    add_node("3", "3");
    run("ip route add 10.244.2.0/24 via 192.168.1.99 proto 82 metric 8468"); // of before the node moved
    run("ip -6 route add fd00:10:244:9::/64 via fd00:1::99 proto 82 metric 8200");
    run("ip route add 10.244.7.0/24 via 192.168.1.17"); // somebody else's
    const std::string before = routes();

    const std::string text = plan(PlanCommandOptions::Output::text);
    CHECK(exit_status == 0);
    CHECK(errors.empty());
    CHECK_THAT(text, has_text("5 to add, 1 to change, 1 to remove, 0 in place"));
    const std::string commands = plan(PlanCommandOptions::Output::ip);
    CHECK(routes() == before); // it only says so

    run("set -e\n" + commands);
    CHECK(plan(PlanCommandOptions::Output::ip).empty());
    CHECK_THAT(plan(PlanCommandOptions::Output::text),
               has_text("0 to add, 0 to change, 0 to remove, 6 in place"));
    CHECK_THAT(routes(), has_text("10.244.2.0/24 via 192.168.1.12 dev eth0") &&
                             has_text("unreachable 10.244.1.0/24") &&
                             has_text("fd00:10:244:3::/64 via fd00:1::13"));
    CHECK_THAT(output("ip route"), has_text("10.244.7.0/24 via 192.168.1.17"));
}

TEST_CASE_METHOD(PlanningNode, "Nodes that cannot be read are told, and nothing is planned", "[kernel][plan]")
{
    nodes = R"({"metadata":)";
    CHECK(plan(PlanCommandOptions::Output::text).empty());
    CHECK(exit_status == 1);
    CHECK_THAT(errors, has_text("kubectl get nodes -o json"));

    options.nodes = "/nonexistent/nodes.json";
    CHECK(plan(PlanCommandOptions::Output::text).empty());
    CHECK(exit_status == 1);
    CHECK_THAT(errors, has_text("/nonexistent/nodes.json") && !has_text("kubectl"));
}

TEST_CASE_METHOD(PlanningNode, "a machine that no Node is named as is told", "[kernel][plan]")
{
    add_node("2", "2");
    CHECK_THAT(plan(PlanCommandOptions::Output::text), has_text("2 to add"));
    CHECK(exit_status == 0);
    CHECK_THAT(errors, has_text("no Node of these is named node01"));
}

TEST_CASE_METHOD(PlanningNode, "a plan's commands spare a route of somebody else's at the metric of ours",
                 "[kernel][plan]")
{
    add_node("1", "1");
    add_node("2", "2");
    run("ip route add 10.244.2.0/24 via 192.168.1.99 proto 82 metric 8555");
    run("ip route prepend 10.244.2.0/24 via 192.168.1.77 proto static metric 8555"); // which REPLACE would
                                                                                     // hit
    run("ip route append 10.244.2.0/24 via 192.168.1.98 proto 82 metric 8600");      // ours, and behind

    run("set -e\n" + plan(PlanCommandOptions::Output::ip));
    CHECK(plan(PlanCommandOptions::Output::ip).empty());
    CHECK(output("ip route show 10.244.2.0/24") ==
          "10.244.2.0/24 via 192.168.1.12 dev eth0 proto 82 metric 8468 \n"
          "10.244.2.0/24 via 192.168.1.77 dev eth0 proto static metric 8555 \n");
}

TEST_CASE_METHOD(PlanningNode, "a podCIDR that holds the API server's address is refused, as by the agent",
                 "[kernel][plan]")
{
    add_node("1", "1");
    add_node("2", "2");
    CHECK_THAT(plan(PlanCommandOptions::Output::text), has_text("+ 10.244.2.0/24 via 192.168.1.12"));

    options.api_server.apiservers = {"10.244.2.1:6443"};
    CHECK_THAT(plan(PlanCommandOptions::Output::text),
               !has_text("+ 10.244.2.0/24") &&
                   has_text("10.244.2.0/24 of node02: refused, covers-api-server"));
    CHECK(exit_status == 0);

    options.api_server.kubeconfig = "/nonexistent/kubeconfig";
    CHECK(plan(PlanCommandOptions::Output::text).empty());
    CHECK(exit_status == 1);
    CHECK_THAT(errors, has_text("/nonexistent/kubeconfig"));
}
