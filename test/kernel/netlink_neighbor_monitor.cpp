#include "netlink/neighbor_monitor.h"
#include "test/support/catch.h"
#include "test/support/netns_fixture.h"

#include <linux/neighbour.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>

using namespace routelet;
using namespace routelet::netlink;
using namespace routelet::test;

namespace {

// A link up0, with one at its far end who answers for 192.168.1.12 and fd00:1::12; who does not is given up
// soon.
class NeighborMonitorFixture : public NetnsFixture {
public:
    const NetNamespace far = another_netns();
    const IfIndex uplink;

    NeighborMonitorFixture() : uplink(connect()) {}

    // Has the kernel ask who is there, as a packet to it would.
    void ask(const IpAddress& address) { need(ask_neighbor(socket(), uplink, address)); }

    // Whoever does not answer then; who is there has answered before, for a link takes a moment to be ready.
    void give_up_soon() const
    {
        run("sysctl -qw net.ipv4.neigh.up0.retrans_time_ms=20 net.ipv6.neigh.up0.retrans_time_ms=20");
    }

    // The next announcement of this address within five seconds; those of others are passed over.
    std::optional<NeighborChanged> next_of(const IpAddress& address)
    {
        pollfd readable{.fd = monitor.fd(), .events = POLLIN, .revents = 0};
        for (int i = 0; i < 50; ++i) {
            for (NeighborChanged& change : need(monitor.read()))
                waiting_.push_back(change);
            const auto found = std::ranges::find(waiting_, address, &NeighborChanged::address);
            if (found != waiting_.end()) {
                NeighborChanged change = *found;
                waiting_.erase(waiting_.begin(), found + 1);
                return change;
            }
            (void)::poll(&readable, 1, 100);
        }
        return std::nullopt;
    }

    NeighborMonitor monitor = need(NeighborMonitor::open());

private:
    IfIndex connect()
    {
        run("ip link add up0 type veth peer name up0 netns /proc/" + std::to_string(::getpid()) + "/fd/" +
            std::to_string(far.fd()) +
            " && ip link set up0 up && ip address add 192.168.1.11/24 dev up0 && "
            "ip address add fd00:1::11/64 dev up0 nodad");
        in_netns(far, [&] {
            run("ip link set up0 address 0a:00:00:00:00:12 up && ip address add 192.168.1.12/24 dev up0 && "
                "ip address add fd00:1::12/64 dev up0 nodad");
        });
        return index_of("up0");
    }

    std::vector<NeighborChanged> waiting_;
};

const auto mac = need(MacAddress::parse("0a:00:00:00:00:12"));

} // namespace

TEST_CASE_METHOD(NeighborMonitorFixture, "who answers is announced, and who does not", "[kernel][netlink]")
{
    const auto [there, absent] = GENERATE(std::pair{"192.168.1.12"_ip, "192.168.1.13"_ip},
                                          std::pair{"fd00:1::12"_ip, "fd00:1::13"_ip});
    CAPTURE(there);
    ask(there);
    const auto answered = next_of(there);
    REQUIRE(answered);
    CHECK(answered->link == uplink);
    CHECK(answered->neighbor.state_name() == "REACHABLE");
    CHECK(answered->neighbor.mac == mac);
    CHECK(answered->port == 0);

    give_up_soon();
    ask(absent);
    const auto silent = next_of(absent);
    REQUIRE(silent);
    CHECK(silent->neighbor.state_name() == "FAILED");
    CHECK(silent->port == 0);
}

TEST_CASE_METHOD(NeighborMonitorFixture, "what others do to neighbours is announced with their port",
                 "[kernel][netlink]")
{
    run("ip neighbour replace 192.168.1.12 lladdr 0a:00:00:00:00:66 dev up0 nud permanent");
    const auto pinned = next_of("192.168.1.12"_ip);
    REQUIRE(pinned);
    CHECK(pinned->neighbor.state_name() == "PERMANENT");
    CHECK(pinned->neighbor.mac == need(MacAddress::parse("0a:00:00:00:00:66")));
    CHECK(pinned->port != 0);

    run("ip neighbour del 192.168.1.12 dev up0");
    const auto removed = next_of("192.168.1.12"_ip);
    REQUIRE(removed);
    CHECK(removed->neighbor.state_name() == "FAILED");
    CHECK(removed->port != 0);
}

TEST_CASE_METHOD(NeighborMonitorFixture, "what is not sure, and what bridges learn, wakes nobody",
                 "[kernel][netlink]")
{
    run("ip link add bridge0 type bridge");
    run("ip link add port0 master bridge0 up type veth peer name port0-far");
    (void)need(monitor.read());
    run("bridge fdb add 0a:00:00:00:00:77 dev port0 master static");
    for (const char* state : {"incomplete", "delay", "probe", "none"})
        run("ip neighbour replace 192.168.1.14 lladdr 0a:00:00:00:00:14 dev up0 nud " + std::string(state));
    run("ip neighbour replace 192.168.1.15 lladdr 0a:00:00:00:00:15 dev up0 nud stale");
    const auto all = need(monitor.read());
    REQUIRE(std::ranges::count(all, "192.168.1.15"_ip, &NeighborChanged::address) == 1);
    CHECK(std::ranges::none_of(all, [](const NeighborChanged& change) {
        return (change.neighbor.state & (NUD_INCOMPLETE | NUD_DELAY | NUD_PROBE)) != 0 ||
               change.neighbor.state == NUD_NONE;
    }));
    CHECK(std::ranges::none_of(all, [&](const NeighborChanged& change) {
        return change.neighbor.mac == need(MacAddress::parse("0a:00:00:00:00:77"));
    }));
}
