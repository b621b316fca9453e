#include "netlink/conntrack.h"

#include "test/support/catch.h"
#include "test/support/netlink_bytes.h"

#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>

using namespace routelet;
using namespace routelet::netlink;
using namespace routelet::test;

namespace {

Bytes nest(std::uint16_t type, std::initializer_list<Bytes> parts)
{
    return attribute(static_cast<std::uint16_t>(type | NLA_F_NESTED), joined(parts));
}
Bytes port(std::uint16_t type, std::uint16_t number)
{
    return attribute(type, Bytes{static_cast<std::uint8_t>(number >> 8U), static_cast<std::uint8_t>(number)});
}
Bytes address(std::uint16_t type, const IpAddress& address)
{
    return attribute(type, Bytes(address.bytes().begin(), address.bytes().end()));
}
Bytes tuple(std::uint16_t type, const ConnectionTuple& tuple)
{
    const bool is_v4 = tuple.source.family() == IpFamily::v4;
    return nest(type,
                {nest(CTA_TUPLE_IP, {address(is_v4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, tuple.source),
                                     address(is_v4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, tuple.destination)}),
                 nest(CTA_TUPLE_PROTO, {attribute(CTA_PROTO_NUM, Bytes{tuple.protocol}),
                                        port(CTA_PROTO_SRC_PORT, tuple.source_port),
                                        port(CTA_PROTO_DST_PORT, tuple.destination_port)})});
}

const Bytes inet = {2, 0, 0, 0}; // nfgenmsg: AF_INET, version 0
const Bytes number_7 = attribute(CTA_ID, Bytes{0, 0, 0, 7});

// A client's datagram to a port of the node that leads to a pod.
const ConnectionTuple there = {"192.168.1.50"_ip, "192.168.1.11"_ip, IPPROTO_UDP, 4000, 53};
const ConnectionTuple back = {"10.244.1.7"_ip, "192.168.1.50"_ip, IPPROTO_UDP, 5353, 4000};
const Bytes message = joined({inet, tuple(CTA_TUPLE_ORIG, there), tuple(CTA_TUPLE_REPLY, back),
                              attribute(CTA_STATUS, Bytes{0, 0, 1, 0x88}), number_7});

} // namespace

TEST_CASE("a tracked connection has both directions, and what tells it from all others", "[netlink]")
{
    const Connection connection = need(parse_connection(message));
    CHECK(connection.original == there);
    CHECK(connection.reply == back);
    CHECK(connection.identity == joined({tuple(CTA_TUPLE_ORIG, there), number_7}));
}

TEST_CASE("a connection without ports, as of ICMP, is one", "[netlink]")
{
    const auto icmp = [](std::uint16_t type, const char* from, const char* to) {
        return nest(type, {nest(CTA_TUPLE_IP, {address(CTA_IP_V6_SRC, need(IpAddress::parse(from))),
                                               address(CTA_IP_V6_DST, need(IpAddress::parse(to)))}),
                           nest(CTA_TUPLE_PROTO, {attribute(CTA_PROTO_NUM, Bytes{IPPROTO_ICMPV6})})});
    };
    const Connection connection = need(parse_connection(joined(
        {inet, icmp(CTA_TUPLE_ORIG, "fd00::1", "fd00::2"), icmp(CTA_TUPLE_REPLY, "fd00::2", "fd00::1")})));
    CHECK(connection.original.source == "fd00::1"_ip);
    CHECK(connection.original.destination_port == 0);
}

TEST_CASE("a query looks at what it names", "[netlink]")
{
    const Connection connection{there, back};
    CHECK(ConnectionQuery{}.matches(connection));
    CHECK(ConnectionQuery{.family = IpFamily::v4, .protocol = IPPROTO_UDP, .original_destination_port = 53}
              .matches(connection));
    CHECK_FALSE(ConnectionQuery{.family = IpFamily::v6}.matches(connection));
    CHECK_FALSE(ConnectionQuery{.protocol = IPPROTO_TCP}.matches(connection));
    CHECK_FALSE(ConnectionQuery{.original_destination_port = 5353}.matches(connection));
}

TEST_CASE("a connection that is cut or damaged is no reason to read beyond it", "[netlink]")
{
    for_every_truncation(message, [](std::span<const std::uint8_t> part) { (void)parse_connection(part); });
    for_every_damage(message, [](std::span<const std::uint8_t> part) { (void)parse_connection(part); });
    CHECK(parse_connection(joined({inet, tuple(CTA_TUPLE_ORIG, there)})).has_error());
    CHECK(parse_connection({}).has_error());
}
