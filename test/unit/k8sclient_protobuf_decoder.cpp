#include "k8sclient/node_decoder.h"
#include "test/support/catch.h"
#include "test/unit/decoded_node.h"

#include <protozero/pbf_writer.hpp>

#include <functional>

using namespace routelet;
using namespace routelet::k8s;
using namespace routelet::test;
using protozero::pbf_writer;

// The fixtures are of a kube-apiserver 1.34; what it does not send on demand is written with protozero's
// writer.
namespace {

// A message of what `fill` adds.
std::string message(const std::function<void(pbf_writer&)>& fill)
{
    std::string bytes;
    pbf_writer writer(bytes);
    fill(writer);
    return bytes;
}

// runtime.Unknown with its magic.
std::string envelope(const std::string& kind, const std::string& raw)
{
    return std::string("k8s\0", 4) + message([&](pbf_writer& unknown) {
               unknown.add_message(1, message([&](pbf_writer& type) {
                                       type.add_string(1, "v1");
                                       type.add_string(2, kind);
                                   }));
               unknown.add_bytes(2, raw);
               unknown.add_string(3, "");
               unknown.add_string(4, "");
           });
}

// A Node of this name, `padding` bytes of annotations and a resourceVersion.
std::string node_bytes(const std::string& name, std::size_t padding = 0)
{
    return message([&](pbf_writer& node) {
        node.add_message(1, message([&](pbf_writer& metadata) {
                             metadata.add_string(1, name);
                             metadata.add_string(2, "");
                             metadata.add_string(6, "77");
                             metadata.add_message(12, message([&](pbf_writer& annotation) {
                                                      annotation.add_string(1, "a");
                                                      annotation.add_string(2, std::string(padding, 'x'));
                                                  }));
                         }));
        node.add_message(2, message([](pbf_writer& spec) { spec.add_string(1, "10.1.0.0/24"); }));
    });
}

std::string list_of(const std::vector<std::string>& items, const std::string& version = "5")
{
    return envelope("NodeList", message([&](pbf_writer& list) {
                        list.add_message(1, message([&](pbf_writer& m) { m.add_string(2, version); }));
                        for (const std::string& item : items)
                            list.add_message(2, item);
                    }));
}

std::string frame_of(const std::string& event)
{
    std::string frame;
    for (const unsigned shift : {24U, 16U, 8U, 0U})
        frame += static_cast<char>(event.size() >> shift & 0xFFU);
    return frame + event;
}

std::string frame_of(const std::string& type, const std::string& object)
{
    return frame_of(message([&](pbf_writer& event) {
        event.add_string(1, type);
        event.add_message(2, message([&](pbf_writer& extension) { extension.add_bytes(1, object); }));
    }));
}

Result<NodeList> decode_list(std::string_view body, std::size_t first_piece = std::string_view::npos)
{
    NodeListDecoder decoder(Encoding::protobuf);
    const std::string_view first = body.substr(0, first_piece);
    if (auto fed = decoder.feed(first); !fed)
        return fed.error();
    if (auto fed = decoder.feed(body.substr(first.size())); !fed)
        return fed.error();
    return decoder.finish();
}

std::vector<WatchEvent> decode_events(std::string_view stream)
{
    WatchDecoder decoder(Encoding::protobuf);
    std::vector<WatchEvent> events;
    need(decoder.feed(stream, events));
    CHECK(decoder.between_frames());
    return events;
}

const NodeList captured_list = {
    .nodes = {{.name = "small-1",
               .uid = "e6c50ee8-f571-40a6-8a80-1b71e7d482e2",
               .created = "2026-11-24T04:43:13Z",
               .pod_cidrs = {"10.9.1.0/24", "fd00:9:1::/64"},
               .internal_ips = {"172.18.0.1", "fd00:18::1"}},
              {.name = "small-2",
               .uid = "de2cc436-042c-4a4e-a50e-d83589a6676c",
               .created = "2026-11-24T04:43:13Z",
               .pod_cidrs = {"10.9.2.0/24", "fd00:9:2::/64"},
               .internal_ips = {"172.18.0.2", "fd00:18::2"}}},
    .version = "5506",
    .continue_token = "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6NTUwNiwic3RhcnQiOiIvc21hbGwtMlx1MDAwMCJ9",
};

} // namespace

TEST_CASE("a list in protobuf is decoded, however it is cut into pieces", "[k8sclient][protobuf]")
{
    const std::string body = fixture("node_list.pb");
    CHECK(need(decode_list(body)) == captured_list);

    for (std::size_t cut = 1; cut < body.size(); ++cut) {
        const auto list = decode_list(body, cut);
        if (!list || *list != captured_list) {
            CAPTURE(cut);
            FAIL("another result when cut here");
        }
    }
    NodeListDecoder by_the_byte(Encoding::protobuf);
    std::vector<Node> nodes;
    for (const char byte : body) {
        need(by_the_byte.feed({&byte, 1}));
        std::ranges::move(by_the_byte.take_nodes(), std::back_inserter(nodes));
    }
    CHECK(nodes == captured_list.nodes);
    CHECK(need(by_the_byte.finish()).version == "5506");
}

TEST_CASE("a list in protobuf that ends early is an error, never a shorter list", "[k8sclient][protobuf]")
{
    const std::string body = fixture("node_list.pb");
    constexpr std::size_t trailer = 4; // two empty fields of the envelope, behind the list
    for (std::size_t length = 0; length < body.size() - trailer; ++length) {
        const auto list = decode_list(body.substr(0, length));
        if (list) {
            CAPTURE(length);
            FAIL("accepted although cut");
        }
    }
    CHECK(decode_list(body.substr(0, 100)).error().text() == "the list was cut short: Bad message");
}

TEST_CASE("a streaming list in protobuf is decoded, however it is cut into pieces", "[k8sclient][protobuf]")
{
    const std::string stream = fixture("streaming_list.pb");
    const std::vector<WatchEvent> events = decode_events(stream);

    using Type = WatchEvent::Type;
    REQUIRE(events.size() == 8);
    CHECK(events[0].type == Type::added);
    CHECK(events[0].node == captured_list.nodes[0]);
    CHECK(events[0].version == "5504");
    CHECK(events[3].type == Type::bookmark);
    CHECK(events[3].version == "5506");
    CHECK(events[3].ends_initial_events);
    CHECK(events[4].type == Type::modified);
    CHECK(events[5].type == Type::deleted);
    CHECK(events[5].node == captured_list.nodes[1]);
    CHECK(events[5].version == "5508");
    CHECK(events[6].type == Type::added);
    CHECK(events[6].node.uid != events[5].node.uid);
    CHECK(events[7].type == Type::bookmark);
    CHECK(events[7].version == "5509");
    CHECK_FALSE(events[7].ends_initial_events);

    for (std::size_t cut = 1; cut < stream.size(); ++cut) {
        WatchDecoder decoder(Encoding::protobuf);
        std::vector<WatchEvent> seen;
        need(decoder.feed(std::string_view(stream).substr(0, cut), seen));
        need(decoder.feed(std::string_view(stream).substr(cut), seen));
        if (seen != events || !decoder.between_frames()) {
            CAPTURE(cut);
            FAIL("other events when cut here");
        }
    }
}

TEST_CASE("an event in protobuf is handed out as soon as its last byte is there",
          "[k8sclient][protobuf][F58]")
{
    const std::string frame = frame_of("ADDED", envelope("Node", node_bytes("a")));
    WatchDecoder decoder(Encoding::protobuf);
    CHECK(decoder.between_frames());
    std::vector<WatchEvent> events;
    need(decoder.feed(frame.substr(0, 2), events));
    CHECK_FALSE(decoder.between_frames());
    need(decoder.feed(frame.substr(2, frame.size() - 3), events));
    CHECK(events.empty());
    need(decoder.feed(frame.substr(frame.size() - 1), events));
    CHECK(events.size() == 1);
    CHECK(decoder.between_frames());
}

TEST_CASE("an error event in protobuf carries the server's Status", "[k8sclient][protobuf]")
{
    const std::string status = message([](pbf_writer& writer) {
        writer.add_string(2, "Failure");
        writer.add_string(3, "too old resource version: 2 (237)");
        writer.add_string(4, "Expired");
        writer.add_int32(6, 410);
    });
    const auto events = decode_events(frame_of("ERROR", envelope("Status", status)));
    REQUIRE(events.size() == 1);
    CHECK(events[0].type == WatchEvent::Type::error);
    CHECK(events[0].status == Status{410, "Expired", "too old resource version: 2 (237)", false});
}

TEST_CASE("a Node in protobuf that is too large is known by its name, and stops no other",
          "[k8sclient][protobuf]")
{
    const std::string large = node_bytes("large", 5U << 20U);
    const NodeList list = need(decode_list(list_of({node_bytes("small"), large, node_bytes("other")})));
    REQUIRE(list.nodes.size() == 3);
    CHECK(list.nodes[0].pod_cidrs == std::vector<std::string>{"10.1.0.0/24"});
    CHECK(list.nodes[1] == Node{.name = "large", .is_oversized = true});
    CHECK(list.nodes[2].name == "other");

    const auto events = decode_events(frame_of("MODIFIED", envelope("Node", large)) +
                                      frame_of("ADDED", envelope("Node", node_bytes("small"))));
    REQUIRE(events.size() == 2);
    CHECK(events[0].type == WatchEvent::Type::modified);
    CHECK(events[0].node == Node{.name = "large", .is_oversized = true});
    CHECK(events[0].version == "77");
    CHECK(events[1].node.name == "small");
}

TEST_CASE("a field that a newer server may add is skipped, whatever its type", "[k8sclient][protobuf]")
{
    const std::string node = node_bytes("a") + message([](pbf_writer& more) {
                                 more.add_uint64(101, 1U << 30U);
                                 more.add_fixed64(102, 7);
                                 more.add_fixed32(103, 7);
                                 more.add_string(104, std::string(100, 'x'));
                             });
    const std::string raw = message([&](pbf_writer& list) {
        list.add_uint64(101, 1U << 30U);
        list.add_fixed64(102, 7);
        list.add_message(2, node);
        list.add_fixed32(103, 7);
        list.add_message(1, message([](pbf_writer& metadata) { metadata.add_string(2, "5"); }));
        list.add_string(104, std::string(100, 'x'));
    });
    const NodeList list = need(decode_list(envelope("NodeList", raw)));
    REQUIRE(list.nodes.size() == 1);
    CHECK(list.nodes[0].name == "a");
    CHECK(list.version == "5");
}

TEST_CASE("of a Node's conditions in protobuf NetworkUnavailable is known, and no other",
          "[k8sclient][protobuf][F87]")
{
    const auto condition = [](const std::string& type, const std::string& status, const std::string& reason) {
        return message([&](pbf_writer& writer) {
            writer.add_string(1, type);
            writer.add_string(2, status);
            writer.add_message(3, message([](pbf_writer& time) { time.add_int64(1, 1767225600); }));
            writer.add_string(5, reason);
            writer.add_string(6, "a message");
        });
    };
    struct Row {
        std::vector<std::string> conditions;
        ConditionState expected;
    };
    const auto row = GENERATE_COPY(values<Row>({
        {{}, {}},
        {{condition("Ready", "True", "R")}, {}},
        {{condition("Ready", "True", "R"), condition("NetworkUnavailable", "False", "Why"),
          condition("MemoryPressure", "Unknown", "M")},
         {"False", "Why"}},
        {{condition("NetworkUnavailable", "True", "")}, {"True", ""}},
        {{""}, {}},
    }));
    const std::string node = node_bytes("a") + message([&](pbf_writer& more) {
                                 more.add_message(3, message([&](pbf_writer& status) {
                                                      for (const std::string& one : row.conditions)
                                                          status.add_message(4, one);
                                                  }));
                             });
    const NodeList list = need(decode_list(list_of({node})));
    REQUIRE(list.nodes.size() == 1);
    CHECK(list.nodes[0].network_unavailable == row.expected);
}

TEST_CASE("an empty list in protobuf is a list", "[k8sclient][protobuf]")
{
    CHECK(need(decode_list(list_of({}))) == NodeList{.nodes = {}, .version = "5", .continue_token = ""});
}

TEST_CASE("what is no list of Nodes in protobuf is refused", "[k8sclient][protobuf]")
{
    struct Row {
        std::string body;
        std::string why;
    };
    const std::string status = message([](pbf_writer& writer) { writer.add_string(3, "etcd is away"); });
    const auto row = GENERATE_COPY(values<Row>({
        {"", "cut short"},
        {"{\"kind\":\"NodeList\"}", "does not begin as Kubernetes' protobuf does"},
        {std::string("k8s\0", 4), "cut short"},
        {envelope("PodList", ""), "PodList, not a NodeList"},
        {envelope("Status", status), "Status, not a NodeList: etcd is away"},
        {envelope("NodeList", ""), "no resourceVersion"},
        {list_of({""}), "an item has no name"},
        {list_of({"\x0a\x05x"}), "a Node is not valid protobuf"},
        {list_of({node_bytes("a")}) + "\x07", "a field of an unknown type"},
        {list_of({}) + std::string(11, '\xff'), "a number is too long"},
        {envelope("NodeList", "\x12\x7fx"), "goes beyond its end"},
    }));
    CAPTURE(row.why);
    const auto list = decode_list(row.body);
    REQUIRE(list.has_error());
    CHECK_THAT(list.error().text(), has_text(row.why));
}

TEST_CASE("the time of a Node is read up to the year 9999", "[k8sclient][protobuf]")
{
    struct Row {
        std::uint64_t seconds;
        std::string created;
    };
    const auto row = GENERATE(values<Row>(
        {{253'402'300'799, "9999-12-31T23:59:59Z"}, {253'402'300'800, ""}, {~std::uint64_t{0}, ""}}));
    const std::string node = message([&](pbf_writer& writer) {
        writer.add_message(1, message([&](pbf_writer& metadata) {
                               metadata.add_string(1, "a");
                               metadata.add_message(
                                   8, message([&](pbf_writer& time) { time.add_uint64(1, row.seconds); }));
                           }));
    });
    CHECK(need(decode_list(list_of({node}))).nodes.at(0).created == row.created);
}

TEST_CASE("an item that goes beyond the list's end is not handed out, however the body is cut",
          "[k8sclient][protobuf]")
{
    const std::string list = message([](pbf_writer& writer) { writer.add_message(2, node_bytes("a")); });
    const std::string body = envelope("NodeList", list.substr(0, list.size() - 1));
    for (const std::size_t first : {body.size() - 1, body.size()}) {
        NodeListDecoder decoder(Encoding::protobuf);
        const bool failed =
            decoder.feed(body.substr(0, first)).has_error() || decoder.feed(body.substr(first)).has_error();
        CHECK(failed);
        CHECK(decoder.take_nodes().empty());
    }
}

TEST_CASE("a decoder of protobuf that failed accepts nothing more", "[k8sclient][protobuf]")
{
    const std::string good = list_of({node_bytes("a")});
    const auto bad = GENERATE_COPY(std::string("garbage"), list_of({""}), envelope("NodeList", "\x12\x7fx"),
                                   good + "\x1a\x01x", good + "\x07");
    NodeListDecoder decoder(Encoding::protobuf);
    REQUIRE(decoder.feed(bad).has_error());
    decoder.take_nodes();
    for (const std::string& more : {std::string("\x22"), std::string(1, '\0'), good})
        CHECK(decoder.feed(more).has_error());
    CHECK(decoder.take_nodes().empty());
    CHECK(decoder.finish().has_error());

    WatchDecoder watch(Encoding::protobuf);
    std::vector<WatchEvent> events;
    REQUIRE(watch.feed(frame_of("garbage"), events).has_error());
    CHECK(watch.feed(frame_of("ADDED", envelope("Node", node_bytes("a"))), events).has_error());
    CHECK(events.empty());
}

TEST_CASE("events in protobuf before a broken one are handed out", "[k8sclient][protobuf]")
{
    const std::string good = frame_of("ADDED", envelope("Node", node_bytes("a")));
    struct Row {
        std::string bad;
        std::string why;
    };
    const auto row = GENERATE_COPY(values<Row>({
        {"{\"type\":\"ADDED\"}", "a frame of more than 16 MiB"},
        {std::string(4, '\0'), "a frame without an event"},
        {frame_of("added", envelope("Node", node_bytes("a"))), R"(unknown type "added")"},
        {frame_of("ADDED", envelope("Pod", node_bytes("a"))), "about a Pod, not a Node"},
        {frame_of("ADDED", envelope("Node", "")), "without a name"},
        {frame_of("ADDED", "{}"), "does not begin as Kubernetes' protobuf does"},
        {frame_of("garbage"), "not valid protobuf"},
    }));
    CAPTURE(row.why);
    WatchDecoder decoder(Encoding::protobuf);
    std::vector<WatchEvent> events;
    const auto fed = decoder.feed(good + row.bad, events);
    REQUIRE(fed.has_error());
    CHECK_THAT(fed.error().text(), has_text(row.why));
    CHECK(events.size() == 1);
}

TEST_CASE("a refusal's Status is read from protobuf", "[k8sclient][protobuf]")
{
    CHECK(decode_status(Encoding::protobuf, fixture("status_too_large.pb")) ==
          Status{.code = 504,
                 .reason = "Timeout",
                 .message = "Timeout: Too large resource version: 99999999, current: 5511",
                 .version_too_large = true});
    const std::string other = GENERATE("", "<html>", "k8s", "{\"code\":410}");
    CHECK(decode_status(Encoding::protobuf, other) == Status{});
    CHECK(decode_status(Encoding::protobuf, envelope("Node", node_bytes("a"))) == Status{});
}
