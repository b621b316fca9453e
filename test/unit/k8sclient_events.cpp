#include "k8sclient/event.h"
#include "k8sclient/event_correlator.h"
#include "test/support/catch.h"

#include <nlohmann/json.hpp>

using namespace routelet;
using namespace routelet::k8s;
using namespace routelet::test;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

// 2026-01-01T00:00:00Z and so much later.
Moment at(std::chrono::milliseconds later)
{
    return {std::chrono::steady_clock::time_point(1000h) + later,
            std::chrono::system_clock::from_time_t(1767225600) + later};
}

EventNote warning(const std::string& message, const std::string& uid = "uid-1")
{
    return {.type = EventNote::Type::warning,
            .reason = "SelfMissing",
            .message = message,
            .name = "node01",
            .object_uid = uid};
}

} // namespace

TEST_CASE("an Event has every field that those who read Events look at", "[k8sclient][events]")
{
    const Event event = {.note = warning("a \"message\""),
                         .name = "node01.1",
                         .count = 2,
                         .first = at(0ms).wall,
                         .last = at(1h).wall};
    CHECK(json::parse(event_body(event, {.component = "routelet", .host = "node01"})) == json::parse(R"({
        "apiVersion": "v1", "kind": "Event",
        "metadata": {"name": "node01.1", "namespace": "default"},
        "involvedObject": {"apiVersion": "v1", "kind": "Node", "name": "node01", "uid": "uid-1"},
        "type": "Warning", "reason": "SelfMissing", "message": "a \"message\"", "count": 2,
        "source": {"component": "routelet", "host": "node01"},
        "firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T01:00:00Z",
        "reportingComponent": "routelet", "reportingInstance": "node01"})"));
    CHECK(
        json::parse(event_count_patch(event)) ==
        json::parse(R"({"count": 2, "lastTimestamp": "2026-01-01T01:00:00Z", "message": "a \"message\""})"));
}

TEST_CASE("what is too long for an Event is cut at a character's end", "[k8sclient][events]")
{
    struct Row {
        std::string message;
        std::size_t bytes;
    };
    const auto row = GENERATE(values<Row>({
        {std::string(1024, 'x'), 1024},
        {std::string(1025, 'x'), 1024},
        {std::string(1023, 'x') + "\xc3\xa4", 1023}, // a character of two bytes
        {std::string(1022, 'x') + "\xc3\xa4"
                                  "x",
         1024},
        {std::string(1021, 'x') + "\xf0\x9f\x98\x80", 1021}, // of four
        {std::string(1020, 'x') + "\xf0\x9f\x98\x80"
                                  "x",
         1024},
        {"", 0},
    }));
    Event event = {.note = warning(row.message), .name = "node01.1"};
    event.note.reason = std::string(200, 'R');
    const json body = json::parse(event_body(event, {}));
    CHECK(body["message"].get<std::string>() == row.message.substr(0, row.bytes));
    CHECK(body["reason"].get<std::string>().size() == 128);
    CHECK(json::parse(event_count_patch(event))["message"] == body["message"]);

    event.note.message = "no UTF-8: \xff";
    CHECK(json::parse(event_body(event, {}))["message"] == "no UTF-8: \xef\xbf\xbd");
}

TEST_CASE("the same again counts on, under its first name", "[k8sclient][events]")
{
    EventCorrelator correlator;
    const auto first = correlator.observe(warning("a"), at(0ms));
    REQUIRE(first.has_value());
    CHECK(first->name == "node01.18867251edfa0000");
    CHECK(first->count == 1);
    CHECK(first->first == at(0ms).wall);

    const auto again = correlator.observe(warning("a"), at(5s));
    REQUIRE(again.has_value());
    CHECK(again->name == first->name);
    CHECK(again->count == 2);
    CHECK(again->first == at(0ms).wall);
    CHECK(again->last == at(5s).wall);

    CHECK(correlator.observe(warning("b"), at(6s))->name != first->name);
    CHECK(correlator.observe(warning("a", "uid-2"), at(7s))->count == 1); // a Node that was registered anew
    EventNote normal = warning("a");
    normal.type = EventNote::Type::normal;
    CHECK(correlator.observe(normal, at(8s))->count == 1);
}

TEST_CASE("many that are alike become one", "[k8sclient][events]")
{
    EventCorrelator correlator;
    const auto tell = [&](int number, std::chrono::milliseconds when) {
        return correlator.observe(warning("message " + std::to_string(number)), at(when)).value();
    };
    for (int i = 0; i < 10; ++i)
        CHECK(tell(i, 1s * i).note.message == "message " + std::to_string(i));
    const Event combined = tell(10, 10s);
    CHECK(combined.note.message == "(combined from similar events): message 10");
    CHECK(combined.count == 1);
    const Event more = tell(11, 11s);
    CHECK(more.name == combined.name);
    CHECK(more.count == 2);
    CHECK(more.note.message == "(combined from similar events): message 11");

    CHECK(tell(3, 12s).note.message == "message 3"); // one of the ten goes on by itself
    EventNote another = warning("message 12");
    another.reason = "RoutesMissing";
    CHECK(correlator.observe(another, at(13s))->note.message == "message 12");

    CHECK(tell(13, 12s + 601s).note.message == "message 13"); // after a time of silence
}

TEST_CASE("of one object a few come at once, and then one in five minutes", "[k8sclient][events]")
{
    EventCorrelator correlator;
    for (int i = 0; i < 25; ++i)
        CHECK(correlator.observe(warning("a"), at(0ms)).has_value());
    CHECK_FALSE(correlator.observe(warning("a"), at(0ms)).has_value());
    CHECK_FALSE(correlator.observe(warning("b"), at(299s)).has_value());
    CHECK(correlator.observe(warning("a", "uid-2"), at(299s)).has_value()); // another object

    const auto next = correlator.observe(warning("a"), at(301s));
    REQUIRE(next.has_value());
    CHECK(next->count == 27); // the one that was not told counts as well
    CHECK_FALSE(correlator.observe(warning("a"), at(302s)).has_value());

    for (int i = 0; i < 25; ++i) // a long silence fills the bucket, and no more than that
        CHECK(correlator.observe(warning("a"), at(100h)).has_value());
    CHECK_FALSE(correlator.observe(warning("a"), at(100h)).has_value());
}

TEST_CASE("what was met longest ago is forgotten first", "[k8sclient][events]")
{
    EventCorrelator correlator;
    const auto tell = [&](int number) {
        return correlator.observe(warning("a", "uid-" + std::to_string(number)), at(1s * number)).value();
    };
    for (int i = 0; i < static_cast<int>(EventCorrelator::most_keys); ++i)
        CHECK(tell(i).count == 1);
    CHECK(tell(0).count == 2);
    CHECK(tell(1000).count == 1);
    CHECK(tell(0).count == 3);
    CHECK(tell(1).count == 1);
}
