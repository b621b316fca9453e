#include "base/rfc3339.h"
#include "test/support/catch.h"

using namespace routelet;
using namespace std::chrono_literals;
using Time = std::chrono::system_clock::time_point;

TEST_CASE("a time is written in UTC, its fraction cut off", "[rfc3339]")
{
    struct Case {
        std::chrono::milliseconds since_epoch;
        std::string seconds;
        std::string milliseconds;
    };
    const auto c = GENERATE(Case{0ms, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"},
                            Case{1'709'210'096'007ms, "2024-02-29T12:34:56Z", "2024-02-29T12:34:56.007Z"},
                            Case{1'767'225'599'999ms, "2025-12-31T23:59:59Z", "2025-12-31T23:59:59.999Z"},
                            Case{-1ms, "1969-12-31T23:59:59Z", "1969-12-31T23:59:59.999Z"});
    CHECK(to_rfc3339(Time(c.since_epoch)) == c.seconds);
    CHECK(to_rfc3339_milliseconds(Time(c.since_epoch)) == c.milliseconds);
}

TEST_CASE("a time in RFC 3339 is read with its fraction and its offset", "[base]")
{
    const auto text = GENERATE("2024-02-29T12:34:56Z", "2024-02-29t12:34:56.007z",
                               "2024-02-29T13:34:56.123456789+01:00", "2024-02-29T07:04:56-05:30");
    CAPTURE(text);
    const auto time = parse_rfc3339(text);
    REQUIRE(time);
    CHECK(to_rfc3339(*time) == "2024-02-29T12:34:56Z");
}

TEST_CASE("a time that no clock here reaches is read as its last one, never as one that is past", "[base]")
{
    const auto never = parse_rfc3339("9999-12-31T23:59:59Z"); // what some write for "does not expire"
    REQUIRE(never);
    CHECK(to_rfc3339(*never) == "2262-04-11T23:47:16Z");
    const auto first = parse_rfc3339("0001-01-01T00:00:00+23:59");
    REQUIRE(first);
    CHECK(to_rfc3339(*first) == "1677-09-21T00:12:44Z");
    CHECK(to_rfc3339(std::chrono::sys_seconds(253'402'300'799s)) == "9999-12-31T23:59:59Z");
}

TEST_CASE("what is no time is not read as one", "[base]")
{
    const auto text = GENERATE("", "tomorrow", "2024-02-30T12:34:56Z", "2024-02-29T12:34:56",
                               "2024-02-29T24:00:00Z", "2024-02-29T12:34Z", "2024-02-29T12:34:56+0100",
                               "2024-02-29T12:34:56Z ", "24-02-29T12:34:56Z");
    CAPTURE(text);
    CHECK_FALSE(parse_rfc3339(text));
}
