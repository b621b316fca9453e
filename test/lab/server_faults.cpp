#include "test/lab/fault.h"
#include "test/lab/refusal.h"
#include "test/support/catch.h"

using namespace routelet::lab;
using What = Fault::What;
using Then = Step::Then;

namespace {

Frame event(std::string text)
{
    return {.what = Frame::What::event, .text = std::move(text)};
}

// All that a body stage sends of these frames, and how it ends.
struct Sent {
    std::vector<std::string> pieces;
    Then end = Then::go_on;
    friend bool operator==(const Sent&, const Sent&) = default;
};

Sent sent(const Fault& fault, const std::vector<Frame>& frames)
{
    BodyStage stage(fault);
    std::vector<Step> steps = stage.begin();
    for (const Frame& frame : frames)
        for (Step& step : stage.pass(frame))
            steps.push_back(std::move(step));
    Sent all;
    for (const Step& step : steps) {
        if (!step.bytes.empty())
            all.pieces.push_back(step.bytes);
        all.end = step.then;
        if (step.then != Then::go_on)
            return all;
    }
    return all;
}

} // namespace

TEST_CASE("a fault strikes in the middle of a body, exactly where it was told to", "[lab][fault]")
{
    const std::vector<Frame> frames = {event("one\n"), event("two\n")};
    CHECK(sent({.what = What::cut}, frames) == Sent{{}, Then::reset});
    CHECK(sent({.what = What::cut, .after_bytes = 5, .reset = false}, frames) ==
          Sent{{"one\n", "t"}, Then::close});
    CHECK(sent({.what = What::cut, .after_frames = 1}, frames) == Sent{{"one\n"}, Then::reset});
    CHECK(sent({.what = What::cut, .after_frames = 1, .after_bytes = 2}, frames) ==
          Sent{{"one\n", "tw"}, Then::reset});
    CHECK(sent({.what = What::silence, .after_frames = 2}, frames) == Sent{{"one\n", "two\n"}, Then::stall});
    CHECK(sent({.what = What::garbage, .after_bytes = 2, .body = "??"}, frames) ==
          Sent{{"on", "??", "e\n", "two\n"}, Then::go_on});
}

TEST_CASE("a watch can be told that its version is gone, after some events", "[lab][fault]")
{
    const Sent result = sent({.what = What::gone, .after_frames = 1}, {event("one\n"), event("two\n")});
    REQUIRE(result.pieces.size() == 2);
    CHECK_THAT(result.pieces[1], routelet::test::has_text(R"("code":410)"));
    CHECK(result.end == Then::end);
}

TEST_CASE("a body can come in any pieces, and events twice", "[lab][fault]")
{
    const Frame bookmark{.what = Frame::What::bookmark, .text = "B\n"};
    CHECK(sent({.what = What::chunks, .size = 3}, {event("12345678")}) ==
          Sent{{"123", "456", "78"}, Then::go_on});
    CHECK(sent({.what = What::byte_by_byte}, {event("123")}) == Sent{{"1", "2", "3"}, Then::go_on});
    CHECK(sent({.what = What::duplicate}, {event("e\n"), bookmark}) ==
          Sent{{"e\n", "e\n", "B\n"}, Then::go_on});
    CHECK(sent({.what = What::no_bookmarks}, {event("e\n"), bookmark}) == Sent{{"e\n"}, Then::go_on});
}

TEST_CASE("a list of faults is a script: each strikes as often as it says, the first that fits",
          "[lab][fault]")
{
    FaultList faults;
    faults.add({.what = What::cut, .requests = Fault::Requests::watch, .times = 2});
    faults.add({.what = What::silence, .times = 0});

    CHECK(faults.strike(Fault::Requests::watch)->what == What::cut);
    CHECK(faults.strike(Fault::Requests::list)->what == What::silence);
    CHECK(faults.strike(Fault::Requests::watch)->what == What::cut);
    CHECK(faults.strike(Fault::Requests::watch)->what == What::silence);
    CHECK_FALSE(faults.strike(Fault::Requests::connect));
    faults.clear();
    CHECK_FALSE(faults.strike(Fault::Requests::list));

    faults.add({.what = What::cut, .requests = Fault::Requests::write, .target = "/events"});
    CHECK_FALSE(faults.strike(Fault::Requests::write, "/api/v1/nodes/node01/status"));
    CHECK(faults.strike(Fault::Requests::write, "/api/v1/namespaces/default/events")->what == What::cut);
}

TEST_CASE("a fault reads as it is written", "[lab][fault]")
{
    const Fault fault{.what = What::status,
                      .requests = Fault::Requests::list,
                      .target = "/nodes",
                      .times = 3,
                      .status = 429,
                      .retry_after = "1",
                      .body = "slow down"};
    CHECK(to_json(fault_from_json(to_json(fault))) == to_json(fault));
    CHECK_THROWS_AS(fault_from_json(Json::parse(R"({"what":"earthquake"})")), Refusal);
    CHECK_THROWS_AS(fault_from_json(Json::parse(R"({"what":"cut","times":"x"})")), Refusal);
    CHECK_THROWS_AS(fault_from_json(Json::parse("[]")), Refusal);
}

TEST_CASE("a reply is disturbed as a whole", "[lab][fault]")
{
    const Reply good{.body = R"({"kind":"NodeList","metadata":{"resourceVersion":"7"},"items":[{"a":[]}]})"};
    CHECK(disturbed(Fault{.what = What::content_type}, good).content_type == "text/html");
    CHECK(disturbed(Fault{.what = What::gone}, good).status == 410);
    const Reply refused = disturbed(Fault{.what = What::status, .status = 429, .retry_after = "1"}, good);
    CHECK(refused.status == 429);
    CHECK(refused.retry_after == "1");
    CHECK(Json::parse(refused.body).at("code") == 429);
}
