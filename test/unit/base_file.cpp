#include "base/file.h"
#include "test/support/catch.h"
#include "test/support/temporary_directory.h"

#include <sys/stat.h>

using namespace routelet;
using namespace routelet::test;

TEST_CASE("a file that is replaced has the new content and mode, and nothing is left beside it", "[base]")
{
    const TemporaryDirectory directory;
    const auto file = directory.path / "config";

    need(write_file_atomically(file, "one"));
    need(write_file_atomically(file, "two", {.mode = 0600, .durable = true}));

    CHECK(need(read_file(file)) == "two");
    struct stat status {};
    REQUIRE(::stat(file.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777U) == 0600U);
    CHECK(std::distance(std::filesystem::directory_iterator(directory.path), {}) == 1);
}

TEST_CASE("a file that cannot be replaced keeps its content, and the error names it", "[base]")
{
    const TemporaryDirectory directory;
    const auto blocked = directory.path / "is-a-directory";
    std::filesystem::create_directories(blocked / "with-something-in-it");

    const auto written = write_file_atomically(blocked, "content");

    REQUIRE_FALSE(written);
    CHECK_THAT(written.error().text(), has_text(blocked.string()));
    CHECK(std::distance(std::filesystem::directory_iterator(directory.path), {}) == 1);
}

TEST_CASE("reading fails with the path in the text", "[base]")
{
    const TemporaryDirectory directory;
    need(write_file_atomically(directory.path / "big", std::string(100, 'x')));

    CHECK(read_file(directory.path / "absent").error().code ==
          boost::system::errc::no_such_file_or_directory);
    CHECK(read_file(directory.path).error().code == boost::system::errc::is_a_directory);
    const auto big = read_file(directory.path / "big", 99);
    CHECK(big.error().code == boost::system::errc::file_too_large);
    CHECK_THAT(big.error().text(), has_text("big"));
}

TEST_CASE("what is no regular file is waited for only where that is meant", "[base]")
{
    const TemporaryDirectory directory;
    need(write_file_atomically(directory.path / "file", "one"));
    REQUIRE(::mkfifo((directory.path / "fifo").c_str(), 0600) == 0);
    std::filesystem::create_symlink("/dev/zero", directory.path / "zero");

    CHECK(need(read_regular_file(directory.path / "file")) == "one");
    CHECK_THAT(need(read_regular_file("/proc/self/status")), has_text("Name:"));
    CHECK(read_regular_file(directory.path / "file", 2).error().code == boost::system::errc::file_too_large);
    CHECK(read_regular_file(directory.path / "absent").error().code ==
          boost::system::errc::no_such_file_or_directory);
    CHECK(read_regular_file(directory.path).error().code == boost::system::errc::is_a_directory);
    for (const auto* name : {"fifo", "zero"}) {
        const auto content = read_regular_file(directory.path / name); // does not return when it waits
        REQUIRE(content.has_error());
        CHECK(content.error().code == boost::system::errc::not_supported);
        CHECK_THAT(content.error().text(), has_text(std::string(name) + ", which is not a regular file"));
    }
}
