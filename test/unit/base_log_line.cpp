#include "base/log_line.h"
#include "test/support/catch.h"

using namespace routelet;
using namespace routelet::test;

namespace {

const auto some_time = std::chrono::system_clock::time_point(std::chrono::milliseconds(1'767'323'045'678));

} // namespace

TEST_CASE("a log line reads as key=value on one line", "[base]")
{
    const LogLine line = LogLine(LogLevel::info, "route-added")
                             .with("node", "node02")
                             .with("dst", "10.244.2.0/24"_net)
                             .with("via", "192.168.1.12"_ip)
                             .with("took_ms", 3);

    CHECK(to_logfmt(line, some_time) ==
          "time=2026-01-02T03:04:05.678Z level=info event=route-added node=node02 "
          "dst=10.244.2.0/24 via=192.168.1.12 took_ms=3");
    CHECK(to_json(line, some_time) ==
          R"({"time":"2026-01-02T03:04:05.678Z","level":"info","event":"route-added","node":"node02",)"
          R"("dst":"10.244.2.0/24","via":"192.168.1.12","took_ms":3})");
}

TEST_CASE("whatever a Node object holds stays in its field", "[base]")
{
    struct Row {
        std::string value;
        std::string logfmt;
        std::string json;
    };
    const auto row = GENERATE(values<Row>({
        {"", R"("")", R"("")"},
        {"two words", R"("two words")", R"("two words")"},
        {"a=b", R"("a=b")", R"("a=b")"},
        {"x\nlevel=error event=forged", R"("x\nlevel=error event=forged")",
         R"("x\nlevel=error event=forged")"},
        {"quote\"back\\slash", R"("quote\"back\\slash")", R"("quote\"back\\slash")"},
        {"\x1b[31mred", R"("\u001b[31mred")", R"("\u001b[31mred")"},
        {"caf\xc3\xa9", "\"caf\xc3\xa9\"", "\"caf\xc3\xa9\""},
        {"broken\xc3", R"("broken\ufffd")", R"("broken\ufffd")"},
        {"\xed\xa0\x80", R"("\ufffd\ufffd\ufffd")", R"("\ufffd\ufffd\ufffd")"},
    }));
    const LogLine line = LogLine(LogLevel::warn, "e").with("v", row.value);
    CHECK(to_logfmt(line, some_time) == "time=2026-01-02T03:04:05.678Z level=warn event=e v=" + row.logfmt);
    CHECK(to_json(line, some_time).find("\"v\":" + row.json + "}") != std::string::npos);
}
