#include "netlink/route.h"
#include "test/support/catch.h"
#include "test/support/netns_fixture.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <set>

using namespace routelet;
using namespace routelet::netlink;
using namespace routelet::test;
namespace errc = boost::system::errc;

namespace {

constexpr std::size_t route_count = 2000;

// The i-th of many: every 97th through a gateway that is not on the link.
bool is_bad(std::size_t i)
{
    return i % 97 == 3;
}

Route route_number(std::size_t i, IpFamily family, IfIndex uplink)
{
    const bool v4 = family == IpFamily::v4;
    const IpAddress network = v4 ? "10.0.0.0"_ip.plus(i * 256) : "fd00:10::"_ip.plus(i << 32U);
    const IpAddress good = v4 ? "192.168.1.12"_ip : "fd00:1::12"_ip;
    const IpAddress bad = v4 ? "172.16.0.1"_ip : "fd00:ffff::1"_ip;
    return {.destination = IpPrefix::of(network, v4 ? 24 : 96),
            .gateway = is_bad(i) ? bad : good,
            .oif = uplink,
            .metric = 8200,
            .protocol = RouteProtocol{82}};
}

// The descriptor that the next open() in this process gives out.
int next_descriptor()
{
    const int next = ::dup(STDOUT_FILENO);
    ::close(next);
    return next;
}

} // namespace

TEST_CASE_METHOD(NetnsFixture, "of many requests exactly the bad ones fail, and all others take effect",
                 "[kernel][netlink]")
{
    const auto family = GENERATE(IpFamily::v4, IpFamily::v6);
    const auto uplink = add_uplink("up0", {"192.168.1.11/24", "fd00:1::11/64"});
    std::vector<Request> requests;
    std::set<IpPrefix> expected;
    for (std::size_t i = 0; i < route_count; ++i) {
        const auto route = route_number(i, family, uplink);
        requests.push_back(create_route(route));
        if (!is_bad(i))
            expected.insert(route.destination);
    }

    const auto results = socket().execute_all(requests);

    REQUIRE(results.size() == route_count);
    for (std::size_t i = 0; i < route_count; ++i) {
        CAPTURE(i);
        REQUIRE(results[i].has_value() == !is_bad(i));
        if (is_bad(i))
            REQUIRE_THAT(results[i].error().text(), has_text(requests[i].what()));
    }
    std::set<IpPrefix> found;
    for (const auto& route : need(list_routes(socket())))
        if (route.protocol == RouteProtocol{82})
            found.insert(route.destination);
    CHECK(found == expected);
}

TEST_CASE_METHOD(NetnsFixture, "the last of a batch may fail, and no request at all is no work",
                 "[kernel][netlink]")
{
    const auto uplink = add_uplink("up0", {"192.168.1.11/24"});
    const std::vector requests = {create_route(route_number(0, IpFamily::v4, uplink)),
                                  create_route(route_number(3, IpFamily::v4, uplink))};

    const auto results = socket().execute_all(requests);

    CHECK(results[0].has_value());
    CHECK(results[1].error().code == errc::network_unreachable);
    CHECK(socket().execute_all({}).empty());
}

TEST_CASE_METHOD(NetnsFixture, "a request that overflowed is reported and hinders none of its neighbours",
                 "[kernel][netlink]")
{
    const auto uplink = add_uplink("up0", {"192.168.1.11/24"});
    Request overflowing = create_route(route_number(1, IpFamily::v4, uplink));
    overflowing.put(1, std::string(10'000, 'x'));
    const std::vector requests = {create_route(route_number(0, IpFamily::v4, uplink)), overflowing,
                                  create_route(route_number(2, IpFamily::v4, uplink)), overflowing};

    const auto results = socket().execute_all(requests);

    CHECK(results[0].has_value());
    CHECK(results[1].error().code == errc::no_buffer_space);
    CHECK(results[2].has_value());
    CHECK(results[3].error().code == errc::no_buffer_space);
    CHECK(socket().execute(overflowing).error().code == errc::no_buffer_space);
}

TEST_CASE_METHOD(NetnsFixture,
                 "answers that got lost are reported as timed out, and the next request is not confused",
                 "[kernel][netlink]")
{
    const auto uplink = add_uplink("up0", {"192.168.1.11/24"});
    const int fd = next_descriptor();
    Socket narrow = need(Socket::open());
    const int tiny = 1; // the kernel makes it its minimum
    REQUIRE(::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &tiny, sizeof tiny) == 0);
    std::vector<Request> requests;
    for (std::size_t i = 0; i < 500; ++i)
        requests.push_back(delete_route(route_number(i, IpFamily::v4, uplink)));
    requests.push_back(create_route(route_number(0, IpFamily::v4, uplink)));

    const auto results = narrow.execute_all(requests);

    CHECK(results.front().error().code == errc::no_such_process);
    CHECK(results[499].error().code == errc::timed_out);
    CHECK(results.back().error().code == errc::timed_out);
    CHECK_THAT(results.back().error().text(), has_text("adding route 10.0.0.0/24"));
    // Lost answers, not lost requests: the route is there.
    const auto again = narrow.execute(create_route(route_number(0, IpFamily::v4, uplink)));
    CHECK(again.error().code == errc::file_exists);
    need(narrow.execute(create_route(route_number(1, IpFamily::v4, uplink))));
}
