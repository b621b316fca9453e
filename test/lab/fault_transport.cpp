#include "test/lab/reflection.h"

using namespace routelet;
using namespace routelet::test;

TEST_CASE("after a restart of the server the watch goes on from its version, without a list",
          "[k8sclient][lab]")
{
    Lab lab;
    Reflection reflection(lab);
    REQUIRE(reflection.sees_notice(What::watching));
    lab.server->stop();
    REQUIRE(reflection.sees_notice(What::failed, 2));
    CHECK_THAT(reflection.seen.trouble(), has_text("connecting to 127.0.0.1:"));
    CHECK(reflection.seen.nodes == both);

    lab.server->start();
    lab.put("node03", "10.244.3.0/24");
    CHECK(reflection.sees_nodes(all_three));
    CHECK(reflection.seen.replacements == 1);
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
    const auto failed = std::ranges::find(reflection.seen.notices.rbegin(), reflection.seen.notices.rend(),
                                          What::failed, &k8s::WatchNotice::what);
    CHECK(failed->retry_in < 40ms);
    CHECK(reflection.sees_nodes(all_three));
}

TEST_CASE("a body that comes byte by byte or in small chunks is read like any other", "[k8sclient][lab]")
{
    Lab lab;
    const auto how = GENERATE(Fault::What::byte_by_byte, Fault::What::chunks);
    lab.server->inject({.what = how, .times = 2, .size = 7});
    Reflection reflection(lab);
    REQUIRE(reflection.sees_notice(What::watching));
    lab.put("node03", "10.244.3.0/24");
    CHECK(reflection.sees_nodes(all_three));
    CHECK(reflection.seen.count(What::failed) == 0);
}
