// What may become of the patch of a Node's condition NetworkUnavailable.
#include "test/lab/writer.h"

using namespace routelet;
using namespace routelet::test;

namespace {

Fault refused_write(unsigned status, unsigned times = 1)
{
    return {
        .what = Fault::What::status, .requests = Fault::Requests::write, .times = times, .status = status};
}

Json with_condition(Json object, const std::string& status, const std::string& reason)
{
    object["status"]["conditions"] =
        Json::array({{{"type", "NetworkUnavailable"}, {"status", status}, {"reason", reason}}});
    return object;
}

} // namespace

TEST_CASE("the condition is written once, and an agent that starts again writes nothing", "[controller][lab]")
{
    Lab lab;
    {
        ConditionWriter writer(lab);
        writer.watch();
        REQUIRE(writer.sees_condition("False"));
        writer.loop.wait(2s);
    }
    CHECK(codes_of(writes_of(lab, "")) == std::vector<unsigned>{200});

    ConditionWriter again(lab);
    again.watch();
    REQUIRE(again.sees_condition("False"));
    again.loop.wait(3s);
    CHECK(writes_of(lab, "").size() == 1);
    CHECK(again.lines.empty());
}

TEST_CASE("conflicts are tried again at once", "[controller][lab][F80]")
{
    Lab lab;
    lab.server->inject(refused_write(409, 3));
    ConditionWriter writer(lab);
    writer.watch();
    CHECK(writer.sees_condition("False"));
    const auto patches = writer.patches();
    REQUIRE(codes_of(patches) == std::vector<unsigned>{409, 409, 409, 200});
    CHECK(patches[3].when - patches[0].when < 1s);
    CHECK(writer.sees_no_trouble());
}

TEST_CASE("a Node that is gone is written again once the watch tells of it", "[controller][lab][F81]")
{
    Lab lab;
    lab.server->inject(refused_write(404));
    ConditionWriter writer(lab);
    writer.watch();
    REQUIRE(writer.sees_patches(1));
    writer.loop.wait(4s);
    CHECK(writer.patches().size() == 1);
    CHECK(writer.trouble().empty()); // self-missing says it, where it is so

    lab.remove("node01");
    lab.put("node01", "10.244.1.0/24");
    CHECK(writer.sees_condition("False"));
    CHECK(codes_of(writer.patches()) == std::vector<unsigned>{404, 200});
}

TEST_CASE("a Node that was made anew meanwhile is not written under the old one's uid",
          "[controller][lab][F82]")
{
    Lab lab;
    ConditionWriter writer(lab); // whom nobody tells of the new one yet
    writer.seen.own.upsert({.name = "node01", .uid = "an-earlier-uid"});
    REQUIRE(writer.sees_patches(1));
    writer.loop.wait(4s);
    CHECK(codes_of(writer.patches()) == std::vector<unsigned>{422});
    CHECK(writer.trouble().empty());

    writer.watch();
    CHECK(writer.sees_condition("False"));
    CHECK(codes_of(writer.patches()) == std::vector<unsigned>{422, 200});
}

TEST_CASE("a patch that is wrong is told as a bug, and not repeated", "[controller][lab][F83][F84]")
{
    const unsigned code = GENERATE(415, 413, 422);
    CAPTURE(code);
    Lab lab;
    lab.server->inject(refused_write(code, 0));
    ConditionWriter writer(lab);
    writer.watch();
    REQUIRE(writer.sees_patches(1));
    writer.loop.wait(4s);
    CHECK(writer.patches().size() == 1);
    CHECK_THAT(writer.trouble(), has_text("this is a bug"));
}

TEST_CASE("who lacks the right says which, and does not ask again soon", "[controller][lab]")
{
    Lab lab;
    lab.server->inject(refused_write(403, 0));
    ConditionWriter writer(lab);
    writer.watch();
    REQUIRE(writer.sees_patches(1));
    writer.loop.wait(4s);
    CHECK(writer.patches().size() == 1);
    CHECK_THAT(writer.trouble(), has_text("resources [nodes/status], verbs [patch]"));
}

TEST_CASE("an answer that shows the Node without the condition is a failure", "[controller][lab][F85]")
{
    Lab lab;
    Json answered = node("node01", "10.244.1.0/24");
    const bool shows_another = GENERATE(false, true);
    if (shows_another)
        answered = with_condition(answered, "True", "Other");
    const std::string body = body_of(Encoding::json, answered);
    lab.server->inject({.what = Fault::What::raw,
                        .requests = Fault::Requests::write,
                        .body = response(Encoding::json, length_of(body), body)});
    ConditionWriter writer(lab);
    writer.watch();
    REQUIRE(writer.loop.sees([&] { return !writer.condition.findings().empty(); }));
    CHECK_THAT(writer.trouble(), has_text("the API server said yes, but its answer shows"));
    CHECK(writer.sees_condition("False"));
    CHECK(writer.patches().size() == 2);
    CHECK(writer.sees_no_trouble());
}

TEST_CASE("a patch whose answer is lost was made, and need not be made again", "[controller][lab][F86]")
{
    Lab lab;
    lab.server->inject({.what = Fault::What::cut, .requests = Fault::Requests::write});
    ConditionWriter writer(lab);
    writer.watch();
    CHECK(writer.sees_condition("False"));
    writer.loop.wait(4s);
    CHECK(writer.sees_no_trouble());
    CHECK(writer.patches().size() == 1);
}

TEST_CASE("a patch that did not arrive is made again", "[controller][lab][F86]")
{
    Lab lab;
    lab.server->inject({.what = Fault::What::refuse, .requests = Fault::Requests::write});
    ConditionWriter writer(lab);
    writer.watch();
    CHECK(writer.sees_condition("False"));
    CHECK(writer.patches().size() == 2);
    CHECK(writer.sees_no_trouble());
}

TEST_CASE("a server in trouble is waited for as long as it asks", "[controller][lab]")
{
    Lab lab;
    Fault busy = refused_write(429);
    busy.retry_after = "3";
    lab.server->inject(busy);
    ConditionWriter writer(lab);
    writer.watch();
    CHECK(writer.sees_condition("False"));
    const auto patches = writer.patches();
    REQUIRE(codes_of(patches) == std::vector<unsigned>{429, 200});
    CHECK(patches[1].when - patches[0].when >= 3s);
}

TEST_CASE("somebody else who overwrites the condition is corrected, and not more than every ten seconds",
          "[controller][lab][F87]")
{
    Lab lab;
    ConditionWriter writer(lab);
    writer.watch();
    REQUIRE(writer.sees_condition("False"));
    for (int i = 0; i < 5; ++i) {
        lab.put(with_condition(node("node01", "10.244.1.0/24"), "True", "SomebodyElse"));
        REQUIRE(writer.sees_condition("True"));
    }
    REQUIRE(writer.sees_condition("False", 30s));
    const auto patches = writer.patches();
    REQUIRE(codes_of(patches) == std::vector<unsigned>{200, 200});
    CHECK(patches[1].when - patches[0].when >= 10s);
    CHECK(patches[1].when - patches[0].when < 15s);
}
