// How a streaming list (KEP-3157) may fail, and what is done in its place.
#include "test/lab/wire.h"

using namespace routelet;
using namespace routelet::test;

namespace {

k8s::ReflectorOptions streaming()
{
    return GENERATE(from_range(both_encodings(true)));
}

} // namespace

TEST_CASE("a server without streaming lists is asked for a plain one, and for no other soon",
          "[k8sclient][lab][F79]")
{
    const k8s::ReflectorOptions options = streaming();
    Lab lab({.watch_list = false});
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::watching));
    CHECK(reflection.seen.count(What::no_streaming) == 1);
    CHECK(reflection.seen.count(What::failed) == 0);
    CHECK(lab.lists() == 1);

    lab.server->inject({.what = Fault::What::gone, .requests = Fault::Requests::watch});
    lab.restart();
    REQUIRE(reflection.sees([&] { return reflection.seen.replacements == 2; }));
    CHECK(reflection.seen.count(What::no_streaming) == 1);
    reflection.expect_healed();
}

TEST_CASE("a streaming list that the server's etcd cannot give is followed by a plain one",
          "[k8sclient][lab][F79]")
{
    const k8s::ReflectorOptions options = streaming();
    Lab lab;
    const Json error = status(500, "InternalError", "etcd: RequestWatchProgress is disabled");
    lab.server->inject({.what = Fault::What::garbage,
                        .requests = Fault::Requests::watch,
                        .body = frame(options.encoding, "ERROR", error)});
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::watching));
    CHECK(reflection.seen.count(What::no_streaming) == 1);
    CHECK(lab.lists() == 1);
    reflection.expect_healed();
}

TEST_CASE("a streaming list whose end does not come is not acted on", "[k8sclient][lab][F79]")
{
    k8s::ReflectorOptions options = streaming();
    options.patience.list = 100ms;
    Lab lab;
    lab.server->inject({.what = Fault::What::no_bookmarks, .requests = Fault::Requests::watch, .times = 2});
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::watching));
    CHECK(reflection.seen.replacements == 1);
    CHECK(lab.lists() == 1); // after two that were streamed in vain
    CHECK(reflection.seen.count(What::no_streaming) == 1);
    reflection.expect_healed();
}

TEST_CASE("a streaming list that is cut is not acted on, and begun anew", "[k8sclient][lab][F79]")
{
    const k8s::ReflectorOptions options = streaming();
    const std::size_t frames = GENERATE(0U, 1U, 2U);
    CAPTURE(frames);
    Lab lab;
    SECTION("by a reset")
    {
        lab.server->inject(
            {.what = Fault::What::cut, .requests = Fault::Requests::watch, .after_frames = frames});
    }
    SECTION("by its proper end")
    {
        lab.server->inject(
            {.what = Fault::What::end, .requests = Fault::Requests::watch, .after_frames = frames});
    }
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::failed));
    CHECK(reflection.seen.replacements == 0);
    REQUIRE(reflection.sees_notice(What::watching));
    CHECK(reflection.seen.nodes == both);
    CHECK(reflection.seen.replacements == 1);
    CHECK(lab.lists() == 0);
    reflection.expect_healed();
}

TEST_CASE("a node that is deleted while it is listed is not there afterwards", "[k8sclient][lab][F79]")
{
    const k8s::ReflectorOptions options = streaming();
    Lab lab;
    lab.server->inject({.what = Fault::What::garbage,
                        .requests = Fault::Requests::watch,
                        .after_frames = 2,
                        .body = frame(options.encoding, "ADDED", node("short-lived", "10.244.66.0/24")) +
                                frame(options.encoding, "DELETED", node("short-lived", "10.244.66.0/24"))});
    lab.truth.states.insert({"short-lived", "10.244.66.0/24"});
    lab.truth.deleted.insert(""); // its uid
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::watching));
    CHECK(reflection.seen.nodes == both);
    CHECK(reflection.seen.replacements == 1);
    reflection.expect_healed();
}

TEST_CASE("what has happened by the end of a streaming list is not lost", "[k8sclient][lab][F79]")
{
    const k8s::ReflectorOptions options = streaming();
    Lab lab;
    // The mark of the end, and an event behind it, in one piece.
    Json mark = {{"kind", "Node"},
                 {"metadata",
                  {{"resourceVersion", std::to_string(lab.server->version())},
                   {"annotations", {{"k8s.io/initial-events-end", "true"}}}}}};
    Json third = lab.with_uid(node("node03", "10.244.3.0/24"));
    third["metadata"]["resourceVersion"] = std::to_string(lab.server->version() + 1);
    lab.server->inject(
        {.what = Fault::What::garbage,
         .requests = Fault::Requests::watch,
         .after_frames = 2,
         .body = frame(options.encoding, "BOOKMARK", mark) + frame(options.encoding, "ADDED", third)});
    lab.truth.states.insert({"node03", "10.244.3.0/24"});
    Reflection reflection(lab, options);
    CHECK(reflection.sees_nodes(all_three));
    CHECK(reflection.seen.replacements == 1);
    lab.put("node03", "10.244.3.0/24");
    reflection.expect_healed();
}
