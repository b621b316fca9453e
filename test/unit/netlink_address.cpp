#include "netlink/address.h"
#include "test/support/catch.h"
#include "test/support/netlink_bytes.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

using namespace routelet;
using namespace routelet::netlink;
using namespace routelet::test;
namespace errc = boost::system::errc;

namespace {

const InterfaceAddress bridge_v4{.link = IfIndex{3}, .address = "10.244.1.1"_ip, .length = 24};
const InterfaceAddress bridge_v6{.link = IfIndex{3}, .address = "fd00:10:244:1::1"_ip, .length = 64};

ifaddrmsg address_header(int family, unsigned length)
{
    ifaddrmsg header{};
    header.ifa_family = static_cast<std::uint8_t>(family);
    header.ifa_prefixlen = static_cast<std::uint8_t>(length);
    header.ifa_flags = IFA_F_PERMANENT;
    header.ifa_index = 3;
    return header;
}

} // namespace

TEST_CASE("an address reads back as it is written, and an IPv6 one skips duplicate detection", "[netlink]")
{
    CHECK(need(parse_address(payload_of(add_address(bridge_v4)))) == bridge_v4);
    InterfaceAddress at_once = bridge_v6;
    at_once.flags = IFA_F_NODAD;
    CHECK(need(parse_address(payload_of(add_address(bridge_v6)))) == at_once);
    CHECK(need(parse_address(payload_of(delete_address(bridge_v6)))) == bridge_v6);
}

TEST_CASE("on a point-to-point link the local address counts, and 32 bits of flags go before 8", "[netlink]")
{
    Request message(RTM_NEWADDR, 0, address_header(AF_INET, 32));
    message.put(IFA_LOCAL, "10.7.0.1"_ip);
    message.put(IFA_ADDRESS, "10.7.0.2"_ip);
    CHECK(need(parse_address(payload_of(message))).address == "10.7.0.1"_ip);
    CHECK(need(parse_address(payload_of(message))).flags == IFA_F_PERMANENT);

    message.put_u32(IFA_FLAGS, IFA_F_NOPREFIXROUTE | IFA_F_SECONDARY);
    CHECK(need(parse_address(payload_of(message))).flags == (IFA_F_NOPREFIXROUTE | IFA_F_SECONDARY));
}

TEST_CASE("an address message that ends early is refused, or is one with fewer attributes", "[netlink]")
{
    for (const auto& address : {bridge_v4, bridge_v6})
        for_every_truncation(payload_of(add_address(address)), [&](std::span<const std::uint8_t> part) {
            const auto parsed = parse_address(part);
            if (!parsed)
                CHECK(parsed.error().code == errc::bad_message);
            else
                CHECK(parsed->address == address.address);
        });
}

TEST_CASE("damaged address messages are never read beyond their end", "[netlink]")
{
    std::size_t refused = 0;
    for_every_damage(payload_of(add_address(bridge_v4)), [&](std::span<const std::uint8_t> damaged) {
        refused += parse_address(damaged) ? 0 : 1;
    });
    CHECK(refused > 0);
}

TEST_CASE("an address message without an address of its family is refused", "[netlink]")
{
    Request none(RTM_NEWADDR, 0, address_header(AF_INET, 24));
    CHECK(parse_address(payload_of(none)).error().code == errc::bad_message);

    Request other(RTM_NEWADDR, 0, address_header(AF_INET, 24));
    other.put(IFA_LOCAL, "fd00::1"_ip);
    CHECK(parse_address(payload_of(other)).error().code == errc::bad_message);

    Request too_long(RTM_NEWADDR, 0, address_header(AF_INET, 33));
    too_long.put(IFA_LOCAL, "10.7.0.1"_ip);
    CHECK(parse_address(payload_of(too_long)).error().code == errc::bad_message);

    Request foreign(RTM_NEWADDR, 0, address_header(AF_UNIX, 0));
    CHECK(parse_address(payload_of(foreign)).error().code == errc::bad_message);
}
