#include "test/lab/reflection.h"

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

TEST_CASE("a page that comes too late costs a list in one piece, and no node", "[k8sclient][lab]")
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

TEST_CASE("a page of a proxy with status 200 is no list and no watch", "[k8sclient][lab]")
{
    Lab lab;
    const auto requests = GENERATE(Fault::Requests::list, Fault::Requests::watch);
    lab.server->inject({.what = Fault::What::content_type, .requests = requests});
    Reflection reflection(lab, quick());
    REQUIRE(reflection.sees_notice(What::failed));
    CHECK_THAT(reflection.seen.trouble(), has_text("this is text/html, not JSON"));
    CHECK_THAT(reflection.seen.trouble(), has_text("does a proxy answer for it?"));
    CHECK(reflection.sees_nodes(both));
    REQUIRE(reflection.sees_notice(What::watching));
    CHECK(reflection.seen.replacements == 1);
}

TEST_CASE("a list that is cut is not acted on", "[k8sclient][lab]")
{
    Lab lab;
    const bool by_reset = GENERATE(true, false);
    lab.server->inject(
        {.what = Fault::What::cut, .requests = Fault::Requests::list, .after_bytes = 200, .reset = by_reset});
    Reflection reflection(lab);
    REQUIRE(reflection.sees_notice(What::failed));
    CHECK(reflection.seen.replacements == 0);
    CHECK(reflection.sees_nodes(both));
    CHECK(reflection.seen.replacements == 1);
}

TEST_CASE("a busy server is left alone as long as it asks for", "[k8sclient][lab]")
{
    Lab lab;
    lab.server->inject({.what = Fault::What::status,
                        .requests = Fault::Requests::list,
                        .status = 429,
                        .retry_after = "1",
                        .body = "Too many requests, please try again later.",
                        .content_type = "text/plain"});
    Reflection reflection(lab);
    REQUIRE(reflection.sees_notice(What::failed));
    CHECK(reflection.seen.notices[0].retry_in >= 1s);
    CHECK_THAT(reflection.seen.trouble(), has_text("429 Too Many Requests: Too many requests, please"));
    CHECK(reflection.sees_nodes(both));
}
