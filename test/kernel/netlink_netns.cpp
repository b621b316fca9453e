#include "netlink/link.h"
#include "netlink/netns.h"
#include "netlink/netns_id.h"
#include "test/support/catch.h"
#include "test/support/netns_fixture.h"
#include "test/support/temporary_directory.h"

#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <optional>

using namespace routelet;
using namespace routelet::netlink;
using namespace routelet::test;
namespace errc = boost::system::errc;

TEST_CASE_METHOD(NetnsFixture, "a namespace is entered, and is itself by whatever path it was opened",
                 "[kernel][netlink]")
{
    const NetNamespace here = need(NetNamespace::current());
    const NetNamespace other = another_netns();

    CHECK(here.is_same_as(need(NetNamespace::open("/proc/self/ns/net"))));
    CHECK_FALSE(here.is_same_as(other));
    CHECK(in_netns(other, [&] { return need(NetNamespace::current()).is_same_as(other); }));
    CHECK(need(NetNamespace::current()).is_same_as(here));
}

TEST_CASE_METHOD(NetnsFixture, "a socket's namespace is the one that it was opened in", "[kernel][netlink]")
{
    const NetNamespace other = another_netns();
    const Socket there = in_netns(other, [] { return need(Socket::open()); });

    CHECK(need(NetNamespace::of(socket())).is_same_as(need(NetNamespace::current())));
    CHECK(need(NetNamespace::of(there)).is_same_as(other));
}

TEST_CASE("what is not a network namespace is refused by name, and nothing hangs", "[kernel][netlink]")
{
    const TemporaryDirectory directory;
    const auto file = directory.path / "file";
    const auto fifo = directory.path / "fifo";
    std::ofstream(file) << "x";
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);

    for (const std::string& path : {file.string(), fifo.string(), directory.path.string(),
                                    std::string("/dev/zero"), std::string("/proc/self/ns/uts")}) {
        CAPTURE(path);
        const auto opened = NetNamespace::open(path);

        REQUIRE(opened.has_error());
        CHECK(opened.error().code == errc::invalid_argument);
        CHECK_THAT(opened.error().text(), has_text(path));
    }
}

TEST_CASE("a namespace that is not there fails with the errno of open", "[kernel][netlink]")
{
    const auto absent = NetNamespace::open("/run/netns/no-such-namespace-of-ours");

    CHECK(absent.error().code == errc::no_such_file_or_directory);
    CHECK_THAT(absent.error().text(), has_text("no-such-namespace-of-ours"));
}

TEST_CASE_METHOD(NetnsFixture,
                 "a namespace that a link led to is known until it ends, whatever becomes of the link",
                 "[kernel][netlink]")
{
    std::optional<NetNamespace> other = another_netns();
    CHECK(need(list_netns_ids(socket())).empty());

    run("ip link add p0 type veth peer name p1");
    CHECK_FALSE(link_of("p0").peer_netns.has_value());
    run("ip link set p1 netns /proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(other->fd()));
    const std::vector<NetnsId> known = need(list_netns_ids(socket()));
    REQUIRE(known.size() == 1);
    CHECK(link_of("p0").peer_netns == known[0]);

    run("ip link del p0");
    CHECK(need(list_netns_ids(socket())) == known);

    other.reset();
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!need(list_netns_ids(socket())).empty()) // the kernel ends a namespace in its own time
        REQUIRE(std::chrono::steady_clock::now() < deadline);
}
