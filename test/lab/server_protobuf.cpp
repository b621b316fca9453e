#include "test/lab/captured.h"
#include "test/lab/protobuf.h"

#include <protozero/pbf_reader.hpp>

using namespace routelet::lab;
using routelet::test::has_text;

namespace {

// All values of a length-delimited field.
std::vector<std::string> values(const std::string& message, protozero::pbf_tag_type tag)
{
    std::vector<std::string> found;
    protozero::pbf_reader reader(message);
    while (reader.next())
        if (reader.tag() == tag && reader.wire_type() == protozero::pbf_wire_type::length_delimited)
            found.push_back(reader.get_string());
        else
            reader.skip();
    return found;
}

std::string value(const std::string& message, protozero::pbf_tag_type tag)
{
    const auto found = values(message, tag);
    REQUIRE(found.size() == 1);
    return found.front();
}

std::int64_t integer(const std::string& message, protozero::pbf_tag_type tag)
{
    protozero::pbf_reader reader(message);
    REQUIRE(reader.next(tag, protozero::pbf_wire_type::varint));
    return reader.get_int64();
}

// The object in a whole body, which must be of this kind.
std::string object_in(const std::string& body, const std::string& kind)
{
    REQUIRE(body.starts_with(std::string("k8s\0", 4)));
    const std::string unknown = body.substr(4);
    const std::string type = value(unknown, 1);
    CHECK(value(type, 1) == "v1");
    CHECK(value(type, 2) == kind);
    return value(unknown, 2);
}

std::vector<Object> objects(const Json& items)
{
    std::vector<Object> all;
    for (const Json& item : items)
        all.push_back(std::make_shared<const Json>(item));
    return all;
}

} // namespace

TEST_CASE("the lab's protobuf is byte for byte what a real server writes for the same JSON",
          "[lab][protobuf]")
{
    SECTION("a page of a list, of Nodes with all that a kubelet tells")
    {
        const Json page = captured_json("page.json");
        CHECK(node_list_to_protobuf(page.at("metadata"), objects(page.at("items"))) == captured("page.pb"));
    }
    SECTION("a Status, with and without causes")
    {
        const auto name = GENERATE(as<std::string>{}, "not_found", "list_invalid", "watch_invalid");
        CHECK(to_protobuf("Status", captured_json(name + ".json")) == captured(name + ".pb"));
    }
    SECTION("an event of a watch")
    {
        const auto name = GENERATE(as<std::string>{}, "watch_bookmark", "watch_too_new");
        const Json event = captured_json(name + ".json");
        const Json& object = event.at("object");
        CHECK(protobuf_event(text_at(event, {"type"}), to_protobuf(text_at(object, {"kind"}), object)) ==
              captured(name + ".pb"));
    }
}

TEST_CASE("another decoder finds a Node's fields where the schema has them", "[lab][protobuf]")
{
    const Json node = Json::parse(R"({
        "metadata": {"name": "n", "uid": "u", "resourceVersion": "7", "generation": 3,
                     "creationTimestamp": "2026-01-02T03:04:05Z", "deletionTimestamp": "1970-01-01T00:00:01Z",
                     "labels": {"a": "b"}, "finalizers": ["f"], "newer": "unknown"},
        "spec": {"podCIDR": "10.0.0.0/24", "podCIDRs": ["10.0.0.0/24", "fd00::/64"], "unschedulable": true,
                 "taints": [{"key": "k", "effect": "NoSchedule", "timeAdded": "1970-01-01T00:01:00Z"}]},
        "status": {"capacity": {"cpu": "8"}, "addresses": [{"type": "InternalIP", "address": "192.168.1.1"}],
                   "images": [{"names": ["i"], "sizeBytes": 5000000000}]}})");
    const std::string message = object_in(to_protobuf("Node", node), "Node");

    const std::string metadata = value(message, 1);
    CHECK(value(metadata, 1) == "n");
    CHECK(value(metadata, 5) == "u");
    CHECK(value(metadata, 6) == "7");
    CHECK(integer(metadata, 7) == 3);
    CHECK(integer(value(metadata, 8), 1) == 1767323045);
    CHECK(integer(value(metadata, 9), 1) == 1);
    CHECK(value(value(metadata, 11), 1) == "a");
    CHECK(value(value(metadata, 11), 2) == "b");
    CHECK(values(metadata, 14) == std::vector<std::string>{"f"});

    const std::string spec = value(message, 2);
    CHECK(value(spec, 1) == "10.0.0.0/24");
    CHECK(values(spec, 7) == std::vector<std::string>{"10.0.0.0/24", "fd00::/64"});
    CHECK(integer(spec, 4) == 1);
    CHECK(integer(value(value(spec, 5), 4), 1) == 60);

    const std::string status = value(message, 3);
    CHECK(value(value(value(status, 1), 2), 1) == "8");
    CHECK(value(value(status, 5), 2) == "192.168.1.1");
    CHECK(integer(value(status, 8), 2) == 5'000'000'000);
}

TEST_CASE("what is odd in a Node's JSON is left out of its protobuf", "[lab][protobuf]")
{
    const auto odd = GENERATE(as<std::string>{}, R"({"metadata":7,"spec":[],"status":"x"})", "null", "[]",
                              R"({"metadata":{"name":7,"labels":["a"],"creationTimestamp":"yesterday"}})",
                              R"({"metadata":{"labels":{"a":1},"managedFields":[null,"x"]}})",
                              R"({"spec":{"podCIDRs":"10.0.0.0/24","unschedulable":"yes","taints":{}}})",
                              R"({"status":{"addresses":[1,"x"],"images":[[]],"capacity":{"cpu":8}}})");
    CAPTURE(odd);
    CHECK(encoded(node_message(), Json::parse(odd)) == encoded(node_message(), Json::object()));
}

TEST_CASE("an odd value does not cost its neighbours", "[lab][protobuf]")
{
    const Json node = Json::parse(
        R"({"metadata":{"name":7,"uid":"u"},"spec":{"podCIDRs":["10.0.0.0/24",5,"10.0.1.0/24"]}})");
    const std::string message = encoded(node_message(), node);
    CHECK(value(value(message, 1), 1).empty());
    CHECK(value(value(message, 1), 5) == "u");
    CHECK(values(value(message, 2), 7) == std::vector<std::string>{"10.0.0.0/24", "10.0.1.0/24"});
}
