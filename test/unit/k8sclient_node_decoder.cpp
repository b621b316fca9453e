#include "k8sclient/node_decoder.h"
#include "test/support/catch.h"
#include "test/unit/decoded_node.h"

using namespace routelet;
using namespace routelet::k8s;
using namespace routelet::test;

namespace {

// The fixtures are of a kube-apiserver 1.26, without most of their images and managedFields.

Result<NodeList> decode_list(std::string_view body, std::size_t first_piece = std::string_view::npos)
{
    NodeListDecoder decoder(Encoding::json);
    const std::string_view first = body.substr(0, first_piece);
    if (auto fed = decoder.feed(first); !fed)
        return fed.error();
    if (auto fed = decoder.feed(body.substr(first.size())); !fed)
        return fed.error();
    return decoder.finish();
}

// A list with this one item.
std::string list_of(const std::string& item)
{
    return R"({"kind":"NodeList","metadata":{"resourceVersion":"7"},"items":[)" + item + "]}";
}

std::vector<WatchEvent> decode_events(std::string_view stream)
{
    WatchDecoder decoder(Encoding::json);
    std::vector<WatchEvent> events;
    need(decoder.feed(stream, events));
    CHECK(decoder.between_frames());
    return events;
}

std::string refusal_of(std::string_view stream, std::vector<WatchEvent>& events)
{
    WatchDecoder decoder(Encoding::json);
    const auto fed = decoder.feed(stream, events);
    return fed ? "" : fed.error().text();
}

const NodeList captured_list = {
    .nodes = {{.name = "node-00001",
               .uid = "4cd26c01-0ff8-49ab-9113-a96bb1ec09d0",
               .created = "2026-11-23T17:39:44Z",
               .pod_cidrs = {"10.100.1.0/24"},
               .internal_ips = {"172.16.0.1"},
               .network_unavailable = {"False", "RoutesProgrammed"}},
              {.name = "node-00002",
               .uid = "d4fc2c09-4854-4428-936b-d2e5d892f306",
               .created = "2026-11-23T17:39:44Z",
               .pod_cidrs = {"10.100.2.0/24"},
               .internal_ips = {"172.16.0.2"},
               .network_unavailable = {"False", "FlannelIsUp"}},
              {.name = "node-00003",
               .uid = "807a0365-f006-479b-9e75-5da1abae0f95",
               .created = "2026-11-23T17:39:44Z",
               .pod_cidrs = {"10.100.3.0/24"},
               .internal_ips = {"172.16.0.3"},
               .network_unavailable = {"False", "FlannelIsUp"}}},
    .version = "36682",
    .continue_token = "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MzY2ODIsInN0YXJ0Ijoibm9kZS0wMDAwM1x1MDAwMCJ9",
};

} // namespace

TEST_CASE("a list as a real API server sends it is decoded, however it is cut into pieces", "[k8sclient]")
{
    const std::string body = fixture("node_list.json");
    CHECK(need(decode_list(body)) == captured_list);

    for (std::size_t cut = 1; cut < body.size(); ++cut) {
        const auto list = decode_list(body, cut);
        if (!list || *list != captured_list) {
            CAPTURE(cut);
            FAIL("another result when cut here");
        }
    }
    NodeListDecoder by_the_byte(Encoding::json);
    for (const char byte : body)
        need(by_the_byte.feed({&byte, 1}));
    CHECK(need(by_the_byte.finish()) == captured_list);
}

TEST_CASE("a list that ends early is an error, never a shorter list", "[k8sclient]")
{
    std::string body = fixture("node_list.json");
    body.erase(body.find_last_not_of('\n') + 1);
    for (std::size_t length = 0; length < body.size(); ++length) {
        const auto list = decode_list(body.substr(0, length));
        if (list) {
            CAPTURE(length);
            FAIL("accepted although cut");
        }
    }
    CHECK(decode_list(body.substr(0, 100)).error().text() == "the list was cut short: Bad message");
}

TEST_CASE("what is strange in a Node is read as the server meant it", "[k8sclient][F46][F47]")
{
    struct Row {
        std::string item;
        std::string name;
        std::vector<std::string> pod_cidrs = {};
        std::vector<std::string> internal_ips = {};
    };
    const auto row = GENERATE(values<Row>({
        {R"({"metadata":{"name":"a"}})", "a"},
        {R"({"metadata":{"name":"a","uid":null},"spec":null,"status":null})", "a"},
        {R"({"status":{"addresses":null},"spec":{"podCIDRs":null},"metadata":{"name":"a"}})", "a"},
        {R"({"spec":{"podCIDR":"10.0.1.0/24"},"metadata":{"name":"old server"}})",
         "old server",
         {"10.0.1.0/24"}},
        {R"({"spec":{"podCIDRs":["fd00::/64","10.0.1.0/24"],"podCIDR":"fd00::/64"},"metadata":{"name":"a"}})",
         "a",
         {"fd00::/64", "10.0.1.0/24"}},
        {R"({"metadata":{"name":"a"},"spec":{"podCIDR":7,"podCIDRs":[null,3,["10.0.0.0/24"],"10.0.1.0/24",{}]}})",
         "a",
         {"10.0.1.0/24"}},
        {R"({"metadata":{"name":"a"},"status":{"addresses":[{"address":"10.1.1.1","type":"InternalIP"},
            {"type":"ExternalIP","address":"8.8.8.8"},{"type":"InternalIP"},null,[],"InternalIP",
            {"type":"InternalIP","address":"not an ip"},{"type":"internalip","address":"10.1.1.2"}]}})",
         "a",
         {},
         {"10.1.1.1", "not an ip"}},
        {R"({"metadata":{"name":"first"},"metadata":{"uid":"u"},"metadata":{"name":"last","name":"very last"}})",
         "very last"},
        {R"({"\u006detadata":{"name":"a\u00e4\ud83d\ude00\/"},"spec":{"\u0070odCIDRs":["10.0.1.0\/24"]}})",
         "a\xc3\xa4\xf0\x9f\x98\x80/",
         {"10.0.1.0/24"}},
        {R"({"metadata":{"labels":{"name":"x"},"name":"a","ownerReferences":[{"uid":"x","name":"y"}]},
            "items":[{"metadata":{"name":"b"}}],"spec":{"x":{"podCIDR":"1.0.0.0/8"}},"big":1e300,"b":-5,"t":true})",
         "a"},
    }));
    CAPTURE(row.item);
    const NodeList list = need(decode_list(list_of(row.item)));
    REQUIRE(list.nodes.size() == 1);
    CHECK(list.nodes[0].name == row.name);
    CHECK(list.nodes[0].uid.empty());
    CHECK(list.nodes[0].pod_cidrs == row.pod_cidrs);
    CHECK(list.nodes[0].internal_ips == row.internal_ips);
}

TEST_CASE("of a Node's conditions NetworkUnavailable is known, and no other", "[k8sclient][F87]")
{
    struct Row {
        std::string status;
        ConditionState expected;
    };
    const auto row = GENERATE(values<Row>({
        {R"({"conditions":[{"type":"Ready","status":"True","reason":"R"},)"
         R"({"message":"m","reason":"Why","status":"True","type":"NetworkUnavailable"}]})",
         {"True", "Why"}},
        {R"({"conditions":[{"type":"NetworkUnavailable","status":"False","reason":"Why"},)"
         R"({"type":"Ready","status":"Unknown","reason":"R"}]})",
         {"False", "Why"}},
        {R"({"conditions":[{"type":"NetworkUnavailable","status":"False"}]})", {"False", ""}},
        {R"({"conditions":[{"type":"NetworkUnavailable","status":true,"reason":null}]})", {"", ""}},
        {R"({"conditions":[null,7,[],{},{"status":"True","reason":"R"},{"type":"Ready","status":"True"}]})",
         {}},
        {R"({"conditions":[{"type":"NetworkUnavailable","status":"True"}],"conditions":null})", {}},
        {R"({"conditions":null})", {}},
        {R"({"x":[{"type":"NetworkUnavailable","status":"True"}]})", {}},
    }));
    CAPTURE(row.status);
    const NodeList list =
        need(decode_list(list_of(R"({"status":)" + row.status + R"(,"metadata":{"name":"a"}})")));
    REQUIRE(list.nodes.size() == 1);
    CHECK(list.nodes[0] == Node{.name = "a", .network_unavailable = row.expected});
}

TEST_CASE("a list may be empty, or its items null or absent", "[k8sclient][F45]")
{
    const std::string items = GENERATE(R"("items":[],)", R"("items":null,)", "");
    const NodeList list =
        need(decode_list("{" + items + R"("metadata":{"resourceVersion":"5"},"kind":"NodeList"})"));
    CHECK(list.nodes.empty());
    CHECK(list.version == "5");
    CHECK(list.continue_token.empty());
}

TEST_CASE("what is not a list of Nodes is refused", "[k8sclient]")
{
    struct Row {
        std::string body;
        std::string why;
    };
    const auto row = GENERATE(values<Row>({
        {"", "cut short"},
        {"<html>", "not valid JSON"},
        {"[]", "not a NodeList"},
        {"7 ", "not an object"},
        {R"({"kind":"PodList","metadata":{"resourceVersion":"5"},"items":[]})", "PodList, not a NodeList"},
        {R"({"kind":"Status","message":"etcd is away","code":500})", "Status, not a NodeList: etcd is away"},
        {R"({"kind":"NodeList","items":[]})", "no resourceVersion"},
        {R"({"kind":"NodeList","metadata":{"resourceVersion":7},"items":[]})", "no resourceVersion"},
        {R"({"kind":"NodeList","metadata":{"resourceVersion":"7"},"items":{}})", "items is not an array"},
        {R"({"kind":"NodeList","metadata":{"resourceVersion":"7"},"items":"none"})", "items is not an array"},
        {R"({"kind":"NodeList","items":[{"metadata":{"name":"a"}}],"items":[]})", "items comes twice"},
        {R"({"kind":"NodeList","items":[{"metadata":{"name":"a"}}],"items":null})", "items comes twice"},
        {list_of("null"), "an item is not an object"},
        {list_of("[]"), "an item is not an object"},
        {list_of(R"({"metadata":null})"), "an item has no name"},
        {list_of("") + "{}", "goes on after the end"},
    }));
    CAPTURE(row.body);
    const auto list = decode_list(row.body);
    REQUIRE(list.has_error());
    CHECK_THAT(list.error().text(), has_text(row.why));
}

TEST_CASE("what kubectl prints is a list, too, but not to who asked the server", "[k8sclient][plan]")
{
    const std::string printed =
        R"({"apiVersion":"v1","items":[{"apiVersion":"v1","kind":"Node","metadata":{"name":"node02"},)"
        R"("spec":{"podCIDRs":["10.244.2.0/24"]}}],"kind":"List","metadata":{"resourceVersion":""}})";
    const auto decode = [](std::string_view body) -> Result<NodeList> {
        NodeListDecoder decoder = NodeListDecoder::for_kubectl();
        if (auto fed = decoder.feed(body); !fed)
            return fed.error();
        return decoder.finish();
    };

    const NodeList list = need(decode(printed));
    REQUIRE(list.nodes.size() == 1);
    CHECK(list.nodes[0].name == "node02");
    CHECK(list.nodes[0].pod_cidrs == std::vector<std::string>{"10.244.2.0/24"});
    CHECK(need(decode(list_of(R"({"metadata":{"name":"node02"}})"))).nodes.size() == 1); // kubectl get --raw
    CHECK_FALSE(decode_list(printed).has_value());

    CHECK_FALSE(decode(printed.substr(0, printed.size() - 1)).has_value());
    CHECK_FALSE(decode(R"({"kind":"PodList","metadata":{"resourceVersion":"7"},"items":[]})").has_value());
    CHECK_FALSE(decode(R"({"kind":"Node","metadata":{"name":"node02"}})").has_value());
    CHECK_FALSE(decode("").has_value());
}

TEST_CASE("depth and size of what is skipped have their bounds", "[k8sclient]")
{
    const auto nested = [](std::size_t levels) {
        return list_of(R"({"metadata":{"name":"a"},"x":)" + std::string(levels, '[') +
                       std::string(levels, ']') + "}");
    };
    CHECK(need(decode_list(nested(1000))).nodes.size() == 1);
    CHECK(decode_list(nested(100'000)).has_error());

    const auto padded = [](std::size_t bytes) {
        return R"({"metadata":{"name":"a"},"x":")" + std::string(bytes, 'x') + R"("})";
    };
    CHECK(need(decode_list(list_of(padded(3U << 20U) + "," + padded(3U << 20U)))).nodes.size() == 2);
    CHECK_THAT(decode_list(list_of(padded(17U << 20U))).error().text(), has_text("more than 16 MiB"));
}

TEST_CASE("a Node that is too large is known by its name, and stops no other", "[k8sclient]")
{
    const std::string padding = std::string(5U << 20U, 'x');
    const std::string large = R"({"spec":{"podCIDR":"10.1.0.0/24"},"x":")" + padding +
                              R"(","metadata":{"name":"large","resourceVersion":"7"}})";
    const NodeList list = need(decode_list(list_of(large + R"(,{"metadata":{"name":"small"}})")));
    REQUIRE(list.nodes.size() == 2);
    CHECK(list.nodes[0] == Node{.name = "large", .is_oversized = true});
    CHECK(list.nodes[1] == Node{.name = "small"});

    const auto events = decode_events(R"({"type":"MODIFIED","object":)" + large + "}" +
                                      R"({"type":"ADDED","object":{"metadata":{"name":"small"}}})");
    REQUIRE(events.size() == 2);
    CHECK(events[0].node == Node{.name = "large", .is_oversized = true});
    CHECK(events[0].version == "7");
    CHECK(events[1].node == Node{.name = "small"});
}

TEST_CASE("one Node is decoded, and nothing else is taken for one", "[k8sclient]")
{
    const auto decode = [](std::string_view body,
                           std::size_t piece = std::string_view::npos) -> Result<Node> {
        NodeDecoder decoder;
        for (; !body.empty(); body.remove_prefix(std::min(piece, body.size())))
            if (auto fed = decoder.feed(body.substr(0, piece)); !fed)
                return fed.error();
        return decoder.finish();
    };
    CHECK(need(decode(R"({"kind":"Node","metadata":{"name":"a","uid":"u"},"status":{"conditions":[)"
                      R"({"type":"NetworkUnavailable","status":"False","reason":"Why"}]}})"
                      "\n",
                      GENERATE(1, 7, 1000))) ==
          Node{.name = "a", .uid = "u", .network_unavailable = {"False", "Why"}});

    struct Row {
        std::string body;
        std::string why;
    };
    const auto row = GENERATE(values<Row>({
        {"", "cut short"},
        {R"({"kind":"Node","metadata":{"name":"a"})", "cut short"},
        {"<html>", "not valid JSON"},
        {R"({"kind":"Status","message":"no"})", "is Status, not a Node"},
        {R"({"metadata":{"name":"a"}})", "an object without kind, not a Node"},
        {R"({"kind":"Node"})", "a Node without a name"},
        {R"({"kind":"Node","metadata":{"name":"a"}}{})", "goes on after the end"},
        {R"({"kind":"Node","metadata":{"name":"a"},"x":")" + std::string(17U << 20U, 'x'),
         "more than 16 MiB"},
    }));
    CAPTURE(row.why);
    const auto node = decode(row.body);
    REQUIRE(node.has_error());
    CHECK_THAT(node.error().text(), has_text(row.why));
}

TEST_CASE("nodes are handed out as soon as they are complete", "[k8sclient]")
{
    NodeListDecoder decoder(Encoding::json);
    need(decoder.feed(R"({"kind":"NodeList","items":[{"metadata":{"name":"a"}},{"metadata":{"name":"b")"));
    CHECK(decoder.take_nodes() == std::vector<Node>{{.name = "a"}});
    need(decoder.feed(R"(}}],"metadata":{"resourceVersion":"7"}})"));
    CHECK(decoder.take_nodes() == std::vector<Node>{{.name = "b"}});
    CHECK(need(decoder.finish()) == NodeList{.nodes = {}, .version = "7", .continue_token = ""});
}

TEST_CASE("the bookmark that ends a streaming list is told from others", "[k8sclient]")
{
    const std::string value = GENERATE("true", "false");
    const auto events = decode_events(
        R"({"type":"BOOKMARK","object":{"kind":"Node","metadata":{"resourceVersion":"9","annotations":{)"
        R"("k8s.io/initial-events-end":")" +
        value + R"("}}}})" +
        R"({"type":"BOOKMARK","object":{"kind":"Node","metadata":{"resourceVersion":"10"}}})");
    REQUIRE(events.size() == 2);
    CHECK(events[0].ends_initial_events == (value == "true"));
    CHECK_FALSE(events[1].ends_initial_events);
}

TEST_CASE("watch events as a real API server sends them are decoded, however they are cut", "[k8sclient]")
{
    const std::string stream = fixture("watch.json");
    const std::vector<WatchEvent> events = decode_events(stream);

    using Type = WatchEvent::Type;
    REQUIRE(events.size() == 5);
    CHECK(events[0].type == Type::modified);
    CHECK(events[0].version == "36683");
    CHECK(events[0].node.name == "node-00200");
    CHECK(events[0].node.internal_ips == std::vector<std::string>{"172.16.0.200"});
    CHECK(events[1].type == Type::deleted);
    CHECK(events[1].version == "36684");
    CHECK(events[2].type == Type::added);
    CHECK(events[2].node.pod_cidrs == std::vector<std::string>{"10.9.8.0/24"});
    CHECK(events[2].node.uid != events[1].node.uid);
    CHECK(events[3] == WatchEvent{.type = Type::bookmark, .node = {}, .version = "36685", .status = {}});

    for (std::size_t cut = 1; cut < stream.size(); ++cut) {
        WatchDecoder decoder(Encoding::json);
        std::vector<WatchEvent> seen;
        need(decoder.feed(std::string_view(stream).substr(0, cut), seen));
        need(decoder.feed(std::string_view(stream).substr(cut), seen));
        if (seen != events || !decoder.between_frames()) {
            CAPTURE(cut);
            FAIL("other events when cut here");
        }
    }
}

TEST_CASE("an event is handed out as soon as its last byte is there", "[k8sclient][F58]")
{
    const std::string event = R"({"type":"ADDED","object":{"metadata":{"name":"a","resourceVersion":"1"}}})";
    WatchDecoder decoder(Encoding::json);
    std::vector<WatchEvent> events;
    need(decoder.feed(event.substr(0, event.size() - 1), events));
    CHECK(events.empty());
    CHECK_FALSE(decoder.between_frames());
    need(decoder.feed("}", events));
    CHECK(events.size() == 1);
    CHECK(decoder.between_frames());
    need(decoder.feed("\r\n \n" + event + event + event.substr(0, 30), events));
    CHECK(events.size() == 3);
    CHECK_FALSE(decoder.between_frames());
}

TEST_CASE("the type of an event may come after its object", "[k8sclient]")
{
    const auto events = decode_events(
        R"({"object":{"metadata":{"name":"a","resourceVersion":"1"}},"type":"DELETED","more":{"type":"X"}})"
        R"({"object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"},"type":"ERROR"})");
    REQUIRE(events.size() == 2);
    CHECK(events[0].type == WatchEvent::Type::deleted);
    CHECK(events[0].node.name == "a");
    CHECK(events[1].status == Status{410, "Expired", "too old", false});
}

TEST_CASE("an error event carries the server's Status and no version", "[k8sclient]")
{
    const auto events = decode_events(fixture("watch_expired.json"));
    REQUIRE(events.size() == 1);
    CHECK(events[0].type == WatchEvent::Type::error);
    CHECK(events[0].version.empty());
    CHECK(events[0].status == Status{410, "Expired", "too old resource version: 2 (237)", false});
}

TEST_CASE("events before a broken one are handed out", "[k8sclient]")
{
    const std::string good = R"({"type":"ADDED","object":{"metadata":{"name":"a","resourceVersion":"1"}}})";
    struct Row {
        std::string bad;
        std::string why;
    };
    const auto row = GENERATE(values<Row>({
        {"garbage", "not valid JSON"},
        {R"({"type":"added","object":{"metadata":{"name":"a"}}})", R"(unknown type "added")"},
        {R"({"object":{"metadata":{"name":"a"}}})", "unknown type"},
        {R"({"type":"ADDED","object":{"kind":"Pod","metadata":{"name":"a"}}})", "about a Pod, not a Node"},
        {R"({"type":"ADDED","object":null})", "without a name"},
        {R"({"type":"DELETED"})", "without a name"},
        {"null ", "not an object"},
        {"[]", "unknown type"},
        {R"({"type":"ADDED","x":")" + std::string(17U << 20U, 'x'), "more than 16 MiB"},
    }));
    CAPTURE(row.why);
    std::vector<WatchEvent> events;
    CHECK_THAT(refusal_of(good + row.bad, events), has_text(row.why));
    CHECK(events.size() == 1);
}

TEST_CASE("a decoder that failed accepts nothing more", "[k8sclient]")
{
    const std::string good = list_of(R"({"metadata":{"name":"a"}})");
    const auto bad = GENERATE_COPY(good + "x", "x", list_of("{}"), "{\"items\":[],\"items\":[]");
    NodeListDecoder decoder(Encoding::json);
    const auto failure = decoder.feed(bad);
    REQUIRE(failure.has_error());
    decoder.take_nodes();
    for (const std::string& more : {std::string(" "), std::string("}"), good}) {
        const auto again = decoder.feed(more);
        REQUIRE(again.has_error());
        CHECK(again.error().text() == failure.error().text());
    }
    CHECK(decoder.take_nodes().empty());
    CHECK(decoder.finish().has_error());

    NodeDecoder node;
    REQUIRE(node.feed(R"({"kind":"Node","metadata":{"name":"a"}} x)").has_error());
    CHECK(node.feed(" ").has_error());
    CHECK(node.finish().has_error());

    WatchDecoder watch(Encoding::json);
    std::vector<WatchEvent> events;
    REQUIRE(watch.feed(R"({"type":"ADDED","object":{}})", events).has_error());
    CHECK(watch.feed(R"({"type":"ADDED","object":{"metadata":{"name":"a"}}})", events).has_error());
    CHECK(events.empty());
}

TEST_CASE("items are a list's, and in an event or a Node nothing", "[k8sclient]")
{
    const std::string event =
        R"({"type":"ADDED","object":{"metadata":{"name":"a"},"items":[{"metadata":{"name":"b"}},7]}})";
    const auto events = decode_events(event + event);
    REQUIRE(events.size() == 2);
    CHECK(events[0].node == Node{.name = "a"});
    CHECK(events[1] == events[0]);

    NodeDecoder decoder;
    need(decoder.feed(R"({"kind":"Node","metadata":{"name":"a"},"items":[{"metadata":{"name":"b"}},7]})"));
    CHECK(need(decoder.finish()) == Node{.name = "a"});
}

TEST_CASE("a refusal's Status is read from its body, and nothing from a proxy's page", "[k8sclient]")
{
    CHECK(
        decode_status(Encoding::json, R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",
        "message":"Timeout: Too large resource version: 9999, current: 12","reason":"Timeout",
        "details":{"causes":[{"reason":"ResourceVersionTooLarge","message":"Too large resource version"}],
        "retryAfterSeconds":1},"code":504})") ==
        Status{.code = 504,
               .reason = "Timeout",
               .message = "Timeout: Too large resource version: 9999, current: 12",
               .version_too_large = true});
    CHECK(decode_status(Encoding::json, "<html><body>502 Bad Gateway</body></html>") == Status{});
    CHECK(decode_status(Encoding::json, R"({"message":"cut)") == Status{});
    CHECK(decode_status(Encoding::json, "") == Status{});
    CHECK(decode_status(Encoding::json, "[]") == Status{});
}
