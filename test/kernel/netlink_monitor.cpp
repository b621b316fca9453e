#include "base/unique_fd.h"
#include "netlink/monitor.h"
#include "test/support/catch.h"
#include "test/support/netns_fixture.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <thread>

using namespace routelet;
using namespace routelet::netlink;
using namespace routelet::test;

namespace {

// Notifications are queued before the request that caused them returns, so nothing has to be waited for. IPv6
// addresses are the exception: the kernel announces them from work that it does later.
std::vector<KernelEvent> read_all(Monitor& monitor)
{
    std::vector<KernelEvent> all;
    for (;;) {
        auto some = need(monitor.read());
        if (some.empty())
            return all;
        std::ranges::move(some, std::back_inserter(all));
    }
}

// Until `done` says so of all that came, or for two seconds.
template <class Done>
std::vector<KernelEvent> read_until(Monitor& monitor, Done done)
{
    std::vector<KernelEvent> all = read_all(monitor);
    for (int i = 0; i < 200 && !done(all); ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
        std::ranges::move(read_all(monitor), std::back_inserter(all));
    }
    return all;
}

template <class Event, class Matches>
std::ptrdiff_t count(const std::vector<KernelEvent>& events, Matches matches)
{
    return std::ranges::count_if(events, [&](const KernelEvent& event) {
        const auto* const held = std::get_if<Event>(&event);
        return held != nullptr && matches(*held);
    });
}

std::ptrdiff_t route_changes(const std::vector<KernelEvent>& events, const IpPrefix& destination,
                             bool removed)
{
    return count<RouteChanged>(events, [&](const RouteChanged& change) {
        return change.route.destination == destination && change.removed == removed;
    });
}

std::ptrdiff_t address_changes(const std::vector<KernelEvent>& events, const IpAddress& address, bool removed)
{
    return count<AddressChanged>(events, [&](const AddressChanged& change) {
        return change.address.address == address && change.removed == removed;
    });
}

std::ptrdiff_t overruns(const std::vector<KernelEvent>& events)
{
    return count<Overrun>(events, [](const Overrun&) { return true; });
}

Route pod_route(const IpPrefix& pods, const IpAddress& node, IfIndex uplink)
{
    return {
        .destination = pods, .gateway = node, .oif = uplink, .metric = 8200, .protocol = RouteProtocol{82}};
}

std::vector<Request> many_routes(std::size_t count, IfIndex uplink)
{
    std::vector<Request> requests;
    for (std::size_t i = 0; i < count; ++i)
        requests.push_back(create_route(
            pod_route(IpPrefix::of("10.0.0.0"_ip.plus(i * 256), 24), "192.168.1.12"_ip, uplink)));
    return requests;
}

} // namespace

TEST_CASE_METHOD(NetnsFixture, "routes that come and go are announced", "[kernel][netlink]")
{
    const auto uplink = add_uplink("up0", {"192.168.1.11/24", "fd00:1::11/64"});
    const auto route = GENERATE_COPY(pod_route("10.244.2.0/24"_net, "192.168.1.12"_ip, uplink),
                                     pod_route("fd00:10:244:2::/64"_net, "fd00:1::12"_ip, uplink));
    Monitor monitor = need(Monitor::open());
    CHECK(need(monitor.read()).empty());

    need(socket().execute(create_route(route)));
    const auto added = read_all(monitor);
    CHECK(count<RouteChanged>(added, [&](const RouteChanged& change) {
              return change.route == route && !change.removed;
          }) == 1);

    need(socket().execute(delete_route(route)));
    CHECK(route_changes(read_all(monitor), route.destination, true) == 1);
}

TEST_CASE_METHOD(NetnsFixture, "links and addresses that come and go are announced", "[kernel][netlink]")
{
    Monitor monitor = need(Monitor::open());
    const auto change_of = [](const std::string& name, bool removed) {
        return
            [=](const LinkChanged& change) { return change.link.name == name && change.removed == removed; };
    };

    add_uplink("up0", {"192.168.1.11/24", "fd00:1::11/64"});
    const auto added = read_until(
        monitor, [](const auto& events) { return address_changes(events, "fd00:1::11"_ip, false) > 0; });
    CHECK(count<LinkChanged>(added, change_of("up0", false)) > 0);
    CHECK(address_changes(added, "192.168.1.11"_ip, false) == 1);
    CHECK(address_changes(added, "fd00:1::11"_ip, false) > 0);

    run("ip address del 192.168.1.11/24 dev up0 && ip address del fd00:1::11/64 dev up0");
    const auto without = read_all(monitor);
    CHECK(address_changes(without, "192.168.1.11"_ip, true) == 1);
    CHECK(address_changes(without, "fd00:1::11"_ip, true) == 1);

    run("ip link del up0");
    CHECK(count<LinkChanged>(read_all(monitor), change_of("up0", true)) == 1);
}

TEST_CASE_METHOD(NetnsFixture, "IPv4 forwarding that is written is announced, of each link by itself",
                 "[kernel][netlink]")
{
    const IfIndex eth0 = add_uplink("eth0", {"192.168.1.11/24"});
    run("echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv4/conf/eth0/forwarding");
    Monitor monitor = need(Monitor::open());

    run("echo 0 >/proc/sys/net/ipv4/conf/eth0/forwarding");
    run("echo 0 >/proc/sys/net/ipv6/conf/eth0/forwarding; echo 1 >/proc/sys/net/ipv4/conf/eth0/rp_filter");
    const auto is_eth0 = [&](const ForwardingChanged& change) {
        return change.link == eth0 && !change.forwards;
    };
    const auto events = need(monitor.read());
    CHECK(count<ForwardingChanged>(events, is_eth0) == 1);
    CHECK(count<ForwardingChanged>(events, [](const ForwardingChanged&) { return true; }) == 1);

    run("echo 1 >/proc/sys/net/ipv4/conf/eth0/forwarding; echo 0 >/proc/sys/net/ipv4/ip_forward");
    CHECK(count<ForwardingChanged>(need(monitor.read()), is_eth0) == 1);
}

TEST_CASE_METHOD(NetnsFixture, "a port that leaves its bridge is not a link that is gone",
                 "[kernel][netlink]")
{
    run("ip link add br0 type bridge && ip link add p0 type veth peer name p1 && ip link set p0 master br0");
    Monitor monitor = need(Monitor::open());

    run("ip link set p0 nomaster");

    const auto events = read_all(monitor);
    const auto of_port = [](bool removed) {
        return
            [=](const LinkChanged& change) { return change.link.name == "p0" && change.removed == removed; };
    };
    CHECK(count<LinkChanged>(events, of_port(false)) > 0);
    CHECK(count<LinkChanged>(events, of_port(true)) == 0);
}

// Why links are watched: the routes' own notifications do not come.
TEST_CASE_METHOD(NetnsFixture, "IPv4 routes that vanish with their link are not announced, the link is",
                 "[kernel][netlink]")
{
    const auto uplink = add_uplink("up0", {"192.168.1.11/24"});
    const auto route = pod_route("10.244.2.0/24"_net, "192.168.1.12"_ip, uplink);
    need(socket().execute(create_route(route)));
    Monitor monitor = need(Monitor::open());

    run("ip link set up0 down");

    const auto events = read_all(monitor);
    CHECK(route_changes(events, route.destination, true) == 0);
    CHECK(count<LinkChanged>(events, [](const LinkChanged& change) {
              return change.link.name == "up0" && !change.link.is_up();
          }) > 0);
}

TEST_CASE_METHOD(NetnsFixture, "a monitor that is not read in time says that it lost something, and goes on",
                 "[kernel][netlink]")
{
    const auto uplink = add_uplink("up0", {"192.168.1.11/24"});
    Monitor monitor = need(Monitor::open());
    const int small = 65536; // bytes
    REQUIRE(::setsockopt(monitor.fd(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small) == 0);

    for (const auto& result : socket().execute_all(many_routes(2000, uplink)))
        REQUIRE(result);

    const auto events = read_all(monitor);
    CHECK(overruns(events) == 1);
    CHECK(events.size() < 2000);
    const auto route = pod_route("10.244.2.0/24"_net, "192.168.1.12"_ip, uplink);
    need(socket().execute(create_route(route)));
    CHECK(route_changes(read_all(monitor), route.destination, false) == 1);
}

TEST_CASE_METHOD(NetnsFixture, "a burst of 20,000 routes fits into the monitor's own buffer",
                 "[kernel][netlink]")
{
    const auto uplink = add_uplink("up0", {"192.168.1.11/24"});
    Monitor monitor = need(Monitor::open());

    for (const auto& result : socket().execute_all(many_routes(20'000, uplink)))
        REQUIRE(result);

    const auto events = read_all(monitor);
    CHECK(overruns(events) == 0);
    CHECK(count<RouteChanged>(events, [](const RouteChanged& change) { // not the link's own IPv6 ones
              return change.route.protocol == RouteProtocol{82};
          }) == 20'000);
}

TEST_CASE_METHOD(NetnsFixture, "a message that another process sends to the monitor is not believed",
                 "[kernel][netlink]")
{
    const auto uplink = add_uplink("up0", {"192.168.1.11/24"});
    const auto route = pod_route("10.244.2.0/24"_net, "192.168.1.12"_ip, uplink);
    Monitor monitor = need(Monitor::open());
    sockaddr_nl address{};
    socklen_t size = sizeof address;
    REQUIRE(::getsockname(monitor.fd(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    const UniqueFd forger(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    REQUIRE(forger);
    const Request forged = delete_route(route);
    address.nl_groups = 0;

    REQUIRE(::sendto(forger.fd(), forged.bytes().data(), forged.bytes().size(), 0,
                     reinterpret_cast<const sockaddr*>(&address),
                     sizeof address) == static_cast<ssize_t>(forged.bytes().size()));
    need(socket().execute(create_route(route)));

    const auto events = read_all(monitor);
    CHECK(route_changes(events, route.destination, true) == 0);
    CHECK(route_changes(events, route.destination, false) == 1);
}
