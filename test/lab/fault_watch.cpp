// How a watch may end, or not begin, and how it goes on from there.
#include "test/lab/wire.h"

using namespace routelet;
using namespace routelet::test;

TEST_CASE("a version that the server has forgotten costs one new list", "[k8sclient][lab][F61]")
{
    const k8s::ReflectorOptions options = GENERATE(from_range(every_way()));
    Lab lab;
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::watching));

    lab.server->inject({.what = Fault::What::gone, .requests = Fault::Requests::watch});
    lab.restart();
    lab.put("node03", "10.244.3.0/24");
    CHECK(reflection.sees_nodes(all_three));
    REQUIRE(reflection.sees_notice(What::watching, 3)); // the second was the one that was gone
    CHECK(reflection.seen.count(What::expired) == 1);
    CHECK(reflection.seen.replacements == 2);
    reflection.expect_healed();
}

TEST_CASE("what comes before the end of a watch is applied before a new list is asked for",
          "[k8sclient][lab][F62]")
{
    const k8s::ReflectorOptions options = GENERATE(from_range(every_way()));
    Lab lab;
    inject_watching(lab, options, {.what = Fault::What::gone, .after_frames = 2});
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::watching));
    lab.put("node03", "10.244.3.0/24");
    lab.remove("node02");
    REQUIRE(reflection.sees_notice(What::expired));
    CHECK(reflection.seen.upserts == 1);
    CHECK(reflection.seen.deletions == 1);
    CHECK(reflection.sees([&] { return reflection.seen.replacements == 2; }));
    reflection.expect_healed();
}

TEST_CASE("after a compaction there is exactly one list, of what is not older", "[k8sclient][lab][F57][F61]")
{
    const k8s::ReflectorOptions options = GENERATE(from_range(every_way()));
    Lab lab;
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::watching));
    const std::string version = reflection.seen.notices.back().version;
    lab.server->inject({.what = Fault::What::refuse, .requests = Fault::Requests::connect, .times = 0});
    lab.restart();
    REQUIRE(reflection.sees_notice(What::failed, 2));
    lab.put("node03", "10.244.3.0/24");
    lab.remove("node01");
    lab.server->compact();
    lab.server->heal();

    CHECK(reflection.sees_truth());
    REQUIRE(reflection.sees_notice(What::watching, options.streaming_list ? 3 : 2));
    CHECK(reflection.seen.replacements == 2);
    // So a replica that is behind says so, and a list never goes back in time.
    CHECK_THAT(lab.targets(options.streaming_list).back(), has_text("resourceVersion=" + version));
    reflection.expect_healed();
}

TEST_CASE("an error in a watch is waited out where that helps, and listed away where not",
          "[k8sclient][lab][F63]")
{
    struct Case {
        int code;
        const char* reason;
        std::size_t lists;
    };
    const auto error = GENERATE(Case{410, "Expired", 2}, Case{410, "Gone", 2}, Case{0, "Expired", 2},
                                Case{429, "TooManyRequests", 1}, Case{500, "InternalError", 1},
                                Case{503, "ServiceUnavailable", 1}, Case{504, "Timeout", 1},
                                Case{403, "Forbidden", 1}, Case{400, "BadRequest", 2}, Case{0, "", 2});
    const k8s::ReflectorOptions options = GENERATE(from_range(every_way()));
    CAPTURE(error.code, error.reason);
    Lab lab;
    const std::string event = frame(options.encoding, "ERROR", status(error.code, error.reason));
    inject_watching(lab, options, {.what = Fault::What::garbage, .body = event});
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::watching, 2)); // the server did not close the first one
    CHECK_THAT(reflection.seen.trouble(), has_text("the server ended the watch"));
    CHECK(reflection.seen.replacements == error.lists);
    reflection.expect_healed();
}

TEST_CASE("an error whose object is no Status is one all the same", "[k8sclient][lab][F63]")
{
    const k8s::ReflectorOptions options = GENERATE(from_range(every_way()));
    Lab lab;
    const std::string event = frame(options.encoding, "ERROR", node("node01", "10.244.9.0/24"));
    inject_watching(lab, options, {.what = Fault::What::garbage, .body = event});
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::watching, 2));
    CHECK(reflection.seen.replacements == 2);
    reflection.expect_healed();
}

TEST_CASE("an internal error that comes again and again at one version is listed away",
          "[k8sclient][lab][F63]")
{
    k8s::ReflectorOptions options = GENERATE(from_range(every_way()));
    options.backoff_first = 1ms;
    options.backoff_most = 4ms;
    Lab lab;
    const std::string event = frame(options.encoding, "ERROR", status(500, "InternalError"));
    inject_watching(lab, options, {.what = Fault::What::garbage, .times = 6, .body = event});
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::watching, 7));
    CHECK(reflection.seen.replacements == 2);
    reflection.expect_healed();
}

TEST_CASE("a watch that is refused is asked for again, after a list where only that helps",
          "[k8sclient][lab][F64]")
{
    struct Case {
        unsigned code;
        std::size_t lists;
    };
    const auto refusal = GENERATE(Case{410, 2}, Case{422, 2}, Case{400, 2}, Case{429, 1}, Case{500, 1},
                                  Case{503, 1}, Case{404, 1});
    const k8s::ReflectorOptions options = GENERATE(from_range(both_encodings()));
    CAPTURE(refusal.code);
    Lab lab;
    lab.server->inject(
        {.what = Fault::What::status, .requests = Fault::Requests::watch, .status = refusal.code});
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::watching));
    CHECK(lab.lists() == refusal.lists);
    CHECK(lab.watches() == 2);
    reflection.expect_healed();
}

TEST_CASE("who may list but not watch lists once, and says which rule is missing", "[k8sclient][lab][F39]")
{
    const k8s::ReflectorOptions options = GENERATE(from_range(both_encodings()));
    Lab lab;
    lab.server->inject(
        {.what = Fault::What::status, .requests = Fault::Requests::watch, .times = 4, .status = 403});
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::failed, 4));
    CHECK_THAT(reflection.seen.trouble(), has_text("resources [nodes], verbs [get, list, watch]"));
    CHECK(reflection.seen.last(What::failed).retry_in >= 8 * options.backoff_first);
    CHECK(lab.lists() == 1);
    CHECK(reflection.seen.nodes == both);
    reflection.expect_healed();
}

TEST_CASE("watches that end at once are asked for less and less often", "[k8sclient][lab][F65]")
{
    k8s::ReflectorOptions options = GENERATE(from_range(every_way()));
    options.backoff_first = 4ms;
    options.backoff_most = 64ms;
    Lab lab;
    inject_watching(lab, options, {.what = Fault::What::end, .times = 7});
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::closed, 7));
    CHECK(reflection.seen.last(What::closed).retry_in >= 64ms);
    CHECK(reflection.seen.replacements == 1);
    reflection.expect_healed();
}

TEST_CASE("a bookmark's version is where the next watch begins", "[k8sclient][lab][F66]")
{
    k8s::ReflectorOptions options = GENERATE(from_range(both_encodings()));
    options.watch_timeout_least = 1s;
    Lab lab({.bookmark_interval = 200ms});
    // An event of version 1 right before the first bookmark: only that leads back to the server's version.
    Json early = lab.with_uid(node("node02", "10.244.2.0/24"));
    early["metadata"]["resourceVersion"] = "1";
    const std::string event = frame(options.encoding, "MODIFIED", early);
    lab.server->inject({.what = Fault::What::garbage, .requests = Fault::Requests::watch, .body = event});
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::closed));
    CHECK(reflection.seen.last(What::closed).retry_in == 0ms);
    REQUIRE(reflection.sees_notice(What::watching, 2));
    CHECK(reflection.seen.upserts == 1);
    CHECK_THAT(lab.targets(true)[1],
               has_text("resourceVersion=" + std::to_string(lab.server->version()) + "&"));
    CHECK(lab.lists() == 1);
    reflection.expect_healed();
}

TEST_CASE("a watch that the server ends goes on from its last event at once, without a list",
          "[k8sclient][lab][F66]")
{
    const k8s::ReflectorOptions options = GENERATE(from_range(every_way()));
    Lab lab;
    inject_watching(lab, options, {.what = Fault::What::end, .after_frames = 1});
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::watching));
    lab.put("node03", "10.244.3.0/24");
    REQUIRE(reflection.sees_notice(What::closed));
    CHECK(reflection.seen.last(What::closed).retry_in == 0ms);
    REQUIRE(reflection.sees_notice(What::watching, 2));
    CHECK_THAT(lab.targets(true)[1],
               has_text("resourceVersion=" + std::to_string(lab.server->version()) + "&"));
    CHECK(reflection.seen.replacements == 1);
    CHECK(reflection.seen.nodes == all_three);
    reflection.expect_healed();
}

TEST_CASE("an event that is cut is applied once, after the watch went on", "[k8sclient][lab][F67]")
{
    const bool by_reset = GENERATE(true, false);
    const k8s::ReflectorOptions options = GENERATE(from_range(every_way()));
    Lab lab;
    inject_watching(lab, options, {.what = Fault::What::cut, .after_bytes = 50, .reset = by_reset});
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::watching));
    lab.put("node03", "10.244.3.0/24");
    CHECK(reflection.sees_nodes(all_three));
    CHECK(reflection.seen.upserts == 1);
    CHECK(reflection.seen.replacements == 1);
    CHECK(lab.watches() == 2);
    reflection.expect_healed();
}

TEST_CASE("an event that is cut by the proper end of the watch is applied once", "[k8sclient][lab][F67]")
{
    const k8s::ReflectorOptions options = GENERATE(from_range(every_way()));
    Lab lab;
    inject_watching(lab, options, {.what = Fault::What::end, .after_bytes = 50});
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::watching));
    lab.put("node03", "10.244.3.0/24");
    CHECK(reflection.sees_nodes(all_three));
    CHECK_THAT(reflection.seen.trouble(), has_text("ended in the middle of an event"));
    CHECK(reflection.seen.upserts == 1);
    reflection.expect_healed();
}

TEST_CASE("a watch whose bookmarks cease is not waited for", "[k8sclient][lab][F11]")
{
    k8s::ReflectorOptions options = GENERATE(from_range(every_way()));
    options.patience.bookmark = 300ms;
    Lab lab({.bookmark_interval = 20ms});
    inject_watching(lab, options, {.what = Fault::What::silence, .after_frames = 3});
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees([&] { return lab.watches() == 1; }));
    reflection.sees([] { return false; }, 100ms); // for the bookmarks
    lab.put("node03", "10.244.3.0/24");
    CHECK(reflection.sees_nodes(all_three));
    CHECK(reflection.seen.count(What::failed) == 1);
    CHECK(reflection.seen.replacements == 1);
    reflection.expect_healed();
}

TEST_CASE("a watch that the server does not end in time is ended", "[k8sclient][lab][F11][F75]")
{
    k8s::ReflectorOptions options = GENERATE(from_range(every_way()));
    options.watch_timeout_least = 1s;
    options.patience.watch_end = 50ms;
    Lab lab;
    inject_watching(lab, options, {.what = Fault::What::silence, .after_frames = 1});
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::watching));
    lab.put("node03", "10.244.3.0/24");
    REQUIRE(reflection.sees_nodes(all_three));
    lab.remove("node03");
    CHECK(reflection.sees_truth());
    CHECK(reflection.seen.count(What::failed) == 1);
    CHECK(reflection.seen.replacements == 1);
    reflection.expect_healed();
}

TEST_CASE("a server whose store began anew is noticed by its silence, and listed", "[k8sclient][lab][F74]")
{
    k8s::ReflectorOptions options = GENERATE(from_range(every_way()));
    options.patience.bookmark = 300ms;
    Lab lab({.bookmark_interval = 20ms, .version_wait = 50ms});
    for (const char* pod_cidr : {"10.244.3.0/24", "10.244.4.0/24", "10.244.5.0/24", "10.244.6.0/24"})
        lab.put("node03", pod_cidr);
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::watching));
    reflection.sees([] { return false; }, 100ms); // for a bookmark
    lab.begin_versions_anew();
    // A real server sends none before it has reached the version that a watch began with.
    lab.server->inject({.what = Fault::What::no_bookmarks, .requests = Fault::Requests::watch, .times = 0});
    lab.remove("node02");
    CHECK(reflection.sees_truth());
    CHECK(reflection.seen.replacements == 2);
    reflection.expect_healed();
}

TEST_CASE("a head that comes late is waited for, within reason", "[k8sclient][lab][F3][F76]")
{
    k8s::ReflectorOptions options = GENERATE(from_range(both_encodings()));
    options.patience.watch_head = 300ms;
    Lab lab;
    SECTION("for a while")
    {
        lab.server->inject({.what = Fault::What::delay, .requests = Fault::Requests::watch, .delay = 100ms});
        Reflection reflection(lab, options);
        CHECK(reflection.sees_notice(What::watching));
        CHECK(reflection.seen.count(What::failed) == 0);
        reflection.expect_healed();
    }
    SECTION("not for ever")
    {
        // Once on the connection that the list has left behind, and once on a new one.
        lab.server->inject({.what = Fault::What::silence, .requests = Fault::Requests::watch, .times = 2});
        Reflection reflection(lab, options);
        REQUIRE(reflection.sees_notice(What::failed));
        CHECK_THAT(reflection.seen.trouble(), has_text("waiting for the response"));
        CHECK(reflection.sees_notice(What::watching));
        CHECK(reflection.seen.replacements == 1);
        reflection.expect_healed();
    }
}
