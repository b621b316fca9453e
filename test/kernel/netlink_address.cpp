#include "netlink/address.h"
#include "test/support/catch.h"
#include "test/support/netns_fixture.h"

#include <linux/if_addr.h>

#include <algorithm>

using namespace routelet;
using namespace routelet::netlink;
using namespace routelet::test;
namespace errc = boost::system::errc;

namespace {

InterfaceAddress any_address(IfIndex link)
{
    return GENERATE_COPY(InterfaceAddress{.link = link, .address = "10.244.1.1"_ip, .length = 24},
                         InterfaceAddress{.link = link, .address = "fd00:10:244:1::1"_ip, .length = 64});
}

// What list_addresses() says of this one, if it has it.
std::optional<InterfaceAddress> listed(Socket& socket, const InterfaceAddress& wanted)
{
    for (const auto& address : need(list_addresses(socket, wanted.link)))
        if (address.address == wanted.address)
            return address;
    return std::nullopt;
}

} // namespace

TEST_CASE_METHOD(NetnsFixture, "an address is added, usable at once, and not twice", "[kernel][netlink]")
{
    const auto address = any_address(add_uplink("up0", {}));

    need(socket().execute(add_address(address)));

    const auto found = listed(socket(), address);
    REQUIRE(found.has_value());
    CHECK(found->length == address.length);
    CHECK(found->network() == address.network());
    CHECK((found->flags & IFA_F_TENTATIVE) == 0);
    const auto again = socket().execute(add_address(address));
    CHECK(again.error().code == errc::file_exists);
    CHECK_THAT(again.error().text(), has_text("adding address " + address.address.to_string() + "/"));
}

TEST_CASE_METHOD(NetnsFixture, "an address is removed, and removing it again is EADDRNOTAVAIL",
                 "[kernel][netlink]")
{
    const auto address = any_address(add_uplink("up0", {"10.99.0.1/16", "fd00:99::1/64"}));
    need(socket().execute(add_address(address)));

    need(socket().execute(delete_address(address)));

    CHECK(listed(socket(), address) == std::nullopt);
    CHECK(socket().execute(delete_address(address)).error().code == errc::address_not_available);
}

TEST_CASE_METHOD(NetnsFixture, "an IPv4 address gets the broadcast address of its network, a /31 none",
                 "[kernel][netlink]")
{
    const auto uplink = add_uplink("up0", {});

    need(socket().execute(add_address({.link = uplink, .address = "10.244.1.1"_ip, .length = 24})));
    need(socket().execute(add_address({.link = uplink, .address = "10.9.0.0"_ip, .length = 31})));

    CHECK_THAT(output("ip address show up0"), has_text("inet 10.244.1.1/24 brd 10.244.1.255 "));
    CHECK_THAT(output("ip address show up0"), has_text("inet 10.9.0.0/31 scope"));
}

TEST_CASE_METHOD(NetnsFixture, "the addresses of all links are listed, or those of one", "[kernel][netlink]")
{
    const auto uplink = add_uplink("up0", {"192.168.1.11/24", "fd00:1::11/64"});
    add_uplink("up1", {"192.168.2.11/24"});
    const auto has = [](const std::vector<InterfaceAddress>& list, const IpAddress& address) {
        return std::ranges::count(list, address, &InterfaceAddress::address) == 1;
    };

    const auto all = need(list_addresses(socket()));
    CHECK(has(all, "127.0.0.1"_ip));
    CHECK(has(all, "::1"_ip));
    CHECK(has(all, "192.168.1.11"_ip));
    CHECK(has(all, "fd00:1::11"_ip));
    CHECK(has(all, "192.168.2.11"_ip));

    const auto one = need(list_addresses(socket(), uplink));
    CHECK(has(one, "192.168.1.11"_ip));
    CHECK(has(one, "fd00:1::11"_ip));
    CHECK(std::ranges::all_of(one, [&](const auto& address) { return address.link == uplink; }));
}

TEST_CASE_METHOD(NetnsFixture, "on a point-to-point link our own address is the one that is listed",
                 "[kernel][netlink]")
{
    const auto uplink = add_uplink("up0", {});
    run("ip address add 10.7.0.1 peer 10.7.0.2/32 dev up0");

    const auto one = need(list_addresses(socket(), uplink));

    CHECK(std::ranges::count(one, "10.7.0.1"_ip, &InterfaceAddress::address) == 1);
}
