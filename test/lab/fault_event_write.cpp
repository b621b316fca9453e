// What may become of Events that are told, and that nothing else suffers from it.
#include "test/lab/writer.h"

using namespace routelet;
using namespace routelet::test;

namespace {

using k8s::EventCounts;
using k8s::EventNote;

EventNote warning(const std::string& message)
{
    return {.type = EventNote::Type::warning,
            .reason = "SelfMissing",
            .message = message,
            .name = "node01",
            .object_uid = "uid-1"};
}

Fault on_events(Fault fault, const std::string& target = "/events")
{
    fault.requests = Fault::Requests::write;
    fault.target = target;
    return fault;
}

// A recorder of Events beside an agent's watch and its condition.
struct EventWriter {
    Lab& lab;
    ConditionWriter agent;
    k8s::EventRecorder recorder;
    std::vector<std::string> dropped;

    explicit EventWriter(Lab& on, std::chrono::milliseconds answer_patience = patience)
        : lab(on), agent(on), recorder(agent.loop.context.get_executor(), admin_of(on),
                                       {.source = {.component = "routelet", .host = "node01"},
                                        .backoff_first = 1ms,
                                        .backoff_most = 4ms,
                                        .patience = answer_patience,
                                        .most_waiting = 8})
    {
        recorder.on_dropped(
            [this](const EventNote&, const Error& error) { dropped.push_back(error.text()); });
        agent.watch();
        agent.loop.start(recorder.run());
    }
    ~EventWriter() { agent.loop.stop(); } // before the recorder goes

    bool sees(const EventCounts& counts)
    {
        return agent.loop.sees([&] { return recorder.counts() == counts; });
    }
};

// The Events that the server has, by name. It ends.
std::map<std::string, Json> events_at_the_end(Lab& lab)
{
    lab.server.reset();
    const Json stored = Json::parse(need(read_file(lab.directory.path / "store.json")));
    std::map<std::string, Json> events;
    for (const auto& [key, object] : stored.at("objects").items())
        if (object.at("kind") == "Event")
            events[object.at("metadata").at("name")] = object;
    return events;
}

} // namespace

TEST_CASE("Events are told one after the other, and the same again counts on", "[k8sclient][lab][events]")
{
    Lab lab;
    {
        EventWriter writer(lab);
        lab.server->inject(on_events({.what = Fault::What::delay, .times = 0, .delay = 30ms}));
        writer.recorder.record(warning("a"));
        writer.recorder.record(warning("b"));
        REQUIRE(writer.sees({.sent = 2}));
        writer.recorder.record(warning("a"));
        REQUIRE(writer.sees({.sent = 3}));
        const auto requests = writes_of(lab, "/events");
        REQUIRE(codes_of(requests) == std::vector<unsigned>{201, 201, 200});
        CHECK(requests[1].when - requests[0].when >= 30ms); // not at the same time
    }
    const auto events = events_at_the_end(lab);
    REQUIRE(events.size() == 2);
    for (const auto& [name, event] : events) {
        CHECK(event.at("count") == (event.at("message") == "a" ? 2 : 1));
        CHECK(event.at("involvedObject").at("uid") == "uid-1");
        CHECK(event.at("metadata").at("namespace") == "default");
    }
}

TEST_CASE("Events that are refused are dropped and counted, and nothing else suffers",
          "[k8sclient][lab][F88]")
{
    struct Row {
        Fault fault;
        EventCounts counts;
        std::size_t requests;
    };
    const auto row = GENERATE(values<Row>({
        {{.what = Fault::What::status, .times = 0, .status = 409}, {.refused = 1}, 1},
        {{.what = Fault::What::status, .times = 0, .status = 422}, {.refused = 1}, 1},
        {{.what = Fault::What::status, .times = 0, .status = 403}, {.refused = 1}, 1},
        {{.what = Fault::What::status, .times = 0, .status = 404}, {.refused = 1}, 1},
        {{.what = Fault::What::status, .times = 0, .status = 413}, {.refused = 1}, 1},
        {{.what = Fault::What::status, .times = 0, .status = 429}, {.given_up = 1}, 12},
        {{.what = Fault::What::status, .times = 0, .status = 500}, {.given_up = 1}, 12},
        {{.what = Fault::What::silence, .times = 0}, {.given_up = 1}, 12},
        {{.what = Fault::What::refuse, .times = 0}, {.given_up = 1}, 12},
        {{.what = Fault::What::content_type, .times = 0}, {.refused = 1}, 1}, // 201 with a page
    }));
    CAPTURE(to_json(row.fault).dump());
    Lab lab;
    EventWriter writer(lab, row.fault.what == Fault::What::silence ? 100ms : patience);
    lab.server->inject(on_events(row.fault));
    writer.recorder.record(warning("a"));
    REQUIRE(writer.sees(row.counts));
    CHECK(writes_of(lab, "/events").size() == row.requests);
    REQUIRE(writer.dropped.size() == 1);
    CHECK_THAT(writer.dropped[0],
               has_text("POST " + lab.server->url() + "/api/v1/namespaces/default/events"));
    if (row.fault.status == 403)
        CHECK_THAT(writer.dropped[0], has_text("resources [events], verbs [create, patch]"));

    writer.recorder.record(warning("b")); // while that is being refused:
    CHECK(writer.agent.sees_condition("False"));
    CHECK(codes_of(writer.agent.patches()) == std::vector<unsigned>{200});
    lab.put("node03", "10.244.3.0/24");
    CHECK(writer.agent.loop.sees([&] { return writer.agent.seen.names.contains("node03"); }));
    CHECK(writer.agent.loop.runs());

    lab.server->heal();
    const auto told = writer.recorder.counts();
    writer.recorder.record(warning("c"));
    CHECK(writer.agent.loop.sees([&] { return writer.recorder.counts().sent > told.sent; }));
}

TEST_CASE("an Event whose answer comes too late is there once", "[k8sclient][lab][F88]")
{
    Lab lab;
    {
        EventWriter writer(lab, 100ms);
        lab.server->inject(on_events({.what = Fault::What::delay, .delay = 300ms}));
        writer.recorder.record(warning("a"));
        REQUIRE(writer.sees({.sent = 1}));
        writer.agent.loop.wait(500ms); // the first one's time
    }
    CHECK(events_at_the_end(lab).size() == 1);
}

TEST_CASE("an Event that the server has forgotten is created anew, with its count", "[k8sclient][lab][F88]")
{
    Lab lab;
    {
        EventWriter writer(lab);
        writer.recorder.record(warning("a"));
        REQUIRE(writer.sees({.sent = 1}));
        lab.begin_versions_anew();
        writer.recorder.record(warning("a"));
        REQUIRE(writer.sees({.sent = 2}));
        CHECK(codes_of(writes_of(lab, "/events")) == std::vector<unsigned>{404, 201});
    }
    const auto events = events_at_the_end(lab);
    REQUIRE(events.size() == 1);
    CHECK(events.begin()->second.at("count") == 2);
}

TEST_CASE("what waits is bounded, and what waits for one Event is written once", "[k8sclient][lab][F88]")
{
    Lab lab;
    EventWriter writer(lab);
    lab.server->inject(on_events({.what = Fault::What::delay, .delay = 80ms}));
    for (int i = 0; i < 5; ++i)
        writer.recorder.record(warning("a"));
    for (int i = 0; i < 9; ++i)
        writer.recorder.record(warning("message " + std::to_string(i)));
    // One Event of five notes, seven of one each, and no room for the last two.
    CHECK(writer.sees({.sent = 12, .no_room = 2}));
    CHECK(writes_of(lab, "/events").size() == 8);
    for (int i = 0; i < 20; ++i)
        writer.recorder.record(warning("a"));
    CHECK(writer.recorder.counts().too_many == 9); // 25 of 34
}
