#include "test/lab/patch.h"
#include "test/lab/refusal.h"
#include "test/support/catch.h"

using namespace routelet::lab;

namespace {

struct Row {
    const char* what;
    const char* object;
    const char* patch;
    const char* result;
};

unsigned code_of(const std::string& type, const std::string& body)
{
    try {
        patched(Json::parse(R"({"a":1,"status":{}})"), type, body);
    } catch (const Refusal& refusal) {
        return refusal.code();
    }
    return 200;
}

} // namespace

TEST_CASE("a strategic patch merges lists by their key", "[lab][patch]")
{
    const auto row = GENERATE(values<Row>({
        {"conditions by type; others stay",
         R"({"status":{"conditions":[{"type":"Ready","status":"True"},{"type":"Disk","status":"False"}]}})",
         R"({"status":{"conditions":[{"type":"Disk","status":"True"},{"type":"New","status":"False"}]}})",
         R"({"status":{"conditions":[{"type":"Ready","status":"True"},{"type":"Disk","status":"True"},
            {"type":"New","status":"False"}]}})"},
        {"two addresses of a type become one, as with the real server", R"({"status":{}})",
         R"({"status":{"addresses":[{"type":"InternalIP","address":"1"},{"type":"InternalIP","address":"2"}]}})",
         R"({"status":{"addresses":[{"type":"InternalIP","address":"2"}]}})"},
        {"an item can be deleted", R"({"spec":{"taints":[{"key":"a"},{"key":"b"}]}})",
         R"({"spec":{"taints":[{"key":"a","$patch":"delete"}]}})", R"({"spec":{"taints":[{"key":"b"}]}})"},
        {"a list can be replaced", R"({"spec":{"taints":[{"key":"a"},{"key":"b"}]}})",
         R"({"spec":{"taints":[{"$patch":"replace"},{"key":"c"}]}})", R"({"spec":{"taints":[{"key":"c"}]}})"},
        {"null deletes", R"({"metadata":{"labels":{"a":"1","b":"2"}}})",
         R"({"metadata":{"labels":{"a":null}}})", R"({"metadata":{"labels":{"b":"2"}}})"},
        {"a set grows", R"({"metadata":{"finalizers":["a"]}})", R"({"metadata":{"finalizers":["b","a"]}})",
         R"({"metadata":{"finalizers":["a","b"]}})"},
        {"values can leave a set", R"({"metadata":{"finalizers":["a","b"]}})",
         R"({"metadata":{"$deleteFromPrimitiveList/finalizers":["a"]}})",
         R"({"metadata":{"finalizers":["b"]}})"},
        {"any other list is replaced", R"({"status":{"images":[1,2]}})", R"({"status":{"images":[3]}})",
         R"({"status":{"images":[3]}})"},
        {"the order of a list may be given", R"({"spec":{"taints":[{"key":"a"}]}})",
         R"({"spec":{"$setElementOrder/taints":[{"key":"a"}],"taints":[{"key":"a","value":"x"}]}})",
         R"({"spec":{"taints":[{"key":"a","value":"x"}]}})"},
    }));
    CAPTURE(row.what);
    CHECK(strategic_merge(Json::parse(row.object), Json::parse(row.patch)) == Json::parse(row.result));
}

TEST_CASE("a merge patch replaces whole lists", "[lab][patch]")
{
    const Json object = Json::parse(R"({"status":{"conditions":[{"type":"Ready"},{"type":"Disk"}]}})");
    const Json result =
        patched(object, "application/merge-patch+json", R"({"status":{"conditions":[{"type":"New"}]}})");
    CHECK(result == Json::parse(R"({"status":{"conditions":[{"type":"New"}]}})"));
}

TEST_CASE("a patch that cannot be is refused with the code of the real server", "[lab][patch]")
{
    CHECK(code_of("application/json-patch+json", R"([{"op":"replace","path":"/a","value":2}])") == 200);
    CHECK(code_of("application/json-patch+json", R"([{"op":"test","path":"/a","value":2}])") == 422);
    CHECK(code_of("application/json-patch+json", "{") == 400);
    CHECK(code_of("application/merge-patch+json", "[]") == 400);
    CHECK(code_of("application/json", "{}") == 415);
    CHECK(code_of("application/apply-patch+yaml", "{}") == 415);
    CHECK(code_of("application/strategic-merge-patch+json",
                  R"({"status":{"conditions":[{"status":"True"}]}})") == 500);
}
