#include "base/join.h"
#include "controller/node_table.h"
#include "test/support/catch.h"

using namespace routelet;
using namespace routelet::controller;

namespace {

k8s::Node node(const std::string& name, const std::string& pod_cidr)
{
    return {.name = name,
            .created = "2026-01-01T00:00:00Z",
            .pod_cidrs = {pod_cidr},
            .internal_ips = {"192.168.1.11"}};
}

k8s::Node oversized(const std::string& name)
{
    return {.name = name, .is_oversized = true};
}

bool list(NodeTable& table, const std::vector<k8s::Node>& nodes)
{
    table.begin_list();
    for (const k8s::Node& one : nodes)
        table.list(one);
    return table.end_list();
}

// "a=10.1.0.0/24 b=10.2.0.0/24"
std::string shown(const NodeTable& table)
{
    std::string text;
    for (const NodeRef& claim : table.nodes()) {
        append_item(text, claim->name + "=", " ");
        for (const IpPrefix& cidr : claim->pod_cidrs)
            text += cidr.to_string();
    }
    return text;
}

const k8s::Node a = node("a", "10.1.0.0/24");
const k8s::Node b = node("b", "10.2.0.0/24");
const k8s::Node c = node("c", "10.3.0.0/24");

} // namespace

TEST_CASE("a list replaces what was known, and says whether that matters", "[controller][nodes]")
{
    NodeTable table;
    CHECK_FALSE(list(table, {}));
    CHECK(list(table, {a, b}));
    CHECK(shown(table) == "a=10.1.0.0/24 b=10.2.0.0/24");
    CHECK_FALSE(list(table, {b, a}));
    CHECK(list(table, {b, c}));
    CHECK(shown(table) == "b=10.2.0.0/24 c=10.3.0.0/24");
    CHECK(list(table, {node("b", "10.9.0.0/24"), c}));
    CHECK(shown(table) == "b=10.9.0.0/24 c=10.3.0.0/24");
    CHECK(list(table, {}));
    CHECK(shown(table).empty());
}

TEST_CASE("nothing of a list counts before its end, nor of one that was interrupted", "[controller][nodes]")
{
    NodeTable table;
    list(table, {a, b});
    table.begin_list();
    table.list(c);
    table.list(node("a", "10.9.0.0/24"));
    CHECK(shown(table) == "a=10.1.0.0/24 b=10.2.0.0/24");
    CHECK_FALSE(list(table, {a, b}));
    CHECK(shown(table) == "a=10.1.0.0/24 b=10.2.0.0/24");
}

TEST_CASE("of a node that is listed twice the last state counts", "[controller][nodes]")
{
    NodeTable table;
    list(table, {a, b});
    CHECK(list(table, {a, b, node("a", "10.9.0.0/24")}));
    CHECK(shown(table) == "a=10.9.0.0/24 b=10.2.0.0/24");
    CHECK_FALSE(list(table, {a, b, node("a", "10.9.0.0/24")}));
    CHECK(list(table, {node("a", "10.8.0.0/24"), b, a}));
    CHECK(shown(table) == "a=10.1.0.0/24 b=10.2.0.0/24");
}

TEST_CASE("of an oversized node what was known stays", "[controller][nodes]")
{
    NodeTable table;
    list(table, {a, b});
    CHECK_FALSE(list(table, {oversized("a"), b, oversized("c")}));
    CHECK(shown(table) == "a=10.1.0.0/24 b=10.2.0.0/24");
    CHECK_FALSE(table.upsert(oversized("a")));
    CHECK_FALSE(table.upsert(oversized("d")));
    CHECK(shown(table) == "a=10.1.0.0/24 b=10.2.0.0/24");
    CHECK(table.erase("a"));
    CHECK_FALSE(table.erase("a"));
}

TEST_CASE("an update that does not matter to routing is none", "[controller][nodes]")
{
    NodeTable table;
    list(table, {a});
    CHECK_FALSE(table.upsert(a));
    CHECK(table.upsert(b));
    k8s::Node recreated = a;
    recreated.uid = "another";
    CHECK_FALSE(table.upsert(recreated));
    recreated.created = "2026-02-01T00:00:00Z"; // its age decides who has the better right
    CHECK(table.upsert(recreated));
}

TEST_CASE("what does not parse is kept with the reason, beside what does", "[controller][nodes]")
{
    k8s::Node odd = a;
    odd.pod_cidrs = {"10.1.0.7/24", "10.1.0.0/24"};
    odd.internal_ips = {"not an ip", "192.168.1.11"};
    const NodeRef claim = NodeClaim::of(odd);
    CHECK(claim->pod_cidrs.size() == 1);
    REQUIRE(claim->bad_pod_cidrs().size() == 1);
    CHECK(claim->bad_pod_cidrs()[0].text == "10.1.0.7/24");
    CHECK_FALSE(claim->bad_pod_cidrs()[0].error.empty());
    CHECK(claim->internal_ips.size() == 1);
    CHECK(claim->bad_internal_ips().size() == 1);
}

TEST_CASE("who joined and who left is told once", "[controller][nodes]")
{
    NodeTable table;
    using Names = std::vector<std::string>;
    const auto names = [](const std::vector<NodeRef>& nodes) {
        Names found;
        for (const NodeRef& node : nodes)
            found.push_back(node->name);
        return found;
    };
    const auto joined = [&] { return names(table.take_membership().joined); };
    const auto left = [&] { return names(table.take_membership().left); };

    list(table, {a, c});
    CHECK(joined() == Names{"a", "c"});
    CHECK(joined().empty());
    list(table, {b, c});
    const NodeTable::Membership after = table.take_membership();
    CHECK(names(after.joined) == Names{"b"});
    CHECK(names(after.left) == Names{"a"});
    table.upsert(node("b", "10.9.0.0/24"));
    CHECK(joined().empty());
    table.upsert(a);
    CHECK(joined() == Names{"a"});
    table.erase("c");
    CHECK(left() == Names{"c"});
    list(table, {});
    CHECK(left() == Names{"a", "b"});
}

TEST_CASE("a node's age is a time, and one without is the youngest", "[controller][nodes]")
{
    const auto claim = [](const std::string& name, const std::string& created) {
        return NodeClaim::of({.name = name, .created = created});
    };
    CHECK(is_older(*claim("b", "2026-01-01T00:00:00Z"), *claim("a", "2026-01-01T00:00:01Z")));
    CHECK(is_older(*claim("b", "2026-01-01T00:00:00Z"), *claim("a", "2026-01-01T00:30:00+00:00")));
    CHECK(is_older(*claim("a", "2026-01-01T00:00:00Z"), *claim("b", "2026-01-01T00:00:00Z")));
    CHECK(is_older(*claim("b", "2026-01-01T00:00:00Z"), *claim("a", "")));
    CHECK(is_older(*claim("b", "2026-01-01T00:00:00Z"), *claim("a", "long ago")));
    CHECK(is_older(*claim("a", ""), *claim("b", "")));
}
