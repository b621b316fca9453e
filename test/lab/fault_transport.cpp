// How a connection and what HTTP sends over it may fail.
#include "test/lab/wire.h"

using namespace routelet;
using namespace routelet::test;

TEST_CASE("after an outage of the server the watch goes on from its version, without a list",
          "[k8sclient][lab][F1]")
{
    const k8s::ReflectorOptions options = GENERATE(from_range(every_way()));
    Lab lab;
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::watching));
    const std::size_t watches = lab.watches();
    lab.server->stop();
    REQUIRE(reflection.sees_notice(What::failed, 5));
    CHECK_THAT(reflection.seen.trouble(), has_text("connecting to 127.0.0.1:"));
    CHECK(reflection.seen.last(What::failed).retry_in >= options.backoff_most);
    CHECK(reflection.seen.nodes == both);

    lab.server->start();
    lab.put("node03", "10.244.3.0/24");
    CHECK(reflection.sees_truth());
    CHECK(reflection.seen.replacements == 1);
    CHECK(lab.watches() == watches + 1);
    reflection.expect_healed();
}

TEST_CASE("the waits of an outage are forgotten as soon as the server answers", "[k8sclient][lab]")
{
    Lab lab;
    Reflection reflection(lab);
    REQUIRE(reflection.sees_notice(What::watching));
    lab.server->stop();
    REQUIRE(reflection.sees_notice(What::failed, 6));
    CHECK(reflection.seen.notices.back().retry_in >= 200ms);

    lab.server->inject({.what = Fault::What::garbage, .requests = Fault::Requests::watch});
    lab.server->start();
    REQUIRE(reflection.sees_notice(What::watching, 2));
    const std::size_t failures = reflection.seen.count(What::failed);
    lab.put("node03", "10.244.3.0/24"); // what the garbage comes with
    REQUIRE(reflection.sees_notice(What::failed, failures + 1));
    CHECK_THAT(reflection.seen.trouble(), has_text("not valid JSON"));
    CHECK(reflection.seen.last(What::failed).retry_in < 40ms);
    CHECK(reflection.sees_nodes(all_three));
}

TEST_CASE("a body that comes byte by byte or in small chunks is read like any other", "[k8sclient][lab][F41]")
{
    const k8s::ReflectorOptions options = GENERATE(from_range(every_way()));
    const auto how = GENERATE(Fault::What::byte_by_byte, Fault::What::chunks);
    Lab lab;
    lab.server->inject({.what = how, .times = 2, .size = 7});
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::watching));
    lab.put("node03", "10.244.3.0/24");
    CHECK(reflection.sees_truth());
    CHECK(reflection.seen.count(What::failed) == 0);
    reflection.expect_healed();
}

TEST_CASE("a body that trickles in is not waited for to its end", "[k8sclient][lab][F19]")
{
    k8s::ReflectorOptions options = GENERATE(from_range(both_encodings()));
    options.patience.whole_list = 200ms;
    Lab lab;
    lab.server->inject({.what = Fault::What::byte_by_byte, .requests = Fault::Requests::list, .delay = 20ms});
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::failed));
    CHECK(reflection.seen.replacements == 0);
    CHECK(reflection.sees_truth());
    reflection.expect_healed();
}

TEST_CASE("a list whose head or rest does not come is not waited for", "[k8sclient][lab][F3]")
{
    k8s::ReflectorOptions options = GENERATE(from_range(every_way()));
    options.patience.list = 200ms;
    options.patience.watch_head = 200ms;
    Lab lab;
    SECTION("its head")
    {
        lab.server->inject({.what = Fault::What::silence});
    }
    SECTION("its rest")
    {
        lab.server->inject({.what = Fault::What::silence, .after_bytes = 100});
    }
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::failed));
    CHECK(reflection.seen.replacements == 0);
    CHECK(reflection.sees_truth());
    reflection.expect_healed();
}

TEST_CASE("a head that is cut is an answer that did not come", "[k8sclient][lab][F4]")
{
    const k8s::ReflectorOptions options = GENERATE(from_range(both_encodings()));
    const auto ending = GENERATE(Fault::Ending::reset, Fault::Ending::fin, Fault::Ending::goodbye);
    Lab lab;
    lab.server->inject(raw_list("HTTP/1.1 200 OK\r\nContent-Ty", ending));
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::failed));
    CHECK_THAT(reflection.seen.trouble(), has_text("waiting for the response"));
    CHECK(reflection.sees_truth());
    reflection.expect_healed();
}

TEST_CASE("a connection that the server gave up meanwhile costs a new one, and no failure",
          "[k8sclient][lab][F12][F13]")
{
    const k8s::ReflectorOptions options = GENERATE(from_range(both_encodings()));
    const auto ending = GENERATE(Fault::Ending::reset, Fault::Ending::fin, Fault::Ending::goodbye);
    const std::string announced = GENERATE("", "Connection: close\r\n");
    CAPTURE(announced);
    Lab lab;
    const std::string list = list_of_both(options.encoding, lab);
    // A reset may overtake the bytes before it, which are then lost.
    const std::string head = announced + length_of(list);
    if (ending != Fault::Ending::reset)
        lab.server->inject(raw_list(response(options.encoding, head, list), ending));
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::watching));
    CHECK(reflection.seen.count(What::failed) == 0);
    CHECK(lab.lists() == 1);
    reflection.expect_healed();
}

TEST_CASE("a body may end with the connection, if that ends in good order", "[k8sclient][lab][F16]")
{
    const k8s::ReflectorOptions options = GENERATE(from_range(both_encodings()));
    const std::string first_line = GENERATE("HTTP/1.0 200 OK", "HTTP/1.1 200 OK");
    Lab lab;
    const std::string list = list_of_both(options.encoding, lab);
    const std::string whole = response(options.encoding, "", list, first_line);
    SECTION("it does")
    {
        lab.server->inject(raw_list(whole));
        Reflection reflection(lab, options);
        CHECK(reflection.sees_truth());
        CHECK(reflection.seen.count(What::failed) == 0);
        reflection.expect_healed();
    }
    SECTION("anybody may have ended it")
    {
        lab.server->inject(raw_list(whole, Fault::Ending::fin));
        Reflection reflection(lab, options);
        REQUIRE(reflection.sees_notice(What::failed));
        CHECK(reflection.seen.replacements == 0);
        CHECK(reflection.sees_truth());
        reflection.expect_healed();
    }
}

TEST_CASE("many headers are no harm, and too many are refused", "[k8sclient][lab][F17]")
{
    const k8s::ReflectorOptions options = GENERATE(from_range(both_encodings()));
    Lab lab;
    const std::string list = list_of_both(options.encoding, lab);
    std::string headers = length_of(list);
    SECTION("five hundred")
    {
        for (int i = 0; i < 500; ++i)
            headers += "X-Header-" + std::to_string(i) + ": a value\r\n";
        lab.server->inject(raw_list(response(options.encoding, headers, list)));
        Reflection reflection(lab, options);
        CHECK(reflection.sees_truth());
        CHECK(reflection.seen.count(What::failed) == 0);
        reflection.expect_healed();
    }
    SECTION("one of 70 KB")
    {
        headers += "X-Header: " + std::string(70'000, 'x') + "\r\n";
        lab.server->inject(raw_list(response(options.encoding, headers, list)));
        Reflection reflection(lab, options);
        REQUIRE(reflection.sees_notice(What::failed));
        CHECK_THAT(reflection.seen.trouble(), has_text("header limit exceeded"));
        CHECK(reflection.sees_truth());
        reflection.expect_healed();
    }
}

TEST_CASE("interim responses are passed over", "[k8sclient][lab][F18]")
{
    const k8s::ReflectorOptions options = GENERATE(from_range(both_encodings()));
    Lab lab;
    const std::string list = list_of_both(options.encoding, lab);
    lab.server->inject(raw_list("HTTP/1.1 100 Continue\r\n\r\n"
                                "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n" +
                                response(options.encoding, length_of(list), list)));
    Reflection reflection(lab, options);
    CHECK(reflection.sees_truth());
    CHECK(reflection.seen.count(What::failed) == 0);
    reflection.expect_healed();
}

TEST_CASE("another success than 200 is none, and nobody is sent elsewhere with our token",
          "[k8sclient][lab][F18]")
{
    const k8s::ReflectorOptions options = GENERATE(from_range(both_encodings()));
    Lab lab;
    Lab elsewhere;
    const std::string first_line =
        GENERATE("HTTP/1.1 204 No Content", "HTTP/1.1 206 Partial Content", "HTTP/1.1 301 Moved Permanently",
                 "HTTP/1.1 307 Temporary Redirect");
    CAPTURE(first_line);
    const bool has_body = first_line.find("204") == std::string::npos;
    const std::string body = has_body ? list_of_both(options.encoding, lab) : "";
    const std::string headers = "Location: " + elsewhere.server->url() + "/api/v1/nodes\r\n" +
                                (has_body ? length_of(body) : std::string());
    lab.server->inject(raw_list(response(options.encoding, headers, body, first_line)));
    Reflection reflection(lab, options);
    REQUIRE(reflection.sees_notice(What::failed));
    CHECK_THAT(reflection.seen.trouble(), has_text(first_line.substr(std::string("HTTP/1.1 ").size())));
    CHECK(reflection.seen.replacements == 0);
    CHECK(reflection.sees_truth());
    CHECK(elsewhere.server->requests().empty());
    reflection.expect_healed();
}
