// How a list may come, or not come, and that nothing is done by what is not a whole list.
#include "test/lab/wire.h"

using namespace routelet;
using namespace routelet::test;

namespace {

k8s::ReflectorOptions in_pages_of_two()
{
    k8s::ReflectorOptions options = quick();
    options.page_size = 2;
    return options;
}

} // namespace

TEST_CASE("a list that the server cannot give from memory comes in pages", "[k8sclient][lab]")
{
    Lab lab;
    for (const std::string name : {"node03", "node04", "node05"})
        lab.put(name, "10.244." + name.substr(5) + ".0/24");
    Reflection reflection(lab, in_pages_of_two());
    REQUIRE(reflection.sees_notice(What::watching));
    REQUIRE(reflection.seen.nodes.size() == 5);

    lab.server->inject({.what = Fault::What::refuse, .requests = Fault::Requests::connect, .times = 0});
    lab.restart();
    REQUIRE(reflection.sees_notice(What::failed, 2));
    lab.remove("node05");
    lab.put("node06", "10.244.6.0/24");
    lab.server->compact();
    lab.server->heal();
    lab.server->inject({.what = Fault::What::gone, .requests = Fault::Requests::list});

    const Table expected = {{"node01", "10.244.1.0/24"},
                            {"node02", "10.244.2.0/24"},
                            {"node03", "10.244.3.0/24"},
                            {"node04", "10.244.4.0/24"},
                            {"node06", "10.244.6.0/24"}};
    CHECK(reflection.sees_nodes(expected));
    REQUIRE(reflection.sees_notice(What::watching, 2));
    CHECK(reflection.seen.replacements == 2);
    CHECK(reflection.seen.count(What::expired) == 2); // of the watch, and of the list
    const std::vector<std::string> lists = lab.targets(false);
    REQUIRE(lists.size() == 5); // the first, the one that is gone, and three pages
    CHECK(lists[2] == "/api/v1/nodes?limit=2");
    CHECK_THAT(lists[3], has_text("/api/v1/nodes?limit=2&continue="));
    CHECK_THAT(lists[4], has_text("/api/v1/nodes?limit=2&continue="));
}

TEST_CASE("a page that comes too late costs a list in one piece, and no node", "[k8sclient][lab][F48]")
{
    Lab lab;
    lab.put("node03", "10.244.3.0/24");
    lab.server->inject({.what = Fault::What::gone, .requests = Fault::Requests::list});
    lab.server->inject(
        {.what = Fault::What::chunks, .requests = Fault::Requests::list, .size = 100}); // no harm
    lab.server->inject({.what = Fault::What::gone, .requests = Fault::Requests::list});
    Reflection reflection(lab, in_pages_of_two());
    CHECK(reflection.sees_nodes(all_three));
    CHECK(reflection.seen.replacements == 1);
    const std::vector<std::string> lists = lab.targets(false);
    REQUIRE(lists.size() == 4);
    CHECK(lists[1] == "/api/v1/nodes?limit=2");
    CHECK_THAT(lists[2], has_text("/api/v1/nodes?limit=2&continue="));
    CHECK(lists[3] == "/api/v1/nodes");
}

TEST_CASE("the same page for ever is given up, and listed in another way later", "[k8sclient][lab][F49]")
{
    const k8s::ReflectorOptions options = GENERATE(from_range(both_encodings()));
    Lab lab;
    lab.server->inject({.what = Fault::What::gone, .requests = Fault::Requests::list});
    const std::string page = list_of_both(options.encoding, lab, "round and round");
    for (int times = 0; times < 2; ++times)
        lab.server->inject(raw_list(response(options.encoding, length_of(page), page)));
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::failed));
    CHECK_THAT(reflection.seen.trouble(), has_text("the pages of the list of nodes have no end"));
    CHECK(reflection.sees_truth());
    CHECK(reflection.seen.replacements == 1);
    reflection.expect_healed();
}

TEST_CASE("a page of a proxy with status 200 is no list and no watch", "[k8sclient][lab][F54]")
{
    k8s::ReflectorOptions options = GENERATE(from_range(both_encodings()));
    options.patience.refusal = 50ms;
    const auto requests = GENERATE(Fault::Requests::list, Fault::Requests::watch);
    Lab lab;
    lab.server->inject({.what = Fault::What::content_type, .requests = requests});
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::failed));
    CHECK_THAT(reflection.seen.trouble(), has_text("this is text/html, not JSON"));
    CHECK_THAT(reflection.seen.trouble(), has_text("does a proxy answer for it?"));
    REQUIRE(reflection.sees_notice(What::watching));
    CHECK(reflection.seen.replacements == 1);
    reflection.expect_healed();
}

TEST_CASE("what says that it is something else is no list", "[k8sclient][lab][F53][F54]")
{
    const k8s::ReflectorOptions options = GENERATE(from_range(both_encodings()));
    const bool is_json = options.encoding == Encoding::json;
    Lab lab;
    std::string body;
    SECTION("a failure")
    {
        body = body_of(options.encoding, status(500, "InternalError"));
    }
    SECTION("another kind of list")
    {
        body = is_json
                   ? R"({"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"9"},"items":[]})"
                   : lab::protobuf_body("PodList", std::string("\x0a\x03\x12\x01"
                                                               "9",
                                                               5));
    }
    SECTION("a list of no version")
    {
        body = list_of(options.encoding, "", {});
    }
    SECTION("nothing")
    {
        body = "";
    }
    lab.server->inject(raw_list(response(options.encoding, length_of(body), body)));
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::failed));
    CHECK(reflection.seen.replacements == 0);
    CHECK(reflection.sees_truth());
    reflection.expect_healed();
}

TEST_CASE("a list that is cut is not acted on, wherever and however it is cut", "[k8sclient][lab][F5][F6]")
{
    const k8s::ReflectorOptions options = GENERATE(from_range(both_encodings()));
    const auto ending = GENERATE(Fault::Ending::reset, Fault::Ending::fin, Fault::Ending::goodbye);
    const double part = GENERATE(0.0, 0.5, 1.0);
    CAPTURE(part);
    Lab lab;
    const std::string list = list_of_both(options.encoding, lab);
    const std::string begun = list.substr(0, static_cast<std::size_t>(part * double(list.size())));
    SECTION("a list in chunks, whose last one does not come")
    {
        const std::string body = begun.empty() ? "" : chunk(begun);
        lab.server->inject(
            raw_list(response(options.encoding, "Transfer-Encoding: chunked\r\n", body), ending));
    }
    SECTION("a list whose length is known")
    {
        const std::string length = "Content-Length: " + std::to_string(list.size() + 1) + "\r\n";
        lab.server->inject(raw_list(response(options.encoding, length, begun), ending));
    }
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::failed));
    CHECK_THAT(reflection.seen.trouble(), has_text("the response was cut short"));
    CHECK(reflection.seen.replacements == 0);
    CHECK(reflection.sees_truth());
    CHECK(reflection.seen.replacements == 1);
    reflection.expect_healed();
}

TEST_CASE("a list that lacks its end, in a response that does not, is not acted on", "[k8sclient][lab][F7]")
{
    const k8s::ReflectorOptions options = GENERATE(from_range(both_encodings()));
    Lab lab;
    const std::string list = list_of_both(options.encoding, lab);
    // In protobuf what is behind the list's message may be missing: it says nothing.
    const std::size_t size = GENERATE_COPY(list.size() - 7, list.size() / 2, 1);
    CAPTURE(size, list.size());
    const std::string body = chunk(list.substr(0, size)) + "0\r\n\r\n";
    lab.server->inject(raw_list(response(options.encoding, "Transfer-Encoding: chunked\r\n", body)));
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::failed));
    CHECK(reflection.seen.replacements == 0);
    CHECK(reflection.sees_truth());
    reflection.expect_healed();
}

TEST_CASE("a compressed list, which was not asked for, is refused by name", "[k8sclient][lab][F8][F55]")
{
    const k8s::ReflectorOptions options = GENERATE(from_range(both_encodings()));
    Lab lab;
    const std::string zipped = "\x1f\x8b\x08 and so on";
    lab.server->inject(
        raw_list(response(options.encoding, "Content-Encoding: gzip\r\n" + length_of(zipped), zipped)));
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::failed));
    CHECK_THAT(reflection.seen.trouble(), has_text("its content encoding is gzip"));
    CHECK(reflection.sees_truth());
    reflection.expect_healed();
}

TEST_CASE("a list may come in one piece or byte by byte, in any order", "[k8sclient][lab][F40][F41][F44]")
{
    const k8s::ReflectorOptions options = GENERATE(from_range(both_encodings()));
    Lab lab;
    Json first = node("node02", "10.244.2.0/24");
    Json last = node("node01", "10.244.1.0/24");
    first["metadata"]["resourceVersion"] = "900";
    last["metadata"]["resourceVersion"] = "1";
    const std::string version = std::to_string(lab.server->version());
    const std::string list = list_of(options.encoding, version, {first, last});
    std::string body;
    SECTION("in one chunk")
    {
        body = chunk(list);
    }
    SECTION("a byte a chunk")
    {
        for (const char c : list)
            body += chunk(std::string(1, c));
    }
    lab.server->inject(
        raw_list(response(options.encoding, "Transfer-Encoding: chunked\r\n", body + "0\r\n\r\n")));
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::watching));
    CHECK(reflection.seen.nodes == both);
    // The list's own version, and no node's.
    CHECK_THAT(lab.targets(true)[0], has_text("resourceVersion=" + version + "&"));
    CHECK(reflection.seen.count(What::failed) == 0);
    reflection.expect_healed();
}

TEST_CASE("a hundred thousand nodes are a list like any other", "[k8sclient][lab][F42]")
{
    const k8s::ReflectorOptions options = GENERATE(from_range(both_encodings()));
    constexpr int count = 100'000;
    Lab lab;
    std::vector<Json> nodes;
    for (int number = 0; number < count; ++number)
        nodes.push_back(lab.with_uid(node("node" + std::to_string(number), "10.244.1.0/24")));
    for (const Json& one : nodes)
        lab.truth.states.insert({one["metadata"]["name"], "10.244.1.0/24"});
    const std::string body = list_of(options.encoding, std::to_string(lab.server->version()), nodes);
    lab.server->inject(raw_list(response(options.encoding, length_of(body), body)));
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::watching));
    CHECK(reflection.seen.nodes.size() == count);
    CHECK(reflection.seen.wrong == std::vector<std::string>{});
}

TEST_CASE("a node that grows too large stays what it was, and stops no other", "[k8sclient][lab][F43]")
{
    const k8s::ReflectorOptions options = GENERATE(from_range(every_way()));
    Lab lab;
    const std::size_t size = GENERATE(1'500'000, 5'000'000);
    CAPTURE(size);
    Json large = node("node02", "10.244.2.0/24");
    large["metadata"]["annotations"] = {{"example.com/large", std::string(size, 'x')}};
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::watching));
    lab.put(large); // as an event
    lab.put("node03", "10.244.3.0/24");
    CHECK(reflection.sees_truth());
    CHECK(reflection.seen.upserts == 2);

    lab.server->inject({.what = Fault::What::gone, .requests = Fault::Requests::watch}); // as one of a list
    lab.restart();
    CHECK(reflection.sees([&] { return reflection.seen.replacements == 2; }));
    CHECK(reflection.seen.nodes == all_three);
    reflection.expect_healed();
}

TEST_CASE("a version that the server has yet to reach is not insisted on", "[k8sclient][lab][F50]")
{
    const k8s::ReflectorOptions options = GENERATE(from_range(both_encodings()));
    Lab lab;
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::watching));
    Json too_large = status(504, "Timeout", "Too large resource version: 900, current: 800");
    too_large["details"] = {{"causes", {{{"reason", "ResourceVersionTooLarge"}, {"message", "Too large"}}}}};
    lab.server->inject({.what = Fault::What::gone, .requests = Fault::Requests::watch});
    lab.server->inject({.what = Fault::What::status,
                        .requests = Fault::Requests::list,
                        .status = 504,
                        .retry_after = "1",
                        .body = body_of(options.encoding, too_large),
                        .content_type = content_type(options.encoding)});
    lab.restart();
    REQUIRE(reflection.sees([&] { return reflection.seen.replacements == 2; }));
    CHECK_THAT(lab.targets(false)[1], has_text("?resourceVersion="));
    CHECK(lab.targets(false)[2] == "/api/v1/nodes?limit=500"); // of any version, the server's latest
    reflection.expect_healed();
}

TEST_CASE("a busy server is left alone as long as it asks for", "[k8sclient][lab][F51]")
{
    const k8s::ReflectorOptions options = GENERATE(from_range(every_way()));
    Lab lab;
    lab.server->inject({.what = Fault::What::status,
                        .status = 429,
                        .retry_after = "1",
                        .body = "Too many requests, please try again later.",
                        .content_type = "text/plain"});
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::failed));
    CHECK(reflection.seen.notices[0].retry_in >= 1s);
    CHECK_THAT(reflection.seen.trouble(), has_text("429 Too Many Requests: Too many requests, please"));
    CHECK(reflection.sees_truth());
    reflection.expect_healed();
}

TEST_CASE("a refusal by the server or by a proxy before it is shown and waited out",
          "[k8sclient][lab][F20][F38][F52]")
{
    struct Case {
        unsigned code;
        const char* shown;
    };
    const auto refusal =
        GENERATE(Case{500, "500 Internal Server Error: <h1>"}, Case{502, "502 Bad Gateway: <h1>"},
                 Case{503, "503 Service Unavailable: <h1>"}, Case{504, "504 Gateway Timeout: <h1>"},
                 Case{407, "407 Proxy Authentication Required: <h1>"},
                 Case{403, "resources [nodes], verbs [get, list, watch]"});
    const k8s::ReflectorOptions options = GENERATE(from_range(every_way()));
    CAPTURE(refusal.code);
    Lab lab;
    lab.server->inject({.what = Fault::What::status,
                        .times = 3,
                        .status = refusal.code,
                        .body = "<h1>an error page</h1>" + std::string(5000, ' ') + "<!-- much more -->"});
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::failed, 3));
    CHECK_THAT(reflection.seen.trouble(), has_text(refusal.shown));
    CHECK_THAT(reflection.seen.trouble(), !has_text("much more"));
    CHECK(reflection.seen.last(What::failed).retry_in >= 4 * options.backoff_first);
    CHECK(reflection.sees_truth());
    CHECK(reflection.seen.replacements == 1);
    reflection.expect_healed();
}

TEST_CASE("a list that has lost all nodes costs none of them", "[k8sclient][lab][F56]")
{
    const k8s::ReflectorOptions options = GENERATE(from_range(every_way()));
    Lab lab;
    SECTION("when nodes were known before")
    {
        Reflection reflection(lab, options);
        REQUIRE(reflection.sees_notice(What::watching));
        lab.server->inject({.what = Fault::What::gone, .requests = Fault::Requests::watch});
        lab.server->inject({.what = Fault::What::empty_list});
        lab.restart();
        REQUIRE(reflection.sees_notice(What::doubtful));
        CHECK(reflection.seen.last(What::doubtful).nodes == 0);
        CHECK(reflection.seen.last(What::doubtful).known == both.size());
        CHECK(reflection.seen.nodes == both);
        reflection.expect_healed();
        CHECK(reflection.seen.count(What::doubtful) == 1);
        CHECK(reflection.seen.withdrawn == std::vector<std::string>{"healed"});
    }
    SECTION("when it is the first list")
    {
        lab.server->inject({.what = Fault::What::empty_list});
        Reflection reflection(lab, options);
        REQUIRE(reflection.sees_notice(What::doubtful));
        CHECK(reflection.seen.replacements == 0);
        CHECK(reflection.sees_truth());
        reflection.expect_healed();
    }
}

TEST_CASE("nodes that are gone in two lists are gone", "[k8sclient][lab][F56]")
{
    Lab lab;
    for (int number = 3; number <= 8; ++number)
        lab.put("node0" + std::to_string(number), "10.244." + std::to_string(number) + ".0/24");
    Reflection reflection(lab, GENERATE(from_range(every_way())));
    REQUIRE(reflection.sees_notice(What::watching));

    lab.server->stop();
    for (int number = 1; number <= 6; ++number)
        lab.remove("node0" + std::to_string(number));
    lab.server->compact();
    lab.server->start();
    CHECK(reflection.sees_truth());
    CHECK(reflection.seen.count(What::doubtful) == 1);
    CHECK(reflection.seen.last(What::doubtful).nodes == 2);
    CHECK(reflection.seen.last(What::doubtful).known == 8);
    CHECK(lab.targets(false).back().find("resourceVersion=") == std::string::npos);
    reflection.expect_healed();
}
