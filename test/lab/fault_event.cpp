// What the events of a watch may be like.
#include "test/lab/wire.h"

using namespace routelet;
using namespace routelet::test;

namespace {

// These bytes come in front of the first event of the first watch.
void inject_event(Lab& lab, const k8s::ReflectorOptions& options, std::string bytes, unsigned times = 1)
{
    inject_watching(lab, options, {.what = Fault::What::garbage, .times = times, .body = std::move(bytes)});
}

} // namespace

TEST_CASE("an event of a size that is not sane ends the watch, and costs no node", "[k8sclient][lab][F59]")
{
    const k8s::ReflectorOptions options = GENERATE(from_range(every_way()));
    const std::size_t size = 17'000'000;
    Lab lab;
    const bool is_json = options.encoding == Encoding::json;
    const std::string begun =
        is_json ? R"({"type":"ADDED","object":{"spec":{"x":")" : std::string("\x01\x03\x66\x40", 4);
    inject_event(lab, options, begun + std::string(size, 'x'));
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::failed));
    CHECK_THAT(reflection.seen.trouble(), has_text("of more than 16 MiB"));
    CHECK(reflection.sees_truth());
    CHECK(reflection.seen.replacements == 1);
    reflection.expect_healed();
}

TEST_CASE("bookmarks are no nodes, however many come and whatever they hold", "[k8sclient][lab][F60]")
{
    const k8s::ReflectorOptions options = GENERATE(from_range(every_way()));
    Lab lab({.bookmark_interval = 10ms});
    const Json strange = {
        {"kind", "Node"},
        {"metadata", {{"resourceVersion", "1"}, {"creationTimestamp", nullptr}, {"surprise", {1, 2}}}},
        {"spec", Json::object()},
        {"status", nullptr}};
    inject_event(lab, options, frame(options.encoding, "BOOKMARK", strange));
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::watching));
    reflection.sees([] { return false; }, 100ms); // for some bookmarks
    CHECK(reflection.seen.nodes == both);
    CHECK(reflection.seen.upserts == 0);
    CHECK(reflection.seen.heard_of > 2); // beside the list
    CHECK(reflection.seen.count(What::failed) == 0);
    reflection.expect_healed();
}

TEST_CASE("a server that sends no bookmarks is believed all the same", "[k8sclient][lab][F60]")
{
    k8s::ReflectorOptions options = GENERATE(from_range(both_encodings()));
    options.watch_timeout_least = 1s;
    options.patience.bookmark = 50ms;
    Lab lab({.bookmark_interval = 10ms});
    lab.server->inject({.what = Fault::What::no_bookmarks, .requests = Fault::Requests::watch, .times = 0});
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::closed));
    CHECK(reflection.seen.count(What::failed) == 0);
    CHECK(reflection.seen.replacements == 1);
    CHECK(reflection.seen.heard_of == 1); // the list
    reflection.expect_healed();
}

TEST_CASE("an event may come twice", "[k8sclient][lab][F68]")
{
    const k8s::ReflectorOptions options = GENERATE(from_range(every_way()));
    Lab lab;
    lab.server->inject({.what = Fault::What::duplicate, .requests = Fault::Requests::watch, .times = 0});
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::watching));
    lab.put("node03", "10.244.3.0/24");
    lab.remove("node01");
    lab.put("node03", "10.244.4.0/24");
    CHECK(reflection.sees_truth());
    CHECK(reflection.seen.replacements == 1);
    reflection.expect_healed();
}

TEST_CASE("whether a node was there already is not the event's to say", "[k8sclient][lab][F68]")
{
    const k8s::ReflectorOptions options = GENERATE(from_range(every_way()));
    Lab lab;
    inject_event(lab, options,
                 frame(options.encoding, "ADDED", lab.with_uid(node("node01", "10.244.1.0/24"))) +
                     frame(options.encoding, "DELETED", node("stranger", "10.244.77.0/24")) +
                     frame(options.encoding, "MODIFIED", lab.with_uid(node("node03", "10.244.3.0/24"))));
    lab.truth.states.insert({"node03", "10.244.3.0/24"});
    Reflection reflection(lab, options);
    CHECK(reflection.sees_nodes(all_three));
    lab.put("node03", "10.244.3.0/24");
    CHECK(reflection.seen.replacements == 1);
    CHECK(reflection.seen.count(What::failed) == 0);
    reflection.expect_healed();
}

TEST_CASE("garbage between events is passed by resuming, and if it stays by a list", "[k8sclient][lab][F69]")
{
    const k8s::ReflectorOptions options = GENERATE(from_range(every_way()));
    const unsigned times = GENERATE(1U, 2U);
    CAPTURE(times);
    const bool is_json = options.encoding == Encoding::json;
    Lab lab;
    inject_event(lab, options, is_json ? "\x01{]garbage\n" : std::string("\0\0\0\x04\xff\xff\xff\xff", 8),
                 times);
    Reflection reflection(lab, options);
    // The server does not know that the first one was given up, and protobuf is not asked for again.
    if (is_json || times == 1)
        REQUIRE(reflection.sees_notice(What::failed, times));
    CHECK(reflection.sees_truth());
    lab.put("node03", "10.244.3.0/24");
    CHECK(reflection.sees_truth());
    CHECK(reflection.seen.replacements == times);
    reflection.expect_healed();
}

TEST_CASE("an event that no server sends ends the watch, and costs no node", "[k8sclient][lab][F70]")
{
    const k8s::ReflectorOptions options = GENERATE(from_range(every_way()));
    const std::string type = GENERATE("INVENTED", "added", "");
    CAPTURE(type);
    Lab lab;
    inject_event(lab, options, frame(options.encoding, type, node("stranger", "10.244.77.0/24")));
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::failed));
    REQUIRE(reflection.sees_notice(What::watching, 2));
    CHECK(reflection.sees_truth());
    reflection.expect_healed();
}

TEST_CASE("a node that is made anew under its name is that one", "[k8sclient][lab][F71][F72]")
{
    const k8s::ReflectorOptions options = GENERATE(from_range(every_way()));
    Lab lab;
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::watching));
    SECTION("in events")
    {
        lab.remove("node02");
        lab.put("node02", "10.244.9.0/24");
        CHECK(reflection.sees_truth());
        CHECK(reflection.seen.deletions == 1);
    }
    SECTION("in one event that has another uid")
    {
        lab.remake("node02", "10.244.9.0/24");
        CHECK(reflection.sees_truth());
        CHECK(reflection.seen.withdrawn == std::vector<std::string>{"node02"});
        CHECK(reflection.seen.uids == lab.truth.uids);
    }
    SECTION("while nobody looked")
    {
        lab.server->inject({.what = Fault::What::gone, .requests = Fault::Requests::watch});
        lab.restart();
        lab.remove("node02");
        lab.put("node02", "10.244.9.0/24");
        CHECK(reflection.sees_truth());
    }
    reflection.expect_healed();
}
