#include "controller/own_node.h"
#include "test/support/catch.h"

using namespace routelet;
using namespace routelet::controller;

namespace {

k8s::Node node(const std::string& name, const std::string& uid, const std::string& status = "False")
{
    return {.name = name, .uid = uid, .network_unavailable = {status, "Why"}};
}

} // namespace

TEST_CASE("of all Nodes the own one is known", "[own-node]")
{
    OwnNode own("node01");
    CHECK(own.state().uid.empty());

    own.begin_list();
    own.list(node("node02", "uid-2", "True"));
    own.list(node("node01", "uid-1"));
    own.list(node("node03", "uid-3", "True"));
    CHECK(own.state().uid.empty()); // a list counts once all of it is there
    own.end_list();
    CHECK(own.state().uid == "uid-1");
    CHECK(own.state().network_unavailable == k8s::ConditionState{"False", "Why"});

    SECTION("it follows what is told")
    {
        const auto told = own.state().times_told;
        own.upsert(node("node02", "uid-2", "True"));
        CHECK(own.state().times_told == told);
        own.upsert(node("node01", "uid-1", "True"));
        CHECK(own.state().network_unavailable.status == "True");
        CHECK(own.state().times_told == told + 1);
        own.erase("node02");
        CHECK(own.state().uid == "uid-1");
        own.erase("node01");
        CHECK(own.state().uid.empty());
        CHECK(own.state().network_unavailable == k8s::ConditionState{});
    }
    SECTION("a list without it takes it away, one that is interrupted does not")
    {
        own.begin_list();
        own.list(node("node02", "uid-2"));
        CHECK(own.state().uid == "uid-1");
        own.begin_list();
        own.end_list();
        CHECK(own.state().uid.empty());
    }
    SECTION("while it is too large to be read, it is what it was")
    {
        own.upsert({.name = "node01", .is_oversized = true});
        CHECK(own.state().uid == "uid-1");
        own.begin_list();
        own.list({.name = "node01", .is_oversized = true});
        own.end_list();
        CHECK(own.state().uid == "uid-1");
        CHECK(own.state().network_unavailable.status == "False");
    }
}
