#include "controller/finding_log.h"
#include "test/support/catch.h"

using namespace routelet;
using namespace routelet::controller;

TEST_CASE("a finding is told when it appears, when it changes and when it is over", "[finding]")
{
    std::vector<std::string> events;
    const Log log(LogFormat::text, LogLevel::info, [&](const std::string& line) {
        events.push_back(line.substr(line.find("level=")));
        return true;
    });
    FindingLog findings(log);
    const Finding first = {"cni-config-shadowed", "00-a.conf", "remove it"};
    const Finding second = {"cni-config-shadowed", "00-b.conf", "remove it"};

    findings.tell({first});
    findings.tell({first});
    CHECK(events == std::vector<std::string>{
                        R"(level=warn event=cni-config-shadowed detail=00-a.conf remedy="remove it")"});
    findings.tell({first, second});
    REQUIRE(events.size() == 2);
    CHECK(events[1] == R"(level=warn event=cni-config-shadowed detail=00-b.conf remedy="remove it")");
    findings.tell({second});
    CHECK(events.size() == 2);
    findings.tell({});
    findings.tell({});
    REQUIRE(events.size() == 3);
    CHECK(events[2] == "level=info event=finding-over code=cni-config-shadowed");
}
