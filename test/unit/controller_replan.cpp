#include "controller/replan.h"
#include "test/unit/planned_cluster.h"

#include <map>
#include <random>
#include <set>
#include <sstream>

using namespace routelet;
using namespace routelet::controller;
using namespace routelet::test;
using test::planned::as_node01;
using test::planned::node01;

namespace {

k8s::Node node(const std::string& name, std::vector<std::string> pod_cidrs,
               std::vector<std::string> internal_ips)
{
    return {.name = name,
            .uid = "uid-of-" + name,
            .created = "2026-01-01T00:00:00Z",
            .pod_cidrs = std::move(pod_cidrs),
            .internal_ips = std::move(internal_ips)};
}

// All that a plan says, to be compared and read.
std::string text_of(const Plan& plan)
{
    std::ostringstream text;
    for (const PlannedRoute& route : plan.routes)
        text << route.destination << " via " << route.gateway << " dev " << netlink::to_int(route.link)
             << " for " << route.node->name << '\n';
    for (const IpPrefix& own : plan.own_pod_cidrs)
        text << "own " << own << '\n';
    for (const IpPrefix& guarded : plan.guarded)
        text << "guarded " << guarded << '\n';
    for (const IpPrefix& left : plan.gateway_pod_cidrs)
        text << "gateway " << left << '\n';
    for (const Verdict& verdict : plan.verdicts)
        text << verdict.node << ' ' << verdict.destination << ' ' << verdict.state << ' ' << verdict.reason
             << ' ' << verdict.detail << '\n';
    return text.str();
}

// Where two plans say different things of routes, or of guards.
std::set<IpPrefix> differing(const Plan& a, const Plan& b)
{
    using Said = std::map<IpPrefix, std::string>;
    const auto said = [](const Plan& plan) {
        Said all;
        for (const PlannedRoute& route : plan.routes)
            all[route.destination] = route.gateway.to_string() + " for " + route.node->name;
        for (const IpPrefix& guarded : plan.guarded)
            all[guarded] = "guarded";
        return all;
    };
    std::set<IpPrefix> found;
    const Said of_a = said(a);
    const Said of_b = said(b);
    for (const Said& one : {of_a, of_b})
        for (const auto& [destination, what] : one)
            if (!of_a.contains(destination) || !of_b.contains(destination) ||
                of_a.at(destination) != of_b.at(destination))
                found.insert(destination);
    return found;
}

} // namespace

TEST_CASE("a node that has to do with no other is planned alone", "[replan]")
{
    NodeTable table;
    table.upsert(node("node01", {"10.244.1.0/24"}, {"192.168.1.11"}));
    table.upsert(node("node02", {"10.244.2.0/24"}, {"192.168.1.12"}));
    table.upsert(node("node03", {"10.244.3.0/24"}, {"192.168.1.13"}));
    const Plan before = plan_routes(table.nodes(), node01, as_node01);
    table.take_changed();

    SECTION("when it moves")
    {
        table.upsert(node("node02", {"10.244.2.0/24"}, {"192.168.1.99"}));
        const auto after =
            replan(before, table.nodes(), table.take_changed().value(), node01, as_node01).value();
        CHECK(after.destinations == std::vector<IpPrefix>{"10.244.2.0/24"_net});
        CHECK(after.plan.routes[0].gateway == "192.168.1.99"_ip);
        CHECK(after.plan.routes[1].node == before.routes[1].node);
    }
    SECTION("when it leaves")
    {
        table.erase("node02");
        const auto after =
            replan(before, table.nodes(), table.take_changed().value(), node01, as_node01).value();
        CHECK(after.destinations == std::vector<IpPrefix>{"10.244.2.0/24"_net});
        CHECK(after.plan.routes.size() == 1);
    }
    SECTION("when it gets another range, at both")
    {
        table.upsert(node("node02", {"10.244.9.0/24"}, {"192.168.1.12"}));
        const auto after =
            replan(before, table.nodes(), table.take_changed().value(), node01, as_node01).value();
        CHECK(after.destinations == std::vector<IpPrefix>{"10.244.2.0/24"_net, "10.244.9.0/24"_net});
    }
}

TEST_CASE("where routes are counted, or many nodes have changed, all is planned anew", "[replan]")
{
    NodeTable table;
    for (int i = 10; i < 100; ++i)
        table.upsert(node("node" + std::to_string(i), {"10.244." + std::to_string(i) + ".0/24"},
                          {"192.168.1." + std::to_string(i)}));
    CHECK_FALSE(table.take_changed());
    CHECK(table.take_changed()->empty());

    PlanOptions options = as_node01;
    options.most_routes = 50;
    const std::vector<NodeRef> first_two(table.nodes().begin(), table.nodes().begin() + 2);
    CHECK_FALSE(
        replan(plan_routes(table.nodes(), node01, options), table.nodes(), first_two, node01, options));

    options.most_routes = 1000;
    const Plan before = plan_routes(table.nodes(), node01, options);
    CHECK(replan(before, table.nodes(), first_two, node01, options));
    // One that claims all their ranges.
    table.upsert(node("node05", {"10.244.0.0/16"}, {"192.168.1.5"}));
    CHECK_FALSE(replan(before, table.nodes(), table.take_changed().value(), node01, options));
}

TEST_CASE("what is planned in part is what would be planned as a whole", "[replan][random]")
{
    const unsigned seed = GENERATE(range(1U, 41U));
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto number = [&](int most) {
        return static_cast<int>(random() % static_cast<unsigned>(most + 1));
    };
    const auto digits = [&](int most) { return std::to_string(number(most)); };
    // Few ranges and addresses, some in one another, so that nodes meet.
    const auto some_pod_cidr = [&]() -> std::string {
        switch (number(9)) {
        case 0:
            return "10.244." + digits(30) + ".0/23";
        case 1:
            return "10.244." + digits(30) + ".128/25";
        case 2:
            return "192.168.1." + std::to_string(16 * number(15)) + "/28";
        case 3:
            return "fd00:10:244:" + digits(9) + "::/64";
        case 4:
            return number(1) == 0 ? "10.244.1.0/24" : "10.244.0.0/16"; // the own one's, the cluster's
        default:
            return "10.244." + digits(30) + ".0/24";
        }
    };
    const auto some_address = [&]() -> std::string {
        switch (number(9)) {
        case 0:
            return "10.244." + digits(30) + "." + digits(255);
        case 1:
            return "172.16.0." + digits(9);
        case 2:
            return "192.168.1.999";
        default:
            return "192.168.1." + digits(60);
        }
    };
    const PlanOptions options{.node_name = "node1",
                              .cluster_cidrs = seed % 3 == 0 ? std::vector<IpPrefix>{"10.244.0.0/16"_net}
                                                             : std::vector<IpPrefix>{},
                              .service_cidrs = {},
                              .off_link = seed % 2 == 0 ? OffLink::gateway : OffLink::skip,
                              .most_routes = seed % 5 == 0 ? 5U : 1000U};

    NodeTable table;
    Plan plan = plan_routes(table.nodes(), node01, options);
    int in_part = 0;
    for (int step = 0; step < 200; ++step) {
        for (int changes = 1 + number(2); changes > 0; --changes) {
            const std::string name = "node" + digits(24);
            if (number(4) == 0) {
                table.erase(name);
                continue;
            }
            k8s::Node changed = node(name, {}, {});
            changed.created = "2026-01-01T00:00:0" + digits(9) + "Z";
            for (int i = number(2); i > 0; --i)
                changed.pod_cidrs.push_back(some_pod_cidr());
            for (int i = number(2); i > 0; --i)
                changed.internal_ips.push_back(some_address());
            table.upsert(changed);
        }
        const Plan whole = plan_routes(table.nodes(), node01, options);
        const auto part = replan(plan, table.nodes(), table.take_changed().value(), node01, options);
        if (part) {
            ++in_part;
            CAPTURE(step, text_of(plan));
            REQUIRE(text_of(part->plan) == text_of(whole));
            const std::set<IpPrefix> told(part->destinations.begin(), part->destinations.end());
            for (const IpPrefix& destination : differing(plan, whole))
                REQUIRE(told.contains(destination));
        }
        plan = part ? part->plan : whole;
    }
    CHECK(in_part > (options.most_routes == 5 ? 10 : 150));
}
