#include "controller/output.h"
#include "test/support/catch.h"
#include "test/support/environment.h"

#include <yaml-cpp/yaml.h>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <array>

using namespace routelet;
using namespace routelet::controller;
using namespace routelet::test;

TEST_CASE("JSON is written as YAML that means the same", "[output]")
{
    const std::string text = to_yaml(R"({"state": "no", "version": "1.10", "count": 3, "isReady": true,
        "nodes": [{"node": "node02", "detail": "a: \"b\"\nc # d"}, {"node": "", "detail": "é"}], "findings": [],
        "api": {}, "error": null})");
    const YAML::Node yaml = YAML::Load(text);
    CHECK(yaml["state"].as<std::string>() == "no");
    CHECK(yaml["state"].Tag() == "!"); // quoted, so that no reader takes it for a boolean
    CHECK(yaml["version"].Tag() == "!");
    CHECK(yaml["count"].as<int>() == 3);
    CHECK(yaml["count"].Tag() == "?");
    CHECK(yaml["isReady"].as<bool>());
    CHECK(yaml["nodes"][0]["detail"].as<std::string>() == "a: \"b\"\nc # d");
    CHECK(yaml["nodes"][1]["detail"].as<std::string>() == "é");
    CHECK(yaml["findings"].IsSequence());
    CHECK(yaml["api"].IsMap());
    CHECK(yaml["error"].IsNull());
    CHECK(text.back() == '\n');
    CHECK_THROWS(to_yaml("<html>"));
}

TEST_CASE("waiting ends when nobody reads what is written any more", "[output]")
{
    using namespace std::chrono_literals;
    std::array<int, 2> pipe{};
    REQUIRE(::pipe2(pipe.data(), O_CLOEXEC) == 0);
    const auto start = std::chrono::steady_clock::now();
    CHECK(wait_while_read(pipe[1], 20ms));
    CHECK(std::chrono::steady_clock::now() - start >= 20ms);
    ::close(pipe[0]);
    CHECK_FALSE(wait_while_read(pipe[1], 1h));
    ::close(pipe[1]);
    CHECK_FALSE(wait_while_read(pipe[1], 1h)); // closed

    const int file = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    CHECK(wait_while_read(file, 0ms));
    ::close(file);
}

TEST_CASE("colours are for terminals whose user has not declined", "[output]")
{
    Environment environment;
    environment.set("NO_COLOR", std::nullopt);
    environment.set("TERM", "xterm");
    const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY);
    REQUIRE(terminal >= 0);
    REQUIRE(::grantpt(terminal) == 0);
    REQUIRE(::unlockpt(terminal) == 0);
    CHECK(wants_colours(terminal));
    environment.set("NO_COLOR", "1");
    CHECK_FALSE(wants_colours(terminal));
    environment.set("NO_COLOR", "");
    CHECK(wants_colours(terminal));
    environment.set("TERM", "dumb");
    CHECK_FALSE(wants_colours(terminal));
    ::close(terminal);

    environment.set("TERM", "xterm");
    const int file = ::open("/dev/null", O_RDWR);
    CHECK_FALSE(wants_colours(file));
    ::close(file);
}
