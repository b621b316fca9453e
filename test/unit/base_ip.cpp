#include "test/support/catch.h"

using namespace routelet;
using namespace routelet::test;

TEST_CASE("an address prints as the text that it was parsed from", "[base]")
{
    const auto text = GENERATE(as<std::string>{}, "0.0.0.0", "192.168.1.11", "255.255.255.255", "::", "::1",
                               "fd00:10:244::1", "::ffff:1.2.3.4");
    CHECK(need(IpAddress::parse(text)).to_string() == text);
}

TEST_CASE("what is not exactly an address is refused", "[base]")
{
    const auto text = GENERATE(as<std::string>{}, "", " 10.0.0.1", "10.0.0.1 ", "010.0.0.1", "10.0.0",
                               "10.0.0.256", "10.0.0.1/32", "fe80::1%eth0", "fd00:::1", "localhost",
                               "1.2.3.4.5", std::string("10.0.0.1\0", 9), std::string(300, '1'));
    CAPTURE(text);
    CHECK_FALSE(IpAddress::parse(text));
}

TEST_CASE("only addresses that a host may have are host unicast", "[base]")
{
    struct Row {
        const char* text;
        bool unicast;
    };
    const auto row = GENERATE(values<Row>({{"192.168.1.11", true},
                                           {"10.0.0.1", true},
                                           {"8.8.8.8", true},
                                           {"fd00::1", true},
                                           {"2001:db8::1", true},
                                           {"0.0.0.0", false},
                                           {"0.1.2.3", false},
                                           {"127.0.0.53", false},
                                           {"169.254.169.254", false},
                                           {"224.0.0.1", false},
                                           {"240.0.0.1", false},
                                           {"255.255.255.255", false},
                                           {"::", false},
                                           {"::1", false},
                                           {"fe80::1", false},
                                           {"ff02::1", false},
                                           {"::ffff:10.0.0.1", false},
                                           {"::10.0.0.1", false}}));
    CAPTURE(row.text);
    CHECK(need(IpAddress::parse(row.text)).is_host_unicast() == row.unicast);
}

TEST_CASE("addresses count on over byte borders", "[base]")
{
    CHECK("10.244.1.0"_ip.plus(1) == "10.244.1.1"_ip);
    CHECK("10.244.1.255"_ip.plus(1) == "10.244.2.0"_ip);
    CHECK("10.0.0.0"_ip.plus(0x010203) == "10.1.2.3"_ip);
    CHECK("255.255.255.255"_ip.plus(1) == "0.0.0.0"_ip);
    CHECK("fd00::ffff:ffff"_ip.plus(1) == "fd00::1:0:0"_ip);
}

TEST_CASE("a prefix prints as the text that it was parsed from", "[base]")
{
    const auto text = GENERATE(as<std::string>{}, "0.0.0.0/0", "10.244.1.0/24", "192.168.1.11/32", "::/0",
                               "fd00:10:244::/64", "fd00::1/128");
    CHECK(need(IpPrefix::parse(text)).to_string() == text);
}

TEST_CASE("what is not exactly a network is refused, with the reason", "[base]")
{
    struct Row {
        const char* text;
        const char* reason;
    };
    const auto row =
        GENERATE(values<Row>({{"10.244.1.7/24", "host bits are set, the network is 10.244.1.0/24"},
                              {"fd00::1/64", "host bits are set, the network is fd00::/64"},
                              {"10.0.0.0/33", "0 to 32"},
                              {"fd00::/129", "0 to 128"},
                              {"10.0.0.0/-1", "0 to 32"},
                              {"10.0.0.0/08", "0 to 32"},
                              {"10.0.0.0/8x", "0 to 32"},
                              {"10.0.0.0/", "0 to 32"},
                              {"10.0.0.0/255.0.0.0", "0 to 32"},
                              {"10.0.0.0", "/length is missing"},
                              {"/24", "not an address"},
                              {"", "/length is missing"},
                              {"10.001.0.0/16", "not an address"}}));
    CAPTURE(row.text);
    const auto parsed = IpPrefix::parse(row.text);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == boost::system::errc::invalid_argument);
    CHECK_THAT(parsed.error().text(), has_text(row.reason));
}

TEST_CASE("prefixes know what lies inside them", "[base]")
{
    CHECK("10.244.0.0/16"_net.contains("10.244.255.255"_ip));
    CHECK_FALSE("10.244.0.0/16"_net.contains("10.245.0.0"_ip));
    CHECK("0.0.0.0/0"_net.contains("1.2.3.4"_ip));
    CHECK_FALSE("0.0.0.0/0"_net.contains("::1"_ip));
    CHECK("10.244.0.0/16"_net.contains("10.244.7.0/24"_net));
    CHECK_FALSE("10.244.7.0/24"_net.contains("10.244.0.0/16"_net));
    CHECK("10.244.7.0/24"_net.overlaps("10.244.0.0/16"_net));
    CHECK_FALSE("10.244.7.0/24"_net.overlaps("10.244.8.0/24"_net));
    CHECK_FALSE("::/0"_net.overlaps("0.0.0.0/0"_net));
    CHECK("10.244.1.0/25"_net.last() == "10.244.1.127"_ip);
    CHECK("fd00::/64"_net.last() == "fd00::ffff:ffff:ffff:ffff"_ip);
    CHECK("10.0.0.1/32"_net.last() == "10.0.0.1"_ip);
}

TEST_CASE("a prefix of any length keeps its bits and leaves the others", "[base]")
{
    const auto address =
        GENERATE(as<IpAddress>{}, "203.0.113.157"_ip, "2001:db8:a5c3:7e81:9f42:6bd0:31ec:8517"_ip);
    const auto with_bit_flipped = [&](unsigned bit) {
        std::vector<std::uint8_t> bytes(address.bytes().begin(), address.bytes().end());
        bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] ^ (0x80U >> (bit % 8)));
        return IpAddress::from_bytes(bytes).value();
    };
    for (unsigned length = 0; length <= address.bits(); ++length) {
        const IpPrefix prefix = IpPrefix::of(address, length);
        CAPTURE(prefix);
        CHECK(prefix.contains(address));
        CHECK(prefix.contains(prefix.network()));
        CHECK(prefix.contains(prefix.last()));
        CHECK(IpPrefix::of(prefix.last(), length) == prefix);
        for (unsigned bit = 0; bit < address.bits(); ++bit)
            REQUIRE(prefix.contains(with_bit_flipped(bit)) == (bit >= length));
        for (unsigned bit = length; bit < address.bits(); ++bit) {
            const auto at = [&](const IpAddress& a) { return (a.bytes()[bit / 8] >> (7 - bit % 8)) & 1; };
            REQUIRE(at(prefix.network()) == 0);
            REQUIRE(at(prefix.last()) == 1);
        }
    }
}

TEST_CASE("addresses are in the order of numbers, IPv4 before IPv6", "[base]")
{
    const std::vector<IpAddress> in_order = {
        "0.0.0.0"_ip, "1.0.0.0"_ip, "9.255.255.255"_ip, "10.0.0.1"_ip,  "128.0.0.0"_ip, "255.255.255.255"_ip,
        "::"_ip,      "::1"_ip,     "::8000:0:0:0"_ip,  "0:0:0:1::"_ip, "fd00::1"_ip,   "fd00::1:0"_ip};
    for (std::size_t i = 0; i < in_order.size(); ++i)
        for (std::size_t j = 0; j < in_order.size(); ++j) {
            CAPTURE(in_order[i], in_order[j]);
            CHECK((in_order[i] <=> in_order[j]) == (i <=> j));
            CHECK((in_order[i] == in_order[j]) == (i == j));
        }
}
