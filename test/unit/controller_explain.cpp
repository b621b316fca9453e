#include "controller/diagnosis/explain.h"
#include "test/support/catch.h"

#include <nlohmann/json.hpp>

#include <linux/rtnetlink.h>

#include <algorithm>

using namespace routelet;
using namespace routelet::controller;
using namespace routelet::test;

namespace {

// The agent of node01, and what it has to say of others.
StatusReport agent_of_node01()
{
    return {
        .node = "node01",
        .state = "ready",
        .api_server = "https://10.0.0.1:6443",
        .api_state = "working",
        .api_since = "2026-01-01T00:00:00Z",
        .api_error = "",
        .nodes = {{"node01", "10.244.1.0/24", "self"},
                  {"node02", "10.244.2.0/24", "routed", "192.168.1.12"},
                  {"node03", "", "pending", "", "no-pod-cidr", "", "see that somebody allocates podCIDRs"},
                  {"node04", "10.244.2.0/25", "refused", "", "overlaps-node", "10.244.2.0/24 of node02",
                   "delete the Node that is wrong"},
                  {"node05", "10.244.5.0/24", "gateway", "", "", "192.168.2.15 is elsewhere"},
                  {"node06", "10.244.6.0/24", "refused", "", "next-hop-off-link", "192.168.9.9",
                   "use --off-link gateway"}}};
}

// A way on which nothing is wrong.
PathFacts good_path()
{
    const netlink::Route route{.destination = "10.244.2.0/24"_net,
                               .gateway = "192.168.1.12"_ip,
                               .oif = netlink::IfIndex{2},
                               .metric = 8468,
                               .protocol = netlink::RouteProtocol{82}};
    PathFacts path{.way = route};
    path.routes = {route};
    path.link = netlink::Link{.index = netlink::IfIndex{2}, .name = "eth0", .mtu = 1500, .flags = 0x10001};
    path.neighbor_address = "192.168.1.12"_ip;
    path.neighbor = std::optional(
        netlink::Neighbor{NUD_REACHABLE, need(netlink::MacAddress::parse("02:00:00:00:00:12"))});
    path.source = SourceAddress::kept;
    return path;
}

Explanation explain(const std::string& asked, const Result<StatusReport>& agent,
                    const PathFacts& path = good_path())
{
    const std::vector<Subject> subjects = agent ? subjects_of(asked, *agent) : subjects_of(asked);
    REQUIRE(subjects.size() == 1);
    return controller::explain(subjects[0], agent, path, RouteIdentity{});
}

Look look_at(const std::string& what, const Explanation& explanation)
{
    const auto look = std::ranges::find(explanation.looks, what, &Look::what);
    REQUIRE(look != explanation.looks.end());
    return *look;
}

} // namespace

TEST_CASE("what is asked for is found among the Nodes", "[explain]")
{
    const StatusReport agent = agent_of_node01();
    const auto names = [](const Subject& subject) {
        std::vector<std::string> found;
        for (const NodeReport& node : subject.claims)
            found.push_back(node.node);
        return found;
    };

    SECTION("an address in a podCIDR, also one that several claim")
    {
        CHECK(names(subjects_of("10.244.5.7", agent).at(0)) == std::vector<std::string>{"node05"});
        CHECK(names(subjects_of("10.244.2.7", agent).at(0)) == std::vector<std::string>{"node02", "node04"});
    }
    SECTION("a node's own address")
    {
        const Subject subject = subjects_of("192.168.1.12", agent).at(0);
        CHECK(subject.claims.empty());
        REQUIRE(subject.next_hop);
        CHECK(subject.next_hop->node == "node02");
    }
    SECTION("a node, by its bridge's address")
    {
        const auto subjects = subjects_of("node02", agent);
        REQUIRE(subjects.size() == 1);
        CHECK(subjects[0].address == "10.244.2.1"_ip);
    }
    SECTION("a node without podCIDR, which has no address to look at")
    {
        const auto subjects = subjects_of("node03", agent);
        REQUIRE(subjects.size() == 1);
        CHECK_FALSE(subjects[0].address.has_value());
    }
    SECTION("nothing")
    {
        CHECK(subjects_of("node77", agent).empty());
        CHECK(subjects_of("10.244.2", agent).empty());
        CHECK(subjects_of("node02").empty());
    }
}

TEST_CASE("a node that is not routed is where it breaks, with the planner's reason and remedy", "[explain]")
{
    const Explanation pending = explain("node03", agent_of_node01());
    CHECK(look_at("node", pending).outcome == Look::Outcome::broken);
    CHECK(look_at("node", pending).detail == "node03 has no podCIDR: pending, no-pod-cidr");
    CHECK(look_at("node", pending).remedy == "see that somebody allocates podCIDRs");

    const Explanation refused = explain("10.244.6.7", agent_of_node01());
    CHECK(look_at("node", refused).detail ==
          "node06 has 10.244.6.0/24: refused, next-hop-off-link (192.168.9.9)");
    CHECK(refused.is_broken());

    const Explanation left_to_gateway = explain("10.244.5.7", agent_of_node01());
    CHECK(look_at("node", left_to_gateway).detail ==
          "node05 has 10.244.5.0/24: gateway (192.168.2.15 is elsewhere)");
    CHECK_FALSE(left_to_gateway.is_broken());
}

TEST_CASE("an agent that is not well is told, and the way is looked at all the same", "[explain]")
{
    StatusReport agent = agent_of_node01();
    agent.nodes.erase(agent.nodes.begin() + 3); // who claims the same
    CHECK_FALSE(explain("10.244.2.7", agent).is_broken());

    agent.api_state = "failing";
    agent.api_error = "no route to host";
    const Explanation cut_off = explain("10.244.2.7", agent);
    CHECK(look_at("API server", cut_off).outcome == Look::Outcome::broken);
    CHECK(look_at("route", cut_off).outcome == Look::Outcome::good);

    agent.state = "not_ready";
    CHECK(look_at("agent", explain("10.244.2.7", agent)).detail == "node01 is not_ready");

    const Explanation alone =
        explain("10.244.2.7", make_error(boost::system::errc::connection_refused, "127.0.0.1:9482"));
    CHECK(look_at("agent", alone).outcome == Look::Outcome::broken);
    CHECK(look_at("way", alone).outcome == Look::Outcome::good);
    CHECK(std::ranges::find(alone.looks, "node", &Look::what) == alone.looks.end());
}

TEST_CASE("what could not be read is unknown, not broken", "[explain]")
{
    StatusReport agent = agent_of_node01();
    agent.nodes.erase(agent.nodes.begin() + 3);
    PathFacts path = good_path();
    path.neighbor = make_error(boost::system::errc::operation_not_permitted, "asking neighbour 192.168.1.12");
    path.source = SourceAddress::not_known;

    const Explanation explanation = explain("10.244.2.7", agent, path);

    CHECK_FALSE(explanation.is_broken());
    CHECK(look_at("neighbour", explanation).outcome == Look::Outcome::unknown);
    CHECK_THAT(look_at("neighbour", explanation).detail, has_text("Operation not permitted"));
    CHECK(look_at("masquerade", explanation).outcome == Look::Outcome::unknown);
}

TEST_CASE("an explanation is a line for each look, with what to do, and where it breaks", "[explain]")
{
    PathFacts path = good_path();
    path.routes.clear();
    path.way = make_error(boost::system::errc::network_unreachable, "");
    path.link.reset();
    path.neighbor_address.reset();
    StatusReport agent = agent_of_node01();
    agent.nodes.erase(agent.nodes.begin() + 3);

    CHECK(to_text(explain("10.244.2.7", agent, path)) ==
          "10.244.2.7 in 10.244.2.0/24 of node02\n"
          "  good     agent       node01 is ready\n"
          "  good     API server  https://10.0.0.1:6443 working since 2026-01-01T00:00:00Z\n"
          "  good     node        node02 has 10.244.2.0/24: routed by 192.168.1.12\n"
          "  broken   route       the kernel has no route of Routelet's 10.244.2.0/24 via 192.168.1.12\n"
          "                       to do: the agent puts it back at once when it runs; see its log, and that "
          "--route-protocol and --route-metric are the same here\n"
          "  broken   way         packets for 10.244.2.7 meet: Network is unreachable\n"
          "                       to do: see the looks above; and ip rule, ip route get 10.244.2.7\n"
          "  good     forwarding  IPv4 packets are passed on\n"
          "  good     masquerade  pods' packets keep their source address\n"
          "It breaks at: route, way.\n");

    const auto document = nlohmann::json::parse(to_json({explain("10.244.2.7", agent, path)}));
    REQUIRE(document.size() == 1);
    CHECK(document[0]["broken"] == true);
    CHECK(document[0]["looks"][3]["what"] == "route");
    CHECK(document[0]["looks"][3]["outcome"] == "broken");
}
