#include "k8sclient/encoding.h"
#include "k8sclient/reflector_policy.h"
#include "test/support/catch.h"

using namespace routelet;
using namespace routelet::test;
using namespace std::chrono_literals;
using k8s::AfterWatch;
using k8s::Failure;
using k8s::ListMode;
using k8s::WatchEnd;

namespace {

Failure failure(Failure::Why why, int code = 0, const std::string& reason = {})
{
    Failure made;
    made.why = why;
    made.status.code = code;
    made.status.reason = reason;
    return made;
}

Failure refused(int code, const std::string& reason = {})
{
    return failure(Failure::Why::refused, code, reason);
}

Failure event(int code, const std::string& reason = {})
{
    return failure(Failure::Why::event, code, reason);
}

Failure version_too_large()
{
    Failure made = refused(504, "Timeout");
    made.status.version_too_large = true;
    return made;
}

WatchEnd failed(const Failure& how, bool advanced = false)
{
    WatchEnd end;
    end.failure = how;
    end.advanced = advanced;
    return end;
}

WatchEnd closed(std::chrono::milliseconds lasted, bool advanced = false)
{
    WatchEnd end;
    end.lasted = lasted;
    end.advanced = advanced;
    return end;
}

// Asked `times` about the same end: the last answer.
AfterWatch after(k8s::WatchHistory& history, const WatchEnd& end, int times)
{
    AfterWatch answer = history.next(end);
    for (int n = 1; n < times; ++n) {
        REQUIRE(answer == AfterWatch::resume_later);
        answer = history.next(end);
    }
    return answer;
}

k8s::Refusal refusal(int code, const std::string& reason, std::string_view body)
{
    k8s::Refusal made;
    made.url = "https://10.0.0.1:6443/api/v1/nodes";
    made.origin = "kubeconfig /etc/k.yaml, context \"prod\"";
    made.code = code;
    made.reason = reason;
    made.body = body;
    return made;
}

} // namespace

TEST_CASE("each mode of a list asks for what it promises", "[k8sclient][policy]")
{
    CHECK(k8s::list_target(ListMode::not_older, "", 500, "") == "/api/v1/nodes?resourceVersion=0");
    CHECK(k8s::list_target(ListMode::not_older, "48213", 500, "") == "/api/v1/nodes?resourceVersion=48213");
    CHECK(k8s::list_target(ListMode::latest_paged, "7", 500, "") == "/api/v1/nodes?limit=500");
    CHECK(k8s::list_target(ListMode::latest_paged, "7", 2, "a+/=b") ==
          "/api/v1/nodes?limit=2&continue=a%2B%2F%3Db");
    CHECK(k8s::list_target(ListMode::latest_whole, "7", 500, "") == "/api/v1/nodes");
}

TEST_CASE("an opaque version stays what it is in a request", "[k8sclient][policy]")
{
    CHECK(k8s::list_target(ListMode::not_older, "a&limit=1 \xc3\xa9", 500, "") ==
          "/api/v1/nodes?resourceVersion=a%26limit%3D1%20%C3%A9");
    CHECK(k8s::watch_target("4&x=~", 300s) ==
          "/api/v1/nodes?watch=1&allowWatchBookmarks=true&resourceVersion=4%26x%3D~&timeoutSeconds=300");
}

TEST_CASE("a list that asks for what the server forgot is asked for in pages, then whole",
          "[k8sclient][policy]")
{
    const Failure expired = GENERATE(refused(410, "Expired"), refused(410), refused(400, "Gone"), event(410));
    REQUIRE(expired.is_expired());
    CHECK(k8s::after_list_failure(ListMode::streaming, expired) == ListMode::latest_paged);
    CHECK(k8s::after_list_failure(ListMode::not_older, expired) == ListMode::latest_paged);
    CHECK(k8s::after_list_failure(ListMode::latest_paged, expired) == ListMode::latest_whole);
    CHECK(k8s::after_list_failure(ListMode::latest_whole, expired) == ListMode::latest_whole);
}

TEST_CASE("a version that the server has yet to see is not waited for", "[k8sclient][policy]")
{
    CHECK(k8s::after_list_failure(ListMode::not_older, version_too_large()) == ListMode::latest_paged);
    CHECK_FALSE(version_too_large().is_expired());
}

TEST_CASE("a list that failed otherwise is asked for in the same way", "[k8sclient][policy]")
{
    const Failure other = GENERATE(refused(401), refused(403), refused(404), refused(429), refused(500),
                                   refused(503), refused(504, "Timeout"), failure(Failure::Why::transport),
                                   failure(Failure::Why::transport, 410, "Expired"), // cannot be the server's
                                   failure(Failure::Why::undecodable));
    const ListMode mode = GENERATE(ListMode::not_older, ListMode::latest_paged, ListMode::latest_whole);
    CHECK_FALSE(other.is_expired());
    CHECK(k8s::after_list_failure(mode, other) == mode);
}

TEST_CASE("a streaming list that is refused is followed by a plain one", "[k8sclient][policy]")
{
    const Failure refusal = GENERATE(refused(400), refused(404), refused(405), refused(422, "Invalid"),
                                     event(500), event(422), failure(Failure::Why::endless));
    CHECK(k8s::refuses_streaming(refusal));
    CHECK(k8s::after_list_failure(ListMode::streaming, refusal) == ListMode::not_older);
}

TEST_CASE("a streaming list that failed as a plain one would have is asked for again", "[k8sclient][policy]")
{
    const Failure other =
        GENERATE(refused(401), refused(403), refused(429), refused(500), refused(503), event(429), event(503),
                 failure(Failure::Why::transport), failure(Failure::Why::undecodable));
    CHECK_FALSE(k8s::refuses_streaming(other));
    CHECK(k8s::after_list_failure(ListMode::streaming, other) == ListMode::streaming);
}

TEST_CASE("a streaming list is the latest, or not older than a version", "[k8sclient][policy]")
{
    CHECK(k8s::streaming_target("", 300s) ==
          "/api/v1/nodes?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
          "&allowWatchBookmarks=true&timeoutSeconds=300");
    CHECK(k8s::streaming_target("4&x", 300s) ==
          "/api/v1/nodes?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
          "&allowWatchBookmarks=true&resourceVersion=4%26x&timeoutSeconds=300");
}

TEST_CASE("a watch that ended in good order is resumed, without a rush when it did nothing",
          "[k8sclient][policy]")
{
    k8s::WatchHistory history;
    CHECK(history.next(closed(5min, true)) == AfterWatch::resume_now);
    CHECK(history.next(closed(5min)) == AfterWatch::resume_now);
    CHECK(history.next(closed(10ms, true)) == AfterWatch::resume_now);
    CHECK(history.next(closed(10s)) == AfterWatch::resume_now);
    CHECK(history.next(closed(9'999ms)) == AfterWatch::resume_later);
    CHECK(history.next(closed(0ms)) == AfterWatch::resume_later);
}

TEST_CASE("a watch that failed on the way is resumed from its version, however often", "[k8sclient][policy]")
{
    const Failure how =
        GENERATE(failure(Failure::Why::transport), refused(401), refused(403), refused(404), refused(429),
                 refused(500), refused(503), event(401), event(403), event(429), event(503), event(504));
    k8s::WatchHistory history;
    CHECK(after(history, failed(how), 100) == AfterWatch::resume_later);
}

TEST_CASE("only a list helps when the server does not take the version", "[k8sclient][policy]")
{
    const Failure how =
        GENERATE(refused(410), event(410, "Expired"), event(0), event(400), refused(400), refused(422));
    k8s::WatchHistory history;
    CHECK(history.next(failed(how)) == AfterWatch::relist);
    CHECK(history.next(failed(how, true)) == AfterWatch::relist);
}

TEST_CASE("what cannot be decoded twice at one version is listed", "[k8sclient][policy]")
{
    const WatchEnd garbage = failed(failure(Failure::Why::undecodable));
    k8s::WatchHistory history;
    CHECK(after(history, garbage, 2) == AfterWatch::relist);
    CHECK(after(history, garbage, 2) == AfterWatch::relist); // counted anew

    CHECK(history.next(garbage) == AfterWatch::resume_later);
    CHECK(history.next(closed(1s, true)) == AfterWatch::resume_now); // another version
    CHECK(history.next(garbage) == AfterWatch::resume_later);
}

TEST_CASE("an internal error that stays is listed away after about a minute", "[k8sclient][policy]")
{
    const WatchEnd internal_error = failed(event(500, "InternalError"));
    k8s::WatchHistory history;
    CHECK(after(history, internal_error, 6) == AfterWatch::relist);
    CHECK(after(history, internal_error, 5) == AfterWatch::resume_later);
    CHECK(after(history, failed(event(500), true), 1) == AfterWatch::resume_later);
}

TEST_CASE("a watch without even a bookmark is not believed", "[k8sclient][policy]")
{
    WatchEnd silent = closed(150s);
    silent.suspiciously_silent = true;
    k8s::WatchHistory history;
    CHECK(history.next(silent) == AfterWatch::relist);
    silent.failure = failure(Failure::Why::transport);
    CHECK(history.next(silent) == AfterWatch::relist);
}

TEST_CASE("the delay doubles up to its limit, and begins anew after success", "[k8sclient][policy]")
{
    k8s::Backoff backoff(800ms, 30s);
    CHECK(backoff.is_fresh());
    for (const auto expected : {800ms, 1600ms, 3200ms, 6400ms, 12'800ms, 25'600ms, 30'000ms, 30'000ms})
        CHECK(backoff.next(1) == expected);
    CHECK_FALSE(backoff.is_fresh());
    for (int n = 0; n < 1000; ++n)
        REQUIRE(backoff.next(1) == 30s);
    backoff.reset();
    CHECK(backoff.is_fresh());
    CHECK(backoff.next(1) == 800ms);
}

TEST_CASE("jitter stretches a delay to less than its double and does not add up", "[k8sclient][policy]")
{
    k8s::Backoff backoff(1s, 30s);
    CHECK(backoff.next(1.5) == 1500ms);
    CHECK(backoff.next(1.999) == 3998ms);
    CHECK(backoff.next(1) == 4s);
}

TEST_CASE("the server's Retry-After is honoured within reason", "[k8sclient][policy]")
{
    const auto after_one = [](std::optional<std::chrono::seconds> retry_after) {
        return k8s::Backoff(800ms, 30s).next(1, retry_after);
    };
    CHECK(after_one(std::nullopt) == 800ms);
    CHECK(after_one(0s) == 1s);
    CHECK(after_one(7s) == 7s);
    CHECK(after_one(60s) == 60s);
    CHECK(after_one(86'400s) == 60s);
    CHECK(k8s::Backoff(20s, 30s).next(1.5, 5s) == 30s); // our own delay is the longer one
}

TEST_CASE("a list that lacks most nodes is doubtful, once", "[k8sclient][policy][F56]")
{
    struct Case {
        std::size_t known;
        std::size_t listed;
        bool is_doubtful;
    };
    const auto [known, listed, is_doubtful] = GENERATE(values<Case>({{0, 0, false},
                                                                     {1, 0, true},
                                                                     {3, 1, false}, // few may go at once
                                                                     {3, 0, true},
                                                                     {4, 1, true},
                                                                     {4, 2, false},
                                                                     {5000, 2499, true},
                                                                     {5000, 2500, false},
                                                                     {1, 5000, false}}));
    CAPTURE(known, listed);
    k8s::ListDoubt doubt;
    REQUIRE_FALSE((doubt.is_doubtful(known) && doubt.is_doubtful(known)));
    REQUIRE(doubt.known() == known);
    CHECK(doubt.is_doubtful(listed) == is_doubtful);
    CHECK(doubt.known() == (is_doubtful ? known : listed));
    CHECK_FALSE(doubt.is_doubtful(listed)); // it says so again
    CHECK(doubt.known() == listed);
}

TEST_CASE("a first list without a node is doubtful, since we run on one", "[k8sclient][policy][F56]")
{
    k8s::ListDoubt doubt;
    CHECK(doubt.is_doubtful(0));
    CHECK_FALSE(doubt.is_doubtful(2));
    CHECK(doubt.is_doubtful(0)); // not the second in a row
}

TEST_CASE("a list that lacks most of a doubtful one is doubtful as well", "[k8sclient][policy][F56]")
{
    k8s::ListDoubt doubt;
    CHECK_FALSE(doubt.is_doubtful(100));
    CHECK(doubt.is_doubtful(20));
    CHECK(doubt.is_doubtful(0));
    CHECK(doubt.known() == 100);
    CHECK_FALSE(doubt.is_doubtful(0));
    CHECK(doubt.known() == 0);
}

TEST_CASE("nodes that came and went since the list count", "[k8sclient][policy][F56]")
{
    k8s::ListDoubt doubt;
    for (int node = 0; node < 9; ++node)
        doubt.added();
    CHECK(doubt.known() == 10);
    for (int node = 0; node < 20; ++node)
        doubt.deleted();
    CHECK(doubt.known() == 0);
    CHECK_FALSE(doubt.is_doubtful(0));
}

TEST_CASE("expired agents list within a time that grows with the cluster", "[k8sclient][policy]")
{
    CHECK(k8s::relist_spread(0) == 0ms);
    CHECK(k8s::relist_spread(3) == 15ms);
    CHECK(k8s::relist_spread(5000) == 25s);
    CHECK(k8s::relist_spread(130'000) == 30s);
}

TEST_CASE("a refusal shows the server's words and the way out", "[k8sclient][policy]")
{
    struct Case {
        int code;
        std::string reason;
        std::string remedy;
    };
    const auto c = GENERATE(
        Case{401, "Unauthorized",
             "; the token or client certificate of kubeconfig /etc/k.yaml, context \"prod\" is not accepted, "
             "has it expired?"},
        Case{403, "Forbidden",
             "; the RBAC rule it needs: apiGroups [\"\"], resources [nodes], verbs [get, list, watch]"},
        Case{404, "Not Found", "; is this the address of a Kubernetes API server?"},
        Case{429, "Too Many Requests", ""}, Case{500, "Internal Server Error", ""});
    const std::string start =
        "GET https://10.0.0.1:6443/api/v1/nodes: " + std::to_string(c.code) + " " + c.reason;

    const Failure from_server = k8s::describe_refusal(
        refusal(c.code, c.reason, R"({"kind":"Status","code":1,"reason":"Why","message":"nodes is what"})"));
    CHECK(from_server.why == Failure::Why::refused);
    CHECK(from_server.error.text() == start + ": nodes is what" + c.remedy);
    CHECK(from_server.status.code == c.code); // of HTTP, whatever the body says
    CHECK(from_server.status.reason == "Why");

    const Failure from_proxy =
        k8s::describe_refusal(refusal(c.code, c.reason, "<html>\r\n<h1>No</h1>\x1b[31m</html>"));
    CHECK(from_proxy.error.text() == start + ": <html>  <h1>No</h1> [31m</html>" + c.remedy);
    CHECK(k8s::describe_refusal(refusal(c.code, c.reason, "")).error.text() == start + c.remedy);
}

TEST_CASE("a page with status 200 is no answer of a Kubernetes API server", "[k8sclient][policy]")
{
    const std::string other = GENERATE("text/html", "text/html; charset=utf-8", "application/js", "json",
                                       "application/json-patch+json", "application/vnd.kubernetes.protobufs");
    CHECK_FALSE(k8s::encoding_of(other));

    k8s::Refusal page = refusal(200, "OK", "<h1>Log in</h1>");
    page.content_type = other;
    const Failure failure = k8s::describe_refusal(page);
    CHECK(failure.why == Failure::Why::undecodable);
    CHECK(failure.error.text() ==
          "GET https://10.0.0.1:6443/api/v1/nodes: 200 OK: <h1>Log in</h1>; this is " + other +
              ", not JSON or protobuf: is this the address of a Kubernetes API server, or does a proxy "
              "answer for it?");
}

TEST_CASE("the encoding of an answer is what its Content-Type says", "[k8sclient][policy]")
{
    using k8s::Encoding;
    CHECK(k8s::encoding_of("application/json") == Encoding::json);
    CHECK(k8s::encoding_of("Application/JSON; charset=utf-8") == Encoding::json);
    CHECK(k8s::encoding_of("application/json;stream=watch") == Encoding::json);
    CHECK(k8s::encoding_of("") == Encoding::json);
    CHECK(k8s::encoding_of("application/vnd.kubernetes.protobuf") == Encoding::protobuf);
    CHECK(k8s::encoding_of("application/vnd.kubernetes.protobuf;stream=watch") == Encoding::protobuf);
    CHECK(k8s::accept_header(Encoding::json) == "application/json");
    CHECK(k8s::accept_header(Encoding::protobuf) == "application/vnd.kubernetes.protobuf, application/json");
}

TEST_CASE("a compressed answer, which was not asked for, says so", "[k8sclient][policy]")
{
    k8s::Refusal compressed = refusal(200, "OK", "\x1f\x8b\x08");
    compressed.content_type = "application/json";
    compressed.content_encoding = "gzip";
    CHECK(k8s::describe_refusal(compressed).error.text() ==
          "GET https://10.0.0.1:6443/api/v1/nodes: 200 OK; its content encoding is gzip, which was not asked "
          "for: does a proxy compress what it passes on?");
}

TEST_CASE("a long page is shown by its beginning", "[k8sclient][policy]")
{
    const std::string page(100'000, 'x');
    const std::string text = k8s::describe_refusal(refusal(500, "Internal Server Error", page)).error.text();
    CHECK_THAT(text, has_text(std::string(300, 'x')));
    CHECK(text.size() < 500);
}

TEST_CASE("a Status with a long message is shown by its beginning", "[k8sclient][policy]")
{
    const std::string message(100'000, 'x');
    const Failure failure =
        k8s::describe_refusal(refusal(500, "Internal Server Error", R"({"message":")" + message + "\"}"));
    CHECK(failure.status.message == message);
    CHECK_THAT(failure.error.text(), has_text(std::string(1024, 'x')));
    CHECK(failure.error.text().size() < 1200);

    const Failure ended = k8s::describe_error_event(
        {.code = 500, .reason = "InternalError", .message = std::string(2000, 'y') + "\n"});
    CHECK(ended.error.text() == "the server ended the watch: 500 InternalError: " + std::string(1024, 'y'));
    CHECK(ended.status.code == 500);
}

TEST_CASE("a Status that says too large is told from one that says too old", "[k8sclient][policy]")
{
    const Failure failure = k8s::describe_refusal(refusal(
        504, "Gateway Timeout",
        R"({"kind":"Status","reason":"Timeout","message":"Too large resource version: 9, current: 7",)"
        R"("details":{"causes":[{"reason":"ResourceVersionTooLarge","message":"Too large"}]}})"));
    CHECK(failure.status.version_too_large);
    CHECK(k8s::after_list_failure(ListMode::not_older, failure) == ListMode::latest_paged);
}
