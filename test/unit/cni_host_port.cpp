#include "cni/host_port.h"
#include "cni/host_port_table.h"
#include "test/support/catch.h"

#include <netinet/in.h>

using namespace routelet;
using namespace routelet::cni;
using namespace routelet::test;

namespace {

const HostPortRecord whole = {.id = {"abc", "eth0"},
                              .network = "routelet",
                              .pod = "default/web-0",
                              .link = "v-net-0",
                              .ports = {{IPPROTO_TCP, "0.0.0.0"_ip, 8080, "10.244.1.7"_ip, 80},
                                        {IPPROTO_UDP, "fd00::11"_ip, 53, "fd00:1::7"_ip, 5353}}};

const netlink::NftMap& map_named(const netlink::NftTable& table, const std::string& name)
{
    for (const netlink::NftMap& map : table.maps)
        if (map.name == name)
            return map;
    FAIL("no map " << name);
    return table.maps.front();
}

} // namespace

TEST_CASE("a mapping is a port for each of the pod's addresses that it is for", "[cni][host-port]")
{
    const std::vector<IpAddress> pod = {"10.244.1.7"_ip, "fd00:1::7"_ip};
    struct Row {
        std::optional<IpAddress> host;
        std::vector<std::string> ports;
    };
    const auto row = GENERATE(values<Row>({
        {{}, {"8080/tcp of 0.0.0.0 to 10.244.1.7", "8080/tcp of :: to fd00:1::7"}},
        {"0.0.0.0"_ip, {"8080/tcp of 0.0.0.0 to 10.244.1.7"}},
        {"::"_ip, {"8080/tcp of :: to fd00:1::7"}},
        {"192.168.1.11"_ip, {"192.168.1.11:8080/tcp of 192.168.1.11 to 10.244.1.7"}},
        {"fd00::11"_ip, {"[fd00::11]:8080/tcp of fd00::11 to fd00:1::7"}},
    }));
    const PortMapping mapping{IPPROTO_TCP, row.host, 8080, 80};
    std::vector<std::string> found;
    for (const HostPort& port : host_ports_of({mapping, mapping}, pod)) {
        CHECK(port.pod_port == 80);
        found.push_back(port.to_string() + " of " + port.host.to_string() + " to " + port.pod.to_string());
    }
    CHECK(found == row.ports); // the same mapping twice is one
    CHECK(host_ports_of({{IPPROTO_TCP, "fd00::11"_ip, 80, 80}}, {"10.244.1.7"_ip}).empty());
}

TEST_CASE("ports clash when one packet could be for both, certain addresses aside", "[cni][host-port]")
{
    const HostPort port{IPPROTO_TCP, "0.0.0.0"_ip, 80, "10.244.1.7"_ip, 80};
    HostPort other = {IPPROTO_TCP, "0.0.0.0"_ip, 80, "10.244.1.8"_ip, 8080};
    CHECK(port.clashes_with(other));
    SECTION("another protocol")
    {
        other.protocol = IPPROTO_UDP;
    }
    SECTION("another port")
    {
        other.host_port = 81;
    }
    SECTION("the other family")
    {
        other.host = "::"_ip;
    }
    SECTION("a certain address, which comes first")
    {
        other.host = "192.168.1.11"_ip;
    }
    CHECK((port.clashes_with(other) ==
           (other == HostPort{IPPROTO_TCP, "0.0.0.0"_ip, 80, "10.244.1.8"_ip, 8080})));
}

TEST_CASE("protocols have their names, in capitals too", "[cni][host-port]")
{
    CHECK(parse_protocol("tcp") == IPPROTO_TCP);
    CHECK(parse_protocol("UDP") == IPPROTO_UDP);
    CHECK(parse_protocol("Sctp") == IPPROTO_SCTP);
    CHECK(parse_protocol("") == std::nullopt);
    CHECK(parse_protocol("tcpx") == std::nullopt);
    CHECK(protocol_name(IPPROTO_SCTP) == "sctp");
}

TEST_CASE("a record is text that a person can read, and comes back from it", "[cni][host-port]")
{
    CHECK(record_text(whole) == "network routelet\n"
                                "pod default/web-0\n"
                                "link v-net-0\n"
                                "port tcp 0.0.0.0 8080 10.244.1.7 80\n"
                                "port udp fd00::11 53 fd00:1::7 5353\n");
    CHECK(parse_record(whole.id, record_text(whole)) == whole);
    HostPortRecord without_pod = whole;
    without_pod.pod = "";
    CHECK(parse_record(whole.id, record_text(without_pod)) == without_pod);
    CHECK(whole.owner() == "pod default/web-0 (container abc, interface eth0)");
    CHECK(without_pod.owner() == "container abc, interface eth0");
}

TEST_CASE("what was cut, or is something else, is no record", "[cni][host-port]")
{
    const std::string text = record_text(whole);
    for (std::size_t length = 0; length < text.size(); ++length) {
        const auto cut = parse_record(whole.id, text.substr(0, length));
        // A cut behind a whole line cannot be told from a record of fewer ports.
        CHECK((!cut || text[length - 1] == '\n'));
    }
    for (const char* line :
         {"port tcp 0.0.0.0 0 10.244.1.7 80", "port tcp 0.0.0.0 65536 10.244.1.7 80",
          "port icmp 0.0.0.0 80 10.244.1.7 80", "port tcp :: 80 10.244.1.7 80",
          "port tcp 0.0.0.0 80 10.244.1.7", "port tcp 0.0.0.0 80", "port", "link a/b", "color red", ""}) {
        CAPTURE(line);
        CHECK(parse_record(whole.id, text + line + "\n") == std::nullopt);
    }
    CHECK(parse_record(whole.id, "link v-net-0\n") == std::nullopt);
    CHECK(parse_record(whole.id, "port tcp 0.0.0.0 8080 10.244.1.7 80\n") == std::nullopt);
}

TEST_CASE("the table's keys and values are as the kernel has them in its registers", "[cni][host-port]")
{
    const netlink::NftTable table = host_port_table({whole});
    using Bytes = std::vector<std::uint8_t>;
    REQUIRE(map_named(table, "all4").elements.size() == 1);
    CHECK(map_named(table, "all4").elements[0] ==
          netlink::NftElement{Bytes{IPPROTO_TCP, 0, 0, 0, 0x1f, 0x90, 0, 0},
                              Bytes{10, 244, 1, 7, 0, 80, 0, 0}, "default/web-0"});
    REQUIRE(map_named(table, "some6").elements.size() == 1);
    CHECK(map_named(table, "some6").elements[0].key ==
          Bytes{0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x11, IPPROTO_UDP, 0, 0, 0, 0, 53, 0, 0});
    CHECK(map_named(table, "some4").elements.empty());
    CHECK(map_named(table, "all6").elements.empty());
    CHECK(map_named(table, "links").elements[0].key.size() == 16);
}

TEST_CASE("of records that clash, the first has the port", "[cni][host-port]")
{
    HostPortRecord second = whole;
    second.id.container = "def";
    second.ports[0].pod = "10.244.1.8"_ip;
    const netlink::NftTable table = host_port_table({whole, second});
    REQUIRE(map_named(table, "all4").elements.size() == 1);
    CHECK(map_named(table, "all4").elements[0].value[3] == 7);
    CHECK(map_named(table, "links").elements.size() == 1);
}

// A Service's packets are kube-proxy's first (CVE-2019-9946).
TEST_CASE("the table's chains come right behind kube-proxy's", "[cni][host-port]")
{
    for (const netlink::NftChain& chain : host_port_table({whole}).chains)
        if (chain.name == "prerouting" || chain.name == "output")
            CHECK(chain.priority == -99);
}
