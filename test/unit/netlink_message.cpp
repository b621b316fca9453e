#include "netlink/message.h"
#include "test/support/catch.h"
#include "test/support/netlink_bytes.h"

#include <linux/rtnetlink.h>

#include <cstring>

using namespace routelet;
using namespace routelet::netlink;
using namespace routelet::test;

namespace {

std::uint32_t length_in_header(const Request& request)
{
    std::uint32_t length = 0;
    std::memcpy(&length, request.bytes().data(), sizeof length);
    return length;
}

} // namespace

TEST_CASE("a request is its header, the family's header and its attributes, aligned to four bytes",
          "[netlink]")
{
    Request request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, ifinfomsg{});
    request.put(IFLA_IFNAME, "v-net-0");
    request.put_u8(5, 0xab);

    const Bytes expected = joined({
        {52, 0, 0, 0, RTM_NEWLINK, 0, 0x00, 0x06, 0, 0, 0, 0, 0, 0, 0, 0}, // nlmsghdr
        Bytes(sizeof(ifinfomsg), 0),
        {12, 0, IFLA_IFNAME, 0, 'v', '-', 'n', 'e', 't', '-', '0', 0},
        {5, 0, 5, 0, 0xab, 0, 0, 0},
    });
    CHECK(Bytes(request.bytes().begin(), request.bytes().end()) == expected);
    CHECK(request.type() == RTM_NEWLINK);
}

TEST_CASE("numbers and addresses are put in the byte order that the kernel expects", "[netlink]")
{
    Request request(RTM_NEWROUTE, 0, rtmsg{});
    request.put_u16(1, 0x0102);
    request.put_u32(2, 0x01020304);
    request.put(RTA_DST, "10.244.1.0"_ip);
    request.put(RTA_GATEWAY, "fd00::1"_ip);
    request.put(RTA_OIF, IfIndex{7});

    std::uint16_t number16 = 0x0102;
    std::uint32_t number32 = 0x01020304;
    std::uint32_t index = 7;
    const auto raw = [](const auto& number) {
        return std::span(reinterpret_cast<const std::uint8_t*>(&number), sizeof number);
    };
    const Bytes expected =
        joined({Bytes(sizeof(rtmsg), 0), attribute(1, raw(number16)), attribute(2, raw(number32)),
                attribute(RTA_DST, "10.244.1.0"_ip.bytes()), attribute(RTA_GATEWAY, "fd00::1"_ip.bytes()),
                attribute(RTA_OIF, raw(index))});
    CHECK(payload_of(request) == expected);
}

TEST_CASE("a nest is as long as what is in it", "[netlink]")
{
    Request request(RTM_NEWLINK, 0, ifinfomsg{});
    request.nest(1, [&] {
        request.put_u32(2, 0);
        request.nest(3, [&] { request.put(4, "abc"); });
    });
    request.nest(5, [] {});

    const Bytes inner = attribute(3 | NLA_F_NESTED, attribute(4, Bytes{'a', 'b', 'c', 0}));
    const Bytes outer = attribute(1 | NLA_F_NESTED, joined({attribute(2, Bytes(4, 0)), inner}));
    CHECK(payload_of(request) ==
          joined({Bytes(sizeof(ifinfomsg), 0), outer, attribute(5 | NLA_F_NESTED, Bytes{})}));
}

TEST_CASE("what does not fit marks the request, and it never grows again", "[netlink]")
{
    Request request(RTM_NEWLINK, 0, ifinfomsg{});
    request.put(IFLA_IFNAME, "v-net-0");
    const auto size = request.bytes().size();

    SECTION("an attribute that is too long")
    {
        request.put(IFLA_IFALIAS, std::string(10'000, 'x'));
    }
    SECTION("one that is longer than an attribute's length can say")
    {
        request.put(IFLA_IFALIAS, std::string(70'000, 'x'));
    }
    SECTION("one inside nests")
    {
        request.nest(1, [&] { request.nest(2, [&] { request.put(3, std::string(10'000, 'x')); }); });
    }

    CHECK(request.overflowed());
    const auto marked = request.bytes().size();
    request.put_u8(1, 1);
    request.put_header(ifinfomsg{});
    request.nest(1, [&] { request.put_u8(1, 1); });
    CHECK(request.bytes().size() == marked);
    CHECK(marked >= size);
    CHECK(length_in_header(request) == marked);
}

TEST_CASE("a request may be filled to the brim", "[netlink]")
{
    Request request(RTM_NEWLINK, 0, ifinfomsg{});

    std::size_t fitted = 0;
    while (!request.overflowed()) {
        fitted = request.bytes().size();
        request.nest(1, [&] { request.put_u32(2, 0); });
    }

    CHECK(fitted > 8000);
    CHECK(request.bytes().size() <= 8192);
    CHECK(length_in_header(request) == request.bytes().size());
}
