#include "controller/install.h"

#include "base/file.h"
#include "base/unique_fd.h"
#include "controller/plugin_version.h"
#include "test/support/catch.h"
#include "test/support/temporary_directory.h"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>

using namespace routelet;
using namespace routelet::controller;
using namespace routelet::test;
using namespace std::chrono_literals;

namespace {

namespace fs = std::filesystem;

std::string plugin_that_says(const std::string& versions)
{
    return "#!/bin/sh\necho '{\"cniVersion\":\"1.1.0\",\"supportedVersions\":" + versions + "}'\n";
}

// A node's folders, a plugin to install, and what was logged.
struct Node {
    TemporaryDirectory directory;
    InstallOptions options{.plugin = directory.path / "image" / "routelet-cni",
                           .cni_bin_dir = directory.path / "opt/cni/bin",
                           .state_dir = directory.path / "run/routelet"};
    std::string logged;
    Log log{LogFormat::text, LogLevel::debug, [this](const std::string& line) {
                logged += line + "\n";
                return true;
            }};

    Node()
    {
        fs::create_directories(options.plugin.parent_path());
        fs::create_directories(options.cni_bin_dir);
        put(options.plugin, plugin_that_says(R"(["1.0.0","1.1.0"])"));
    }

    static void put(const fs::path& path, const std::string& content, mode_t mode = 0755)
    {
        need(write_file_atomically(path, content, {.mode = mode}));
    }
    fs::path installed() const { return options.cni_bin_dir / "routelet-cni"; }
    nlohmann::json plugins() const
    {
        return nlohmann::json::parse(need(read_file(options.state_dir / "plugins.json"))).at("plugins");
    }
};

ino_t inode_of(const fs::path& path)
{
    struct stat status {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    return status.st_ino;
}

std::size_t files_in(const fs::path& folder)
{
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), {}));
}

} // namespace

TEST_CASE_METHOD(Node, "install makes the plugin executable in the runtime's folder", "[controller][install]")
{
    fs::remove_all(options.cni_bin_dir);
    ::umask(0077);

    need(install(options, log));
    ::umask(0022);

    CHECK(need(read_file(installed())) == need(read_file(options.plugin)));
    struct stat status {};
    REQUIRE(::stat(installed().c_str(), &status) == 0);
    CHECK((status.st_mode & 07777U) == 0755U);
    CHECK(files_in(options.cni_bin_dir) == 2); // and loopback
    CHECK_THAT(logged, has_text("event=plugin-installed"));
}

TEST_CASE_METHOD(Node, "where there is no loopback, a link to the plugin is made", "[controller][install]")
{
    const fs::path loopback = options.cni_bin_dir / "loopback";
    SECTION("there is none")
    {
        need(install(options, log));
        CHECK(fs::read_symlink(loopback) == "routelet-cni");
        CHECK(need(read_file(loopback)) == need(read_file(options.plugin)));
        CHECK_THAT(logged, has_text("path=" + loopback.string()));

        logged.clear();
        need(install(options, log));
        CHECK(fs::read_symlink(loopback) == "routelet-cni");
        CHECK_THAT(logged, !has_text("loopback"));
    }
    SECTION("the runtime's own is left alone")
    {
        put(loopback, "the runtime's");
        need(install(options, log));
        CHECK_FALSE(fs::is_symlink(loopback));
        CHECK(need(read_file(loopback)) == "the runtime's");
    }
}

TEST_CASE_METHOD(Node, "a plugin with the same bytes is not written again", "[controller][install]")
{
    need(install(options, log));
    const ino_t before = inode_of(installed());

    need(install(options, log));

    CHECK(inode_of(installed()) == before);
    CHECK_THAT(logged, has_text("event=plugin-kept"));
}

TEST_CASE_METHOD(Node, "a plugin with the same bytes that nobody may execute is made anew",
                 "[controller][install]")
{
    put(installed(), need(read_file(options.plugin)), 0644);

    need(install(options, log));

    CHECK(::access(installed().c_str(), X_OK) == 0);
    CHECK_THAT(logged, has_text("event=plugin-installed"));
}

TEST_CASE_METHOD(Node, "a link in the plugin's place is replaced, and what it points to stays",
                 "[controller][install]")
{
    const fs::path elsewhere = directory.path / "elsewhere";
    put(elsewhere, "not ours");
    fs::create_symlink(elsewhere, installed());

    need(install(options, log));

    CHECK_FALSE(fs::is_symlink(installed()));
    CHECK(need(read_file(elsewhere)) == "not ours");
}

TEST_CASE_METHOD(Node, "the plugin is replaced while the old one runs, which goes on",
                 "[controller][install]")
{
    fs::copy_file("/bin/sleep", installed()); // writing into a running program fails with ETXTBSY
    int closed_by_exec[2];
    REQUIRE(::pipe2(closed_by_exec, O_CLOEXEC) == 0);
    const UniqueFd waits(closed_by_exec[0]);
    const pid_t running = ::fork();
    REQUIRE(running >= 0);
    if (running == 0) {
        ::execl(installed().c_str(), "routelet-cni", "60", nullptr);
        ::_exit(127);
    }
    ::close(closed_by_exec[1]);
    char none = 0;
    REQUIRE(::read(waits.fd(), &none, 1) == 0); // it runs

    const auto done = install(options, log);
    const bool still_runs = ::waitpid(running, nullptr, WNOHANG) == 0;
    (void)::kill(running, SIGKILL);
    (void)::waitpid(running, nullptr, 0);

    need(done);
    CHECK(still_runs);
    CHECK(need(read_file(installed())) == need(read_file(options.plugin)));
}

TEST_CASE_METHOD(Node, "whenever it is killed, the folder has the old plugin or the new one",
                 "[controller][install]")
{
    const std::string padding(4U << 20U, '#'); // so that writing takes a while
    const std::string old = plugin_that_says("[]") + padding;
    put(options.plugin, plugin_that_says(R"(["1.1.0"])") + padding + "new");
    const std::string fresh = need(read_file(options.plugin));

    unsigned unfinished = 0;
    for (auto delay = 0us; delay < 20ms; delay += 250us) {
        put(installed(), old);
        const pid_t child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            (void)install(options, Log(LogFormat::text, LogLevel::error));
            ::_exit(0);
        }
        ::usleep(static_cast<useconds_t>(delay.count()));
        (void)::kill(child, SIGKILL);
        REQUIRE(::waitpid(child, nullptr, 0) == child);

        const std::string there = need(read_file(installed()));
        CHECK((there == old || there == fresh));
        unfinished += there == old ? 1 : 0;
    }
    CHECK(unfinished > 0); // or nothing was tried
    need(install(options, log));
    CHECK(need(read_file(installed())) == fresh);
    CHECK(files_in(options.cni_bin_dir) == 2); // what the killed ones left is gone
}

TEST_CASE_METHOD(Node, "leftovers of a killed run are removed, other files are not", "[controller][install]")
{
    put(options.cni_bin_dir / ".routelet-cni.1.tmp", "half of a pl");
    put(options.cni_bin_dir / ".other-cni.1.tmp", "somebody's");
    put(options.cni_bin_dir / "bridge", "somebody's");

    need(install(options, log));

    CHECK_FALSE(fs::exists(options.cni_bin_dir / ".routelet-cni.1.tmp"));
    CHECK(files_in(options.cni_bin_dir) == 4);
}

TEST_CASE_METHOD(Node, "plugins.json has the plugins that are there, with the CNI versions they speak",
                 "[controller][install]")
{
    SECTION("without portmap, ours alone")
    {
        need(install(options, log));
        CHECK(plugins() ==
              nlohmann::json::parse(R"([{"type":"routelet-cni","cniVersions":["1.0.0","1.1.0"]}])"));
    }
    SECTION("portmap and bandwidth behind ours, and no plugin that we do not chain")
    {
        put(options.cni_bin_dir / "firewall", plugin_that_says(R"(["1.0.0"])"));
        put(options.cni_bin_dir / "portmap", plugin_that_says(R"(["0.4.0","1.0.0"])"));
        put(options.cni_bin_dir / "bandwidth", plugin_that_says(R"(["1.0.0"])"));
        need(install(options, log));
        CHECK(plugins() == nlohmann::json::parse(R"([{"type":"routelet-cni","cniVersions":["1.0.0","1.1.0"]},
                                                     {"type":"portmap","cniVersions":["0.4.0","1.0.0"]},
                                                     {"type":"bandwidth","cniVersions":["1.0.0"]}])"));
    }
    SECTION("a plugin that cannot be asked has none, and the log says why")
    {
        put(options.cni_bin_dir / "portmap", "\x7f"
                                             "ELF of another processor");
        need(install(options, log));
        CHECK(plugins()[1] == nlohmann::json::parse(R"({"type":"portmap","cniVersions":[]})"));
        CHECK_THAT(logged, has_text("event=plugin-not-asked") && has_text("portmap: Exec format error"));
    }
}

TEST_CASE_METHOD(Node, "an install that cannot write says which file, and what to do",
                 "[controller][install]")
{
    SECTION("the plugin is not in the image")
    {
        fs::remove(options.plugin);
        CHECK_THAT(install(options, log).error().text(), has_text("opening " + options.plugin.string()));
    }
    SECTION("a file is where a folder should be")
    {
        put(options.cni_bin_dir / "file", "");
        options.state_dir = options.cni_bin_dir / "file" / "state";
        CHECK_THAT(install(options, log).error().text(), has_text("making " + options.state_dir.string()));
    }
    SECTION("the file system is read-only")
    {
        options.cni_bin_dir = "/proc/sys/kernel"; // root may not make a file here either
        const auto refused = install(options, log);
        REQUIRE_FALSE(refused);
        CHECK_THAT(refused.error().text(), has_text("/proc/sys/kernel/.routelet-cni."));
    }
    SECTION("another install is at work in the folder")
    {
        const UniqueFd other(::open(options.cni_bin_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        REQUIRE(::flock(other.fd(), LOCK_EX) == 0);
        CHECK_THAT(install(options, log).error().text(), has_text("another `routelet install`"));
        CHECK_FALSE(fs::exists(installed()));
    }
}

TEST_CASE_METHOD(Node, "asking a plugin for its CNI versions", "[controller][install]")
{
    const fs::path plugin = options.cni_bin_dir / "portmap";
    const auto ask = [&](const std::string& script) {
        put(plugin, "#!/bin/sh\n" + script + "\n");
        return ask_cni_versions(plugin, 300ms);
    };

    SECTION("it gets the command, the configuration, and nothing else of our environment")
    {
        ::setenv("ROUTELET_SECRET", "1", 1);
        const auto versions = ask(R"(read -r input
            input=$(printf %s "$input" | tr '"' "'")
            printf '{"supportedVersions":["%s","%s","%s"]}' "$CNI_COMMAND" "$ROUTELET_SECRET" "$input")");
        CHECK(need(versions) == std::vector<std::string>{"VERSION", "", "{'cniVersion':'1.1.0'}"});
    }
    SECTION("one that does not answer is ended, with what it started")
    {
        const auto start = std::chrono::steady_clock::now();
        const auto versions = ask("sleep 60 & echo $! >" + (directory.path / "pid").string() + "; wait");
        CHECK(versions.error().code == boost::system::errc::timed_out);
        CHECK(std::chrono::steady_clock::now() - start < 5s);
        const pid_t grandchild = std::stoi(need(read_file(directory.path / "pid")));
        for (int i = 0; i < 100 && ::kill(grandchild, 0) == 0; ++i)
            ::usleep(10'000); // until init has buried it
        const auto state = read_file("/proc/" + std::to_string(grandchild) + "/stat");
        CHECK((!state || state->find(") Z ") != std::string::npos));
    }
    SECTION("one that closes its output without an answer, or says something else, is an error")
    {
        CHECK(ask("exit 1").error().code == boost::system::errc::bad_message);
        CHECK(ask("echo usage: portmap").error().code == boost::system::errc::bad_message);
        CHECK(ask(R"(echo '{"supportedVersions":[1]}')").error().code == boost::system::errc::bad_message);
        CHECK(ask(R"(echo '["supportedVersions"]')").error().code == boost::system::errc::bad_message);
        CHECK(ask("yes").error().code == boost::system::errc::bad_message);
    }
    SECTION("one that is not there is an error")
    {
        CHECK(ask_cni_versions(directory.path / "absent").error().code ==
              boost::system::errc::no_such_file_or_directory);
    }
}
