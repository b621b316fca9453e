#include "netlink/link.h"
#include "test/support/catch.h"
#include "test/support/netlink_bytes.h"

#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

using namespace routelet;
using namespace routelet::netlink;
using namespace routelet::test;
namespace errc = boost::system::errc;

namespace {

const MacAddress mac{{0x0a, 0x58, 0x0a, 0xf4, 0x01, 0x02}};

ifinfomsg link_header(int index)
{
    ifinfomsg header{};
    header.ifi_index = index;
    header.ifi_flags = IFF_UP | IFF_LOWER_UP;
    return header;
}

// A bridge port as the kernel describes it.
Request port_message(const std::string& master_kind = "bridge")
{
    Request message(RTM_NEWLINK, 0, link_header(9));
    message.put(IFLA_IFNAME, "veth1234");
    message.put(IFLA_IFALIAS, "whose it is");
    message.put_u32(IFLA_MTU, 1500);
    message.put_u32(IFLA_GROUP, 82);
    message.put(IFLA_MASTER, IfIndex{4});
    message.put(IFLA_LINK, IfIndex{2});
    message.put(IFLA_ADDRESS, std::span<const std::uint8_t>(mac.bytes));
    message.nest(IFLA_LINKINFO, [&] {
        message.put(IFLA_INFO_KIND, "veth");
        message.put(IFLA_INFO_SLAVE_KIND, master_kind);
        message.nest(IFLA_INFO_SLAVE_DATA, [&] {
            message.put_u8(IFLA_BRPORT_MODE, 1);
            message.put_u8(IFLA_BRPORT_LEARNING, 0);
            message.put_u8(IFLA_BRPORT_LOCKED, 1);
        });
    });
    return message;
}

} // namespace

TEST_CASE("a bridge port is read with all that we ask of it", "[netlink]")
{
    const Link link = need(parse_link(payload_of(port_message())));

    CHECK(link == Link{.index = IfIndex{9},
                       .name = "veth1234",
                       .kind = "veth",
                       .alias = "whose it is",
                       .mac = mac,
                       .mtu = 1500,
                       .flags = IFF_UP | IFF_LOWER_UP,
                       .master = IfIndex{4},
                       .peer = IfIndex{2},
                       .group = 82,
                       .hairpin = true,
                       .is_locked = true});
    CHECK(link.is_up());
    CHECK(link.has_carrier());
    CHECK_FALSE(link.is_loopback());
}

TEST_CASE("only a bridge's ports have a hairpin mode", "[netlink]")
{
    CHECK(need(parse_link(payload_of(port_message("bond")))).hairpin == std::nullopt);
}

TEST_CASE("a link without an Ethernet address is read without one", "[netlink]")
{
    Request tunnel(RTM_NEWLINK, 0, link_header(5));
    tunnel.put(IFLA_IFNAME, "tunl0");
    tunnel.put(IFLA_ADDRESS, std::span<const std::uint8_t>(Bytes(4, 0)));

    CHECK(need(parse_link(payload_of(tunnel))).mac == std::nullopt);
}

TEST_CASE("a link message that ends early is refused, or is one with fewer attributes", "[netlink]")
{
    for_every_truncation(payload_of(port_message()), [](std::span<const std::uint8_t> part) {
        const auto parsed = parse_link(part);
        if (!parsed)
            CHECK(parsed.error().code == errc::bad_message);
        else
            CHECK(parsed->name == "veth1234");
    });
}

TEST_CASE("damaged link messages are never read beyond their end", "[netlink]")
{
    std::size_t refused = 0;
    for_every_damage(payload_of(port_message()),
                     [&](std::span<const std::uint8_t> damaged) { refused += parse_link(damaged) ? 0 : 1; });
    CHECK(refused > 0);
}

TEST_CASE("a link message with a number of a wrong size is refused", "[netlink]")
{
    const auto type = GENERATE(as<std::uint16_t>{}, IFLA_MTU, IFLA_MASTER, IFLA_LINK, IFLA_LINKINFO);
    const auto size = GENERATE(std::size_t{1}, std::size_t{3}, std::size_t{5});
    CAPTURE(type, size);
    Request message(RTM_NEWLINK, 0, link_header(5));
    message.put(IFLA_IFNAME, "eth0");
    message.put(type, std::span<const std::uint8_t>(Bytes(size, 1)));

    CHECK(parse_link(payload_of(message)).error().code == errc::bad_message);
}

TEST_CASE("a link without a number or a name is none", "[netlink]")
{
    for (const int index : {0, -1}) {
        Request message(RTM_NEWLINK, 0, link_header(index));
        message.put(IFLA_IFNAME, "eth0");
        CHECK(parse_link(payload_of(message)).error().code == errc::bad_message);
    }
    const Request nameless(RTM_NEWLINK, 0, link_header(5));
    CHECK(parse_link(payload_of(nameless)).error().code == errc::bad_message);
}

TEST_CASE("what a bridge says of its port is not taken for a message about the link", "[netlink]")
{
    ifinfomsg header = link_header(9);
    header.ifi_family = AF_BRIDGE;
    Request message(RTM_DELLINK, 0, header);
    message.put(IFLA_IFNAME, "veth1234");

    CHECK(parse_link(payload_of(message)).error().code == errc::not_supported);
}

TEST_CASE("an Ethernet address parses as it prints", "[netlink]")
{
    CHECK(mac.to_string() == "0a:58:0a:f4:01:02");
    CHECK(need(MacAddress::parse("0a:58:0a:f4:01:02")) == mac);
    CHECK(need(MacAddress::parse("0A:58:0A:F4:01:02")) == mac);
}

TEST_CASE("what is not an Ethernet address is refused", "[netlink]")
{
    const auto* const text =
        GENERATE("", "0a:58:0a:f4:01", "0a:58:0a:f4:01:02:03", "0a-58-0a-f4-01-02", "0a:58:0a:f4:01:0g",
                 "0a:58:0a:f4:01:0", " 0a:58:0a:f4:1:02", "a:58:0a:f4:01:022");
    CAPTURE(text);
    const auto parsed = MacAddress::parse(text);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == errc::invalid_argument);
}
