#include "base/file.h"
#include "controller/flight_recorder.h"
#include "controller/log.h"
#include "test/support/catch.h"
#include "test/support/temporary_directory.h"

#include <filesystem>
#include <fstream>
#include <sstream>

using namespace routelet;
using namespace routelet::controller;
using namespace routelet::test;

namespace {

struct Recorded {
    TemporaryDirectory temporary;
    std::vector<std::string> log_lines;
    Log log{LogFormat::json, LogLevel::warn, [this](const std::string& line) {
                log_lines.push_back(line);
                return true;
            }};
    HistoryOptions options{.state_dir = temporary.path};
    std::string errors;
    int exit_status = -1;

    Recorded() { log.record_to(recorder_in(temporary.path)); }

    void happen(const std::string& event, LogLevel level = LogLevel::info)
    {
        log.write(LogLine(level, event).with("node", "node02"));
    }
    // The events that are shown, in their order.
    std::vector<std::string> events()
    {
        std::ostringstream out;
        std::ostringstream err;
        exit_status = show_history(options, out, err);
        errors = err.str();
        std::vector<std::string> found;
        std::istringstream lines(out.str());
        for (std::string line; std::getline(lines, line);) {
            const std::size_t start = line.find(" event=") + 7;
            found.push_back(line.substr(start, line.find(' ', start) - start));
        }
        return found;
    }
};

using Events = std::vector<std::string>;

} // namespace

TEST_CASE("the history has what the log does not show, but for debug that nobody asked for", "[history]")
{
    Recorded agent;
    agent.happen("route-added");
    agent.happen("node-refused", LogLevel::warn);
    agent.happen("masquerade-updated", LogLevel::debug);
    agent.happen("kernel-route", LogLevel::debug);

    CHECK(agent.events() == Events{"route-added", "node-refused", "kernel-route"});
    CHECK(agent.exit_status == 0);
    CHECK(agent.log_lines.size() == 1);
}

TEST_CASE("the last lines are shown, or those that have a text", "[history]")
{
    Recorded agent;
    for (const char* event : {"route-added", "route-replaced", "route-restored", "route-removed"})
        agent.happen(event);

    agent.options.lines = 2;
    CHECK(agent.events() == Events{"route-restored", "route-removed"});
    agent.options.match = "route-re";
    CHECK(agent.events() == Events{"route-restored", "route-removed"});
    agent.options.lines = 50;
    CHECK(agent.events() == Events{"route-replaced", "route-restored", "route-removed"});
    agent.options.match = "node77";
    CHECK(agent.events().empty());
    CHECK(agent.exit_status == 0);
}

TEST_CASE("another agent goes on in the same history, and the files stay small", "[history]")
{
    Recorded agent;
    agent.happen("agent-started");
    Log next(LogFormat::text, LogLevel::error, [](const std::string&) { return true; });
    next.record_to(recorder_in(agent.temporary.path));
    next.write(LogLine(LogLevel::info, "agent-started-again"));
    CHECK(agent.events() == Events{"agent-started", "agent-started-again"});

    const std::string long_text(1000, 'x');
    for (int i = 0; i < 600; ++i)
        next.write(LogLine(LogLevel::info, "route-added").with("number", i).with("text", long_text));
    agent.options.lines = 1'000'000;
    const Events kept = agent.events();
    CHECK(kept.size() > 300);
    CHECK(kept.size() < 600);
    for (const char* file : {"history.log", "history.log.1"})
        CHECK(std::filesystem::file_size(agent.temporary.path / file) < history_limit + 2000);
}

TEST_CASE("a folder that is not there is not made, and no history is told", "[history]")
{
    Recorded agent;
    agent.options.state_dir = agent.temporary.path / "absent";
    agent.log.record_to(recorder_in(agent.options.state_dir));
    agent.happen("route-added");

    CHECK(agent.events().empty());
    CHECK(agent.exit_status == 1);
    CHECK_THAT(agent.errors, has_text("there is no history here") && has_text("--state-dir"));
    CHECK_FALSE(std::filesystem::exists(agent.options.state_dir));
}
