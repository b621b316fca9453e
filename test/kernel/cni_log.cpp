// The log that the network configuration names.
#include "test/kernel/cni_fixture.h"

#include <algorithm>
#include <sstream>

using namespace routelet;
using namespace routelet::test;

namespace {

class LogFixture : public CniFixture {
    TemporaryDirectory folder_;

public:
    std::filesystem::path file = folder_.path / "cni.log";

    LogFixture() { config["logFile"] = file.string(); }

    static std::vector<std::string> lines(const std::filesystem::path& file)
    {
        std::vector<std::string> found;
        std::ifstream in(file);
        for (std::string line; std::getline(in, line);)
            found.push_back(line);
        return found;
    }
    void fail(const std::string& container) const
    {
        CHECK(call("ADD", container, "/nowhere").exit_code == 1);
    }
    // Whole lines of a hundred bytes.
    void fill(std::size_t size) const
    {
        std::ofstream out(file);
        for (std::size_t i = 0; i < size / 100; ++i)
            out << std::string(99, '.') << '\n';
    }
};

} // namespace

TEST_CASE_METHOD(LogFixture, "what fails is logged with what to do, and what succeeds only at level debug",
                 "[kernel][cni]")
{
    const PodNetns pod = make_pod_netns();
    add("one", pod);
    CHECK_FALSE(std::filesystem::exists(file));

    CHECK(call("ADD", "one", pod.path()).exit_code == 1);
    REQUIRE(lines(file).size() == 1);
    CHECK_THAT(lines(file)[0], has_text("level=error event=cni-failed command=ADD container=one") &&
                                   has_text("DEL it first"));

    config["logLevel"] = "debug";
    del("one", pod.path());
    REQUIRE(lines(file).size() == 2);
    CHECK_THAT(lines(file)[1], has_text("level=debug event=cni-done command=DEL container=one"));
}

TEST_CASE_METHOD(LogFixture, "a configuration that cannot be understood is logged where it says",
                 "[kernel][cni]")
{
    config["bridge"] = "no such name";
    fail("one");
    REQUIRE(lines(file).size() == 1);
    CHECK_THAT(lines(file)[0], has_text("does not name an interface"));
}

TEST_CASE_METHOD(LogFixture, "the answer to STATUS, which is asked every five seconds, is for level info",
                 "[kernel][cni]")
{
    run("ip link add v-net-0 type vxlan id 7 dstport 4789");
    CHECK(call("STATUS", "", "").exit_code == 1);
    CHECK_FALSE(std::filesystem::exists(file));
    config["logLevel"] = "info";
    CHECK(call("STATUS", "", "").exit_code == 1);
    CHECK(lines(file).size() == 1);
}

TEST_CASE_METHOD(LogFixture, "what is mended is logged, too", "[kernel][cni]")
{
    const PodNetns pod = make_pod_netns();
    add("one", pod);
    std::filesystem::remove(state() / "10.244.1.2");
    std::ofstream(state() / "last_reserved_ip.0") << "10.244.1.1";
    const PodNetns second = make_pod_netns();
    add("two", second);
    REQUIRE(lines(file).size() == 1);
    CHECK_THAT(lines(file)[0], has_text("level=warn event=reservation-restored address=10.244.1.2"));
}

TEST_CASE_METHOD(LogFixture, "no pod fails because of the log", "[kernel][cni]")
{
    const PodNetns pod = make_pod_netns();
    config["logLevel"] = "debug";
    SECTION("not when its folder is missing, which is not made")
    {
        config["logFile"] = (file / "below").string();
    }
    SECTION("not when it is a folder")
    {
        std::filesystem::create_directory(file);
    }
    SECTION("not when it is a pipe that nobody reads")
    {
        run("mkfifo " + file.string());
    }
    SECTION("not when it is a link, which is not followed")
    {
        std::filesystem::create_symlink(file.string() + ".target", file);
    }
    SECTION("not when nothing can be written")
    {
        config["logFile"] = "/dev/full";
    }
    add("one", pod);
    del("one", pod.path());
    CHECK_FALSE(std::filesystem::exists(file.string() + ".target"));
}

TEST_CASE_METHOD(LogFixture, "a log that makes no sense is refused by ADD, and keeps no DEL from cleaning",
                 "[kernel][cni]")
{
    const PodNetns pod = make_pod_netns();
    add("one", pod);
    const auto [key, value] = GENERATE(table<std::string, nlohmann::json>(
        {{"logFile", "relative"}, {"logFile", 1}, {"logLevel", "loud"}, {"logLevel", 1}}));
    config[key] = value;
    const CniReply reply = call("ADD", "two", make_pod_netns().path());
    CHECK(reply.code() == 7);
    CHECK_THAT(reply.message(), has_text(key));
    del("one", pod.path());
    CHECK(reservations().empty());
}

TEST_CASE_METHOD(LogFixture, "a log of one MiB is renamed, over the one before", "[kernel][cni]")
{
    const std::filesystem::path old = file.string() + ".1";
    std::ofstream(old) << "oldest\n";
    fill((1U << 20U) - 100);
    fail("one"); // below the limit when it begins
    CHECK(lines(old).size() == 1);
    fail("two");
    CHECK(std::filesystem::file_size(old) >= (1U << 20U));
    CHECK_THAT(lines(old).back(), has_text("container=one"));
    REQUIRE(lines(file).size() == 1);
    CHECK_THAT(lines(file)[0], has_text("container=two"));
}

TEST_CASE_METHOD(LogFixture, "calls at the same time lose no line when the log is renamed", "[kernel][cni]")
{
    constexpr std::size_t calls = 60;
    fill((1U << 20U) - 2000); // which the first few fill
    const std::size_t before = lines(file).size();
    std::vector<CniCall> running;
    for (std::size_t i = 0; i < calls; ++i)
        running.push_back(start("ADD", "pod" + std::to_string(i), "/nowhere"));
    for (CniCall& call : running)
        CHECK(call.wait().exit_code == 1);

    std::vector<std::string> all = lines(file.string() + ".1");
    CHECK(all.size() > before);
    const std::vector<std::string> rest = lines(file);
    CHECK_FALSE(rest.empty());
    all.insert(all.end(), rest.begin(), rest.end());
    CHECK(all.size() == before + calls);
    for (std::size_t i = 0; i < calls; ++i) {
        const std::string wanted = " container=pod" + std::to_string(i) + " ";
        CHECK(std::ranges::count_if(all, [&](const std::string& line) {
                  return line.starts_with("time=") && line.find(wanted) != std::string::npos;
              }) == 1);
    }
}
