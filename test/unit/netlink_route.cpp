#include "netlink/route.h"
#include "test/support/catch.h"
#include "test/support/netlink_bytes.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <sstream>

using namespace routelet;
using namespace routelet::netlink;
using namespace routelet::test;
namespace errc = boost::system::errc;

namespace {

const Route pods_v4{.destination = "10.244.2.0/24"_net,
                    .gateway = "192.168.1.12"_ip,
                    .oif = IfIndex{3},
                    .metric = 8200,
                    .protocol = RouteProtocol{82}};
const Route pods_v6{.destination = "fd00:10:244:2::/64"_net,
                    .gateway = "fd00:1::12"_ip,
                    .oif = IfIndex{3},
                    .metric = 8200,
                    .protocol = RouteProtocol{82}};

std::string printed(const Route& route)
{
    std::ostringstream text;
    text << route;
    return text.str();
}

Request route_message(rtmsg header)
{
    return {RTM_NEWROUTE, 0, header};
}

rtmsg v4_header(unsigned length)
{
    rtmsg header{};
    header.rtm_family = AF_INET;
    header.rtm_dst_len = static_cast<std::uint8_t>(length);
    header.rtm_table = RT_TABLE_MAIN;
    header.rtm_type = RTN_UNICAST;
    return header;
}

// Two next hops; the first's length can be falsified.
Bytes multipath(std::uint16_t first_length)
{
    rtnexthop hop{};
    hop.rtnh_ifindex = 3;
    hop.rtnh_flags = RTNH_F_LINKDOWN;
    Bytes hops;
    for (const auto& gateway : {"192.168.1.12"_ip, "192.168.1.13"_ip}) {
        hop.rtnh_len = hops.empty() ? first_length : std::uint16_t{16};
        const auto* const raw = reinterpret_cast<const std::uint8_t*>(&hop);
        hops.insert(hops.end(), raw, raw + sizeof hop);
        const Bytes via = attribute(RTA_GATEWAY, gateway.bytes());
        hops.insert(hops.end(), via.begin(), via.end());
    }
    return hops;
}

Result<Route> parse_multipath(std::uint16_t first_length)
{
    Request message = route_message(v4_header(24));
    message.put(RTA_DST, "10.244.2.0"_ip);
    message.put(RTA_MULTIPATH, std::span<const std::uint8_t>(multipath(first_length)));
    return parse_route(payload_of(message));
}

} // namespace

TEST_CASE("a route reads back as it is written", "[netlink]")
{
    Route other_table = pods_v4;
    other_table.table = 10'082;
    Route via_v6 = pods_v4;
    via_v6.gateway = "fe80::1"_ip;
    Route guard = pods_v6;
    guard.gateway.reset();
    guard.oif = {};
    guard.type = RTN_UNREACHABLE;
    Route everything = pods_v4;
    everything.destination = "0.0.0.0/0"_net;

    for (const Route& route : {pods_v4, pods_v6, other_table, via_v6, guard, everything}) {
        CHECK(need(parse_route(payload_of(create_route(route)))) == route);
        CHECK(need(parse_route(payload_of(replace_route(route)))) == route);
    }
}

TEST_CASE("creating never replaces, replacing never merges, and each says what it does", "[netlink]")
{
    const auto flags = [](const Request& request) {
        nlmsghdr header{};
        std::memcpy(&header, request.bytes().data(), sizeof header);
        return header.nlmsg_flags;
    };

    CHECK(flags(create_route(pods_v4)) == (NLM_F_CREATE | NLM_F_EXCL));
    CHECK(flags(replace_route(pods_v4)) == (NLM_F_CREATE | NLM_F_REPLACE));
    CHECK(create_route(pods_v4).what() == "adding route 10.244.2.0/24");
    CHECK(replace_route(pods_v4).what() == "replacing route 10.244.2.0/24");
    CHECK(delete_route(pods_v4).what() == "removing route 10.244.2.0/24");
}

TEST_CASE("a delete carries destination, table, metric, protocol, type and next hop", "[netlink]")
{
    const Request request = delete_route(pods_v4);
    CHECK(request.type() == RTM_DELROUTE);

    const Route named = need(parse_route(payload_of(request)));
    CHECK(named.destination == pods_v4.destination);
    CHECK(named.table == pods_v4.table);
    CHECK(named.metric == pods_v4.metric);
    CHECK(named.protocol == pods_v4.protocol);
    CHECK(named.type == pods_v4.type);
    CHECK(named.gateway == pods_v4.gateway);
    CHECK(named.oif == pods_v4.oif);

    SECTION("of several next hops none, since IPv6 would remove only that")
    {
        Route several = pods_v4;
        several.is_multipath = true;
        const Route all = need(parse_route(payload_of(delete_route(several))));
        CHECK(all.gateway == std::nullopt);
        CHECK(all.oif == IfIndex{});
    }
}

TEST_CASE("a route message that ends early is refused, or is one with fewer attributes", "[netlink]")
{
    for (const Route& route : {pods_v4, pods_v6}) {
        const Bytes message = payload_of(create_route(route));
        std::size_t whole = 0;
        for_every_truncation(message, [&](std::span<const std::uint8_t> part) {
            const auto parsed = parse_route(part);
            if (!parsed)
                CHECK(parsed.error().code == errc::bad_message);
            else {
                ++whole; // it ended between two attributes
                CHECK(parsed->destination == route.destination);
            }
        });
        CHECK(whole == 4); // without the last, the last two, ... of table, metric, gateway and interface
    }
}

TEST_CASE("damaged route messages are never read beyond their end", "[netlink]")
{
    Request message = route_message(v4_header(24));
    message.put(RTA_DST, "10.244.2.0"_ip);
    message.put(RTA_MULTIPATH, std::span<const std::uint8_t>(multipath(16)));
    message.put_u32(RTA_TABLE, 254);
    std::size_t refused = 0;
    for_every_damage(payload_of(message),
                     [&](std::span<const std::uint8_t> damaged) { refused += parse_route(damaged) ? 0 : 1; });
    CHECK(refused > 0);
}

TEST_CASE("a route message with an attribute of a wrong size is refused", "[netlink]")
{
    const auto type = GENERATE(as<std::uint16_t>{}, RTA_DST, RTA_GATEWAY, RTA_OIF, RTA_TABLE, RTA_PRIORITY,
                               RTA_VIA, RTA_MULTIPATH);
    const auto size = GENERATE(std::size_t{0}, std::size_t{1}, std::size_t{3}, std::size_t{5});
    CAPTURE(type, size);
    Request message = route_message(v4_header(0));
    message.put(type, std::span<const std::uint8_t>(Bytes(size, 2)));

    CHECK(parse_route(payload_of(message)).error().code == errc::bad_message);
}

TEST_CASE("a route message that contradicts itself is refused", "[netlink]")
{
    SECTION("a length that the family does not have")
    {
        Request message = route_message(v4_header(33));
        message.put(RTA_DST, "10.244.2.0"_ip);
        CHECK(parse_route(payload_of(message)).error().code == errc::bad_message);
    }
    SECTION("a length without a destination")
    {
        CHECK(parse_route(payload_of(route_message(v4_header(24)))).error().code == errc::bad_message);
    }
    SECTION("a gateway of the other family")
    {
        Request message = route_message(v4_header(0));
        message.put(RTA_GATEWAY, "fd00::1"_ip);
        CHECK(parse_route(payload_of(message)).error().code == errc::bad_message);
    }
    SECTION("another family")
    {
        rtmsg header = v4_header(0);
        header.rtm_family = AF_UNIX;
        CHECK(parse_route(payload_of(route_message(header))).error().code == errc::bad_message);
    }
    SECTION("an attribute that claims more than there is, or less than its own header")
    {
        for (const auto length : std::vector<std::uint16_t>{1, 3, 9, 255, 65535}) {
            const Bytes broken =
                joined({payload_of(route_message(v4_header(0))), attribute(RTA_OIF, Bytes(4, 1), length)});
            CHECK(parse_route(broken).error().code == errc::bad_message);
        }
    }
}

TEST_CASE("a cached route is not a route of a table", "[netlink]")
{
    rtmsg header = v4_header(0);
    header.rtm_flags = RTM_F_CLONED;
    CHECK(parse_route(payload_of(route_message(header))).error().code == errc::not_supported);
}

TEST_CASE("the first next hop of several is the one that is shown", "[netlink]")
{
    const Route route = need(parse_multipath(16));
    CHECK(route.is_multipath);
    CHECK(route.gateway == "192.168.1.12"_ip);
    CHECK(route.oif == IfIndex{3});
    CHECK((route.flags & RTNH_F_LINKDOWN) != 0);

    for (const auto length : std::vector<std::uint16_t>{0, 7, 9, 12, 200})
        CHECK(parse_multipath(length).error().code == errc::bad_message);
}

TEST_CASE("routes print as ip-route(8) prints them", "[netlink]")
{
    CHECK(printed(pods_v4) == "10.244.2.0/24 via 192.168.1.12 proto 82 metric 8200");
    Route guard{.destination = "10.244.0.0/16"_net, .table = 7, .protocol = RouteProtocol{RTPROT_STATIC}};
    guard.type = RTN_UNREACHABLE;
    CHECK(printed(guard) == "unreachable 10.244.0.0/16 table 7 proto static");
    CHECK(printed({.destination = "0.0.0.0/0"_net,
                   .gateway = "fe80::1"_ip,
                   .protocol = RouteProtocol{RTPROT_DHCP},
                   .is_multipath = true}) == "default nexthop via inet6 fe80::1 proto dhcp");
}

TEST_CASE("protocols have iproute2's names, or are numbers", "[netlink]")
{
    CHECK(to_string(RouteProtocol{RTPROT_KERNEL}) == "kernel");
    CHECK(to_string(RouteProtocol{RTPROT_BIRD}) == "bird");
    CHECK(to_string(RouteProtocol{82}) == "82");
}
