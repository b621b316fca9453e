// What a network does to a write, in a network namespace of the test's own.
#include "test/lab/writer.h"
#include "test/support/netns_fixture.h"

using namespace routelet;
using namespace routelet::test;

TEST_CASE_METHOD(NetnsFixture, "a patch whose packets are lost is noticed within 35 seconds, and made again",
                 "[kernel][controller][F10]")
{
    Lab lab;
    ConditionWriter writer(lab);
    writer.watch();
    REQUIRE(writer.loop.sees([&] { return !writer.seen.own.state().uid.empty(); }));
    // The server has it all before it begins to think, and the network is gone before it answers.
    lab.server->inject({.what = Fault::What::delay, .requests = Fault::Requests::write, .delay = 1s});
    REQUIRE(writer.loop.sees([&] { return writer.patches().size() == 1; }));
    run("nft 'table inet lost { chain input { type filter hook input priority 0; iifname lo drop; }; }'");
    const auto lost = std::chrono::steady_clock::now();
    REQUIRE(writer.loop.sees([&] { return !writer.condition.findings().empty(); }, 60s));
    CHECK(std::chrono::steady_clock::now() - lost < 35s);
    CHECK_THAT(writer.trouble(), has_text("/api/v1/nodes/node01/status"));
    CHECK(writer.seen.own.state().network_unavailable.status.empty());

    run("nft delete table inet lost");
    CHECK(writer.sees_condition("False", 60s));
    CHECK(writer.loop.sees([&] { return writer.condition.findings().empty(); }, 60s));
    CHECK(writer.patches().size() <= 2); // when the watch shows it first, once is enough
}
