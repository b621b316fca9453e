#include "test/lab/store.h"
#include "test/support/catch.h"

using namespace routelet::lab;

namespace {

Json node(const std::string& name, int color = 0)
{
    return {{"metadata", {{"name", name}}}, {"color", color}};
}

std::string version_of(const Object& object)
{
    return text_at(*object, {"metadata", "resourceVersion"});
}

} // namespace

TEST_CASE("each write counts the version up, and shows it in the object", "[lab][store]")
{
    Store store;
    const Version before = store.version();
    CHECK(version_of(store.put("nodes/a", node("a"))) == std::to_string(before + 1));
    CHECK(version_of(store.put("nodes/b", node("b"))) == std::to_string(before + 2));
    CHECK(version_of(store.remove("nodes/a")) == std::to_string(before + 3));
    CHECK(store.find("nodes/a") == nullptr);
    CHECK(store.remove("nodes/a") == nullptr);
    CHECK(store.version() == before + 3);
}

TEST_CASE("a write that changes nothing is none", "[lab][store]")
{
    Store store;
    const Object first = store.put("nodes/a", node("a"));
    CHECK(store.put("nodes/a", node("a")) == first);
    CHECK(store.put("nodes/a", *first) == first);
    CHECK(store.changes_after(1, "nodes/")->size() == 1);
}

TEST_CASE("a collection can be listed as it was", "[lab][store]")
{
    Store store;
    store.put("nodes/a", node("a", 1));
    store.put("nodes/b", node("b", 1));
    const Version then = store.version();
    store.put("nodes/a", node("a", 2));
    store.remove("nodes/b");
    store.put("nodes/c", node("c"));
    store.put("events/default/x", node("x"));

    const auto old = store.list_at("nodes/", then);
    REQUIRE(old);
    REQUIRE(old->size() == 2);
    CHECK(old->at(0)->at("color") == 1);
    CHECK(text_at(*old->at(1), {"metadata", "name"}) == "b");
    CHECK(store.list("nodes/").size() == 2);
    CHECK(store.list("events/default/").size() == 1);
    CHECK_FALSE(store.list_at("nodes/", store.version() + 1));

    store.compact();
    CHECK_FALSE(store.list_at("nodes/", then));
    CHECK(store.list_at("nodes/", store.version())->size() == 2);
}

TEST_CASE("history is known back to its limit, and not one change further", "[lab][store]")
{
    Store store(3);
    for (int color = 1; color <= 5; ++color)
        store.put("nodes/a", node("a", color));

    CHECK_FALSE(store.changes_after(store.version() - 4, "nodes/"));
    const auto changes = store.changes_after(store.version() - 3, "nodes/");
    REQUIRE(changes);
    REQUIRE(changes->size() == 3);
    CHECK(changes->front().before->at("color") == 2);
    CHECK(changes->back().after->at("color") == 5);
    CHECK(store.changes_after(store.version() + 100, "nodes/")->empty());
}

TEST_CASE("a store that was saved goes on counting, without its history", "[lab][store]")
{
    Store store;
    store.put("nodes/a", node("a"));
    store.remove(std::string("nodes/a"));
    store.put("nodes/b", node("b"));

    Store restored = Store::restored(store.snapshot());

    CHECK(restored.version() == store.version());
    CHECK(restored.list("nodes/").size() == 1);
    CHECK_FALSE(restored.changes_after(store.version() - 1, "nodes/"));
    CHECK(version_of(restored.put("nodes/c", node("c"))) == std::to_string(store.version() + 1));
}
