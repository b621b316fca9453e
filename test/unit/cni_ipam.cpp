#include "base/file.h"
#include "cni/error.h"
#include "cni/ipam.h"
#include "cni/state_directory.h"
#include "test/support/catch.h"
#include "test/unit/cni_ipam_store.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <random>
#include <set>

using namespace routelet;
using namespace routelet::cni;
using namespace routelet::test;

namespace {

void run_and_exit(const auto& action)
{
    ::_exit(action() ? 0 : 1);
}

} // namespace

TEST_CASE("pods get the addresses of the subnet, without its own, the gateway's and the broadcast address",
          "[cni][ipam]")
{
    const Store state;
    const RangeSet set = whole("10.244.1.0/29"_net);
    std::vector<IpAddress> given;
    for (int i = 0; i < 5; ++i)
        given.push_back(state.give(pod(i), set));
    CHECK(given == std::vector<IpAddress>{"10.244.1.2"_ip, "10.244.1.3"_ip, "10.244.1.4"_ip, "10.244.1.5"_ip,
                                          "10.244.1.6"_ip});

    SECTION("the sixth fails and says which range is full")
    {
        const auto sixth = state.store.reserve(pod(5), {set});
        REQUIRE_FALSE(sixth.has_value());
        CHECK(has_code(sixth.error(), ErrorCode::addresses_exhausted));
        CHECK_THAT(message_of(sixth.error()), has_text("10.244.1.1-10.244.1.6"));
        CHECK_FALSE(state.store.check_capacity({set}).has_value());
    }
    SECTION("an address that was freed can be given again")
    {
        need(state.store.release(pod(2)));
        CHECK(state.store.check_capacity({set}).has_value());
        CHECK(state.give(pod(5), set) == "10.244.1.4"_ip);
    }
}

TEST_CASE("a freed address rests until all others were given", "[cni][ipam]")
{
    const Store state;
    const RangeSet set = whole("10.244.1.0/29"_net);
    for (int i = 0; i < 5; ++i) {
        const IpAddress address = state.give(pod(i), set);
        CHECK(address == "10.244.1.2"_ip.plus(static_cast<std::uint64_t>(i)));
        need(state.store.release(pod(i)));
    }
    CHECK(state.give(pod(9), set) == "10.244.1.2"_ip);
}

TEST_CASE("the same attachment gets the same address again", "[cni][ipam]")
{
    const Store state;
    const RangeSet set = whole("10.244.1.0/24"_net);
    const IpAddress first = state.give(pod(1), set);
    state.give(pod(2), set);
    CHECK(state.give(pod(1), set) == first);
    CHECK(state.files().size() == 2);
}

TEST_CASE("two interfaces of a container are two attachments", "[cni][ipam]")
{
    const Store state;
    const RangeSet set = whole("10.244.1.0/24"_net);
    const IpAddress first = state.give({"pod", "eth0"}, set);
    const IpAddress second = state.give({"pod", "net1"}, set);
    CHECK(first != second);
    need(state.store.release({"pod", "eth0"}));
    CHECK(need(state.store.reserved({"pod", "net1"})) == std::vector{second});
}

TEST_CASE("ranges of a set are used up in their order, with their own gateways", "[cni][ipam]")
{
    const Store state;
    const RangeSet set = need(RangeSet::make(
        {need(AddressRange::make("10.1.0.0/30"_net, {})), need(AddressRange::make("10.2.0.0/30"_net, {}))}));
    CHECK(need(state.store.reserve(pod(1), {set})) ==
          std::vector<PodAddress>{{"10.1.0.2"_ip, 30, "10.1.0.1"_ip}});
    CHECK(need(state.store.reserve(pod(2), {set})) ==
          std::vector<PodAddress>{{"10.2.0.2"_ip, 30, "10.2.0.1"_ip}});
    CHECK_FALSE(state.store.reserve(pod(3), {set}).has_value());
}

TEST_CASE("a pod of both families gets both addresses or none", "[cni][ipam]")
{
    const Store state;
    const std::vector<RangeSet> sets = {whole("10.244.1.0/24"_net), whole("fd00::/126"_net)};
    CHECK(need(state.store.reserve(pod(1), sets)) ==
          std::vector<PodAddress>{{"10.244.1.2"_ip, 24, "10.244.1.1"_ip}, {"fd00::2"_ip, 126, "fd00::1"_ip}});
    need(state.store.reserve(pod(2), sets)); // fd00::3, the last
    CHECK_FALSE(state.store.reserve(pod(3), sets).has_value());
    CHECK(state.files() == std::set<std::string>{"10.244.1.2", "10.244.1.3", "fd00::2", "fd00::3"});
    CHECK(need(state.store.reserved(pod(3))).empty());
}

TEST_CASE("an address that was asked for is given when it is free", "[cni][ipam]")
{
    const Store state;
    const RangeSet set = whole("10.244.1.0/24"_net);
    CHECK(need(state.store.reserve(pod(1), {set}, {.wanted = {"10.244.1.77"_ip}}))[0].address ==
          "10.244.1.77"_ip);
    const auto taken = state.store.reserve(pod(2), {set}, {.wanted = {"10.244.1.77"_ip}});
    REQUIRE_FALSE(taken.has_value());
    CHECK_THAT(message_of(taken.error()), has_text("10.244.1.77 is taken by container pod1"));
    CHECK(state.give(pod(3), set) == "10.244.1.2"_ip); // the turn is not moved by wishes
}

TEST_CASE("releasing leaves nothing, and twice is as good as once", "[cni][ipam]")
{
    const Store state;
    need(state.store.release(pod(1))); // there is no folder yet
    CHECK_FALSE(fs::exists(state.folder));
    state.give(pod(1), whole("10.244.1.0/24"_net));
    need(state.store.release(pod(1)));
    need(state.store.release(pod(1)));
    CHECK(state.files().empty());
    CHECK_FALSE(state.has_index());
}

TEST_CASE("nonsense in the pointer to the last address starts the turn anew", "[cni][ipam]")
{
    const std::string content =
        GENERATE(as<std::string>{}, "", "x", "fd00::1", "10.9.9.9", std::string(9, '\0'));
    const Store state;
    state.put("last_reserved_ip.0", content);
    CHECK(state.give(pod(1), whole("10.244.1.0/24"_net)) == "10.244.1.2"_ip);
}

TEST_CASE("the pointer says no more than the last address, however long the one before was", "[cni][ipam]")
{
    const Store state;
    const RangeSet set = whole("10.244.1.0/24"_net);
    state.put("last_reserved_ip.0", "10.244.1.254");

    CHECK(state.give(pod(1), set) == "10.244.1.2"_ip);

    CHECK(need(read_file(state.folder / "last_reserved_ip.0")) == "10.244.1.2");
}

TEST_CASE("a folder that another plugin made gets what it lacks", "[cni][ipam]")
{
    const Store state;
    fs::create_directories(state.folder);

    state.give(pod(1), whole("10.244.1.0/24"_net));

    CHECK(state.has_index());
}

TEST_CASE("what host-local gave out is respected, found and freed", "[cni][ipam]")
{
    const std::string content = GENERATE(as<std::string>{}, "old\r\neth0", "old", "old\neth0\n", " old \r\n");
    CAPTURE(content);
    const Store state;
    state.put("10.244.1.2", content);
    CHECK(state.give(pod(1), whole("10.244.1.0/24"_net)) == "10.244.1.3"_ip);
    CHECK(need(state.store.reserved({"old", "eth0"})) == std::vector{"10.244.1.2"_ip});
    need(state.store.release({"old", "eth0"}));
    CHECK(state.files() == std::set<std::string>{"10.244.1.3"});
}

TEST_CASE("an indexed address that belongs to somebody else by now is left alone", "[cni][ipam]")
{
    const Store state;
    state.put("by-id/pod1:eth0", "10.244.1.2\n10.244.1.3\nnonsense\n");
    state.put("10.244.1.2", "pod2\r\neth0");
    state.put("10.244.1.3", "pod1\r\neth0");
    CHECK(need(state.store.reserved(pod(1))) == std::vector{"10.244.1.3"_ip});

    SECTION("by a release")
    {
        need(state.store.release(pod(1)));
        CHECK(state.files() == std::set<std::string>{"10.244.1.2"});
    }
    SECTION("by another ADD, which reuses what is its own")
    {
        CHECK(state.give(pod(1), whole("10.244.1.0/24"_net)) == "10.244.1.3"_ip);
    }
}

TEST_CASE("an ADD whose ranges changed since the last frees the old address", "[cni][ipam]")
{
    const Store state;
    state.give(pod(1), whole("10.244.1.0/24"_net));
    state.give(pod(1), whole("10.244.7.0/24"_net));
    CHECK(state.files() == std::set<std::string>{"10.244.7.2"});
    need(state.store.release(pod(1)));
    CHECK(state.files().empty());
}

TEST_CASE("the state of an earlier boot is forgotten, but for the lock", "[cni][ipam]")
{
    const Store state;
    state.put("10.244.1.2", "old\r\neth0");
    state.put("by-id/old:eth0", "10.244.1.2\n");
    state.put("last_reserved_ip.0", "10.244.1.2");
    SECTION("when the folder says it is of another boot")
    {
        state.put("boot_id", "00000000-0000-0000-0000-000000000000\n");
        CHECK(state.give(pod(1), whole("10.244.1.0/24"_net)) == "10.244.1.2"_ip);
        CHECK(need(state.store.reserved({"old", "eth0"})).empty());
    }
    SECTION("and a folder that does not say is taken over as it is")
    {
        CHECK(state.give(pod(1), whole("10.244.1.0/24"_net)) == "10.244.1.3"_ip);
        CHECK(need(state.store.reserved({"old", "eth0"})).size() == 1);
    }
}

TEST_CASE("an earlier boot's state is forgotten also when that was cut short before", "[cni][ipam]")
{
    const Store state;
    state.put("boot_id", "00000000-0000-0000-0000-000000000000\n");
    SECTION("by a folder that could not be read")
    {
        state.put("10.244.1.2", "old\r\neth0");
        state.put("by-id/old:eth0", "10.244.1.2\n");
        fs::rename(state.folder / "by-id", state.temporary.path / "aside");
        fs::create_symlink("by-id", state.folder / "by-id");
        CHECK_FALSE(state.store.reserve(pod(1), {whole("10.244.1.0/24"_net)}).has_value());
        fs::remove(state.folder / "by-id");
        fs::rename(state.temporary.path / "aside", state.folder / "by-id");
        CHECK(state.give(pod(1), whole("10.244.1.0/24"_net)) == "10.244.1.2"_ip);
        CHECK_FALSE(fs::exists(state.folder / "by-id" / "old:eth0"));
    }
    SECTION("by a kill")
    {
        for (int i = 2; i < 250; ++i)
            state.put("10.244.1." + std::to_string(i), "old\r\neth0");
        const pid_t child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0)
            run_and_exit(
                [&] { return state.store.reserve(pod(1), {whole("10.244.1.0/24"_net)}).has_value(); });
        for (int i = 0; i < 10'000 && state.files().size() == 248; ++i) // until it is at it
            ;
        REQUIRE(::kill(child, SIGKILL) == 0);
        REQUIRE(::waitpid(child, nullptr, 0) == child);
        state.give(pod(1), whole("10.244.1.0/24"_net));
        CHECK(state.files().size() == 1);
    }
}

TEST_CASE("the lock is waited for, with a limit", "[cni][ipam]")
{
    const Store state;
    const auto held = need(StateDirectory::open(state.folder));
    const auto second = StateDirectory::open(state.folder, std::chrono::milliseconds(50));
    REQUIRE_FALSE(second.has_value());
    CHECK(has_code(second.error(), ErrorCode::try_again_later));
    CHECK_THAT(message_of(second.error()), has_text("lock"));
}

TEST_CASE("a state folder that cannot be used is an error, not a crash", "[cni][ipam]")
{
    const Store state;
    const std::vector<RangeSet> sets = {whole("10.244.1.0/24"_net)};
    SECTION("the folder is a file")
    {
        fs::create_directories(state.folder.parent_path());
        std::ofstream(state.folder) << "x";
        CHECK_FALSE(state.store.reserve(pod(1), sets).has_value());
        CHECK_FALSE(state.store.check_capacity(sets).has_value());
        CHECK(state.store.release(pod(1)).has_value());
    }
    SECTION("the lock is a folder")
    {
        fs::create_directories(state.folder / "lock");
        CHECK_FALSE(state.store.reserve(pod(1), sets).has_value());
    }
    SECTION("an address cannot be written")
    {
        fs::create_directories(state.folder / ".new");
        CHECK_FALSE(state.store.reserve(pod(1), sets).has_value());
        CHECK(state.files().empty());
    }
}

TEST_CASE("a full folder of an earlier boot has room, and asking empties nothing", "[cni][ipam]")
{
    const Store state;
    const std::vector<RangeSet> sets = {whole("10.244.1.0/30"_net)};
    state.put("10.244.1.2", "old\r\neth0");
    CHECK_FALSE(state.store.check_capacity(sets).has_value());
    state.put("boot_id", "00000000-0000-0000-0000-000000000000\n");
    CHECK(state.store.check_capacity(sets).has_value());
    CHECK(state.files() == std::set<std::string>{"10.244.1.2"});
    CHECK(state.store.reserve(pod(1), sets).has_value());
}

TEST_CASE("what is no plain file stands in the way of one address only", "[cni][ipam]")
{
    const Store state;
    state.put("last_reserved_ip.0", "");
    const fs::path odd = state.folder / "10.244.1.2";
    SECTION("a directory")
    {
        fs::create_directory(odd);
    }
    SECTION("a link")
    {
        fs::create_symlink("/dev/null", odd);
    }
    SECTION("a pipe that nobody writes to")
    {
        REQUIRE(::mkfifo(odd.c_str(), 0600) == 0);
    }
    const auto wanted =
        state.store.reserve(pod(1), {whole("10.244.1.0/30"_net)}, {.wanted = {"10.244.1.2"_ip}});
    REQUIRE_FALSE(wanted.has_value());
    CHECK_THAT(wanted.error().text(), has_text("10.244.1.2 is no plain file"));
    CHECK_FALSE(state.store.check_capacity({whole("10.244.1.0/30"_net)}).has_value());
    CHECK(state.store.check_capacity({whole("10.244.1.0/24"_net)}).has_value());
    CHECK(state.give(pod(1), whole("10.244.1.0/24"_net)) == "10.244.1.3"_ip);
    need(state.store.release(pod(1)));
    CHECK(fs::symlink_status(odd).type() != fs::file_type::regular);
}

TEST_CASE("a pipe under the name of the unfinished file holds nobody up", "[cni][ipam]")
{
    const Store state;
    state.put("last_reserved_ip.0", "");
    REQUIRE(::mkfifo((state.folder / ".new").c_str(), 0600) == 0);
    CHECK(state.give(pod(1), whole("10.244.1.0/24"_net)) == "10.244.1.2"_ip);
    CHECK(need(read_file(state.folder / "10.244.1.2")) == "pod1\r\neth0");
}

TEST_CASE("asking for capacity makes nothing", "[cni][ipam]")
{
    const Store state;
    CHECK(state.store.check_capacity({whole("10.244.1.0/24"_net)}).has_value());
    CHECK_FALSE(fs::exists(state.folder.parent_path()));
}

TEST_CASE("attachments are listed from both kinds of files, if they are old enough", "[cni][ipam]")
{
    const Store state;
    state.give(pod(1), whole("10.244.1.0/24"_net));
    state.put("10.244.1.9", "old\r\neth0");
    state.put("by-id/lost:net1", "10.244.1.9\n");
    state.put("10.244.1.10", "");
    CHECK(need(state.store.attachments(std::chrono::seconds(0))) ==
          std::set<AttachmentId>{{"pod1", "eth0"}, {"old", "eth0"}, {"lost", "net1"}});
    CHECK(need(state.store.attachments(std::chrono::seconds(600))).empty());
}

TEST_CASE("fifty processes at once get fifty addresses", "[cni][ipam]")
{
    const Store state;
    const RangeSet set = whole("10.244.1.0/24"_net);
    std::vector<pid_t> children;
    for (int i = 0; i < 50; ++i) {
        const pid_t child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0)
            run_and_exit([&] { return state.store.reserve(pod(i), {set}).has_value(); });
        children.push_back(child);
    }
    for (const pid_t child : children) {
        int status = 0;
        REQUIRE(::waitpid(child, &status, 0) == child);
        CHECK(status == 0);
    }
    CHECK(state.files().size() == 50);
    std::set<std::string> owners;
    for (const std::string& name : state.files())
        owners.insert(need(read_file(state.folder / name)));
    CHECK(owners.size() == 50);
}

TEST_CASE("processes racing for the last address: one wins, the others fail clean", "[cni][ipam]")
{
    const Store state;
    const RangeSet set = whole("10.244.1.0/30"_net);
    std::vector<pid_t> children;
    for (int i = 0; i < 10; ++i) {
        const pid_t child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0)
            run_and_exit([&] { return state.store.reserve(pod(i), {set}).has_value(); });
        children.push_back(child);
    }
    int winners = 0;
    for (const pid_t child : children) {
        int status = 0;
        REQUIRE(::waitpid(child, &status, 0) == child);
        winners += status == 0 ? 1 : 0;
    }
    CHECK(winners == 1);
    CHECK(state.files().size() == 1);
}

TEST_CASE("a process killed at any moment loses no address and has none given twice", "[cni][ipam]")
{
    const Store state;
    const std::vector<RangeSet> sets = {whole("10.244.1.0/27"_net), whole("fd00::/123"_net)};
    std::mt19937 random(20261123);
    std::uniform_int_distribution<int> microseconds(0, 1500);

    for (int round = 0; round < 300; ++round) {
        // Somebody who reserves and frees without end, until killed in the middle of something.
        const pid_t child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0)
            for (int i = 0;; ++i) {
                (void)state.store.reserve(pod(i % 7), sets);
                (void)state.store.release(pod((i + 3) % 7));
            }
        ::usleep(static_cast<useconds_t>(microseconds(random)));
        REQUIRE(::kill(child, SIGKILL) == 0);
        REQUIRE(::waitpid(child, nullptr, 0) == child);

        // One attachment that lives through it all, and whoever was killed is deleted or added again.
        need(state.store.reserve({"living", "eth0"}, sets));
        if (round % 2 == 0)
            for (int i = 0; i < 7; ++i)
                need(state.store.reserve(pod(i), sets));
        std::set<IpAddress> distinct;
        std::size_t held = 0;
        for (int i = 0; i < 7; ++i)
            for (const IpAddress& address : need(state.store.reserved(pod(i)))) {
                distinct.insert(address);
                ++held;
            }
        REQUIRE(distinct.size() == held);
        for (int i = 0; i < 7; ++i)
            need(state.store.release(pod(i)));
        REQUIRE(state.files().size() == 2); // the living one's
    }
    CHECK(need(state.store.reserved({"living", "eth0"})).size() == 2);
}
