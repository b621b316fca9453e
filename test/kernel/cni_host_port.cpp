#include "cni/host_ports.h"
#include "netlink/monitor.h"
#include "test/kernel/cni_fixture.h"
#include "test/support/socket_address.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>

#include <optional>

using namespace routelet;
using namespace routelet::test;
using nlohmann::json;

namespace {

constexpr std::uint16_t host_port = 8080;
constexpr std::uint16_t pod_port = 80;

// The node's addresses, and who is outside.
struct Family {
    IpAddress node, second, outside, gateway;
    std::string any;
};
const Family v4 = {"192.168.1.11"_ip, "192.168.1.111"_ip, "192.168.1.50"_ip, "10.244.1.1"_ip, "0.0.0.0"};
const Family v6 = {"fd00:9::11"_ip, "fd00:9::111"_ip, "fd00:9::50"_ip, "fd00:1::1"_ip, "::"};

bool is_readable(const UniqueFd& socket)
{
    struct pollfd poll = {socket.fd(), POLLIN, 0};
    return ::poll(&poll, 1, 300) > 0;
}

UniqueFd open_socket(int af, int type)
{
    return UniqueFd(::socket(af, type | SOCK_CLOEXEC, 0));
}

// A node with an uplink to a namespace outside, where pods may have ports of the node.
class HostPortFixture : public CniFixture {
public:
    netlink::NetNamespace outside = another_netns();
    netlink::NetNamespace node = need(netlink::NetNamespace::current());

    HostPortFixture()
    {
        config["capabilities"]["portMappings"] = true;
        // Without an address of its own that is ready, the node asks nobody for a MAC.
        const std::string no_waiting = "sysctl -qw net.ipv6.conf.default.accept_dad=0";
        run(no_waiting + " net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
        in_netns(outside, [&] { run(no_waiting); });
        need(socket().execute(netlink::make_veth({.host_name = "uplink",
                                                  .host_mac = {{0x0a, 0x58, 0, 0, 0, 1}},
                                                  .pod_name = "eth0",
                                                  .pod_mac = {{0x0a, 0x58, 0, 0, 0, 2}},
                                                  .pod_netns_fd = outside.fd()})));
        run("ip link set uplink up && ip address add 192.168.1.11/24 dev uplink && "
            "ip address add 192.168.1.111/24 dev uplink && ip address add fd00:9::11/64 dev uplink nodad && "
            "ip address add fd00:9::111/64 dev uplink nodad");
        in_netns(outside, [&] {
            run("ip link set lo up && ip link set eth0 up && ip address add 192.168.1.50/24 dev eth0 && "
                "ip address add fd00:9::50/64 dev eth0 nodad && ip route add 10.244.0.0/16 via 192.168.1.11 "
                "&& ip route add fd00:1::/64 via fd00:9::11 && "
                // Who asks for a MAC address while the link has no carrier yet, asks again after a second.
                "ping -q -c 1 -w 3 -i 0.2 192.168.1.11 >/dev/null && ping -q -c 1 -w 3 -i 0.2 fd00:9::11 "
                ">/dev/null");
        });
    }

    cni::HostPorts ports() const { return cni::HostPorts(host_ports()); }

    void want_ports(json mappings) { config["runtimeConfig"]["portMappings"] = std::move(mappings); }
    void want_port(const std::string& protocol = "tcp", const std::string& host = "")
    {
        want_ports({{{"hostPort", host_port},
                     {"containerPort", pod_port},
                     {"protocol", protocol},
                     {"hostIP", host}}});
    }

    // A server in a network namespace, at every address.
    static UniqueFd serve(const netlink::NetNamespace& where, const Family& family, int type,
                          std::uint16_t port = pod_port)
    {
        return in_netns(where, [&] {
            UniqueFd server = open_socket(family.node.af(), type);
            const int on = 1;
            SocketAddress here(need(IpAddress::parse(family.any)), port);
            REQUIRE(::setsockopt(server.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
            REQUIRE(::bind(server.fd(), here.raw(), here.size) == 0);
            REQUIRE((type == SOCK_DGRAM || ::listen(server.fd(), 1) == 0));
            return server;
        });
    }
    // Sends a packet, or asks for a connection, without waiting for what becomes of it.
    static void knock(const UniqueFd& client, const IpAddress& to, std::uint16_t port = host_port)
    {
        SocketAddress there(to, port);
        int refused = 0; // what was sent before, which would keep this from being sent
        socklen_t size = sizeof refused;
        (void)::getsockopt(client.fd(), SOL_SOCKET, SO_ERROR, &refused, &size);
        (void)::fcntl(client.fd(), F_SETFL, O_NONBLOCK);
        (void)::connect(client.fd(), there.raw(), there.size);
        (void)::send(client.fd(), "x", 1, MSG_NOSIGNAL); // a stream is not connected yet
    }
    // Who the server sees; empty when nobody comes.
    static std::optional<IpAddress> visitor(const UniqueFd& server)
    {
        SocketAddress from;
        char byte = 0;
        if (!is_readable(server))
            return std::nullopt;
        UniqueFd accepted(::accept(server.fd(), from.raw(), &from.size));
        if (!accepted && ::recvfrom(server.fd(), &byte, 1, 0, from.raw(), &from.size) != 1)
            return std::nullopt;
        return from.address();
    }
    // Who the pod sees when somebody in that network namespace wants this port of the node.
    static std::optional<IpAddress> seen(const PodNetns& pod, const Family& family, int type,
                                         const netlink::NetNamespace& from, const IpAddress& to,
                                         std::uint16_t port = host_port)
    {
        const UniqueFd server = serve(pod.netns, family, type);
        const UniqueFd client = in_netns(from, [&] { return open_socket(to.af(), type); });
        knock(client, to, port);
        return visitor(server);
    }
    std::vector<netlink::Link> pod_links()
    {
        std::vector<netlink::Link> links = veths();
        std::erase_if(links, [](const netlink::Link& link) { return link.name == "uplink"; });
        return links;
    }
    bool has_table() const
    {
        return output("nft list tables").find("routelet-hostports") != std::string::npos;
    }
};

IpAddress address_in(const json& result, std::size_t number)
{
    const std::string text = result.at("ips").at(number).at("address");
    return need(IpAddress::parse(text.substr(0, text.find('/'))));
}

} // namespace

TEST_CASE_METHOD(HostPortFixture, "a port of the node leads to the pod, wherever packets come from",
                 "[kernel][cni]")
{
    const auto [mode, protocol] = GENERATE(std::pair{"bridge", "tcp"}, std::pair{"bridge", "udp"},
                                           std::pair{"ptp", "tcp"}, std::pair{"ptp", "udp"});
    CAPTURE(mode, protocol);
    const int type = std::string(protocol) == "tcp" ? SOCK_STREAM : SOCK_DGRAM;
    config["mode"] = mode;
    const PodNetns neighbour = make_pod_netns();
    const json of_neighbour = add("neighbour", neighbour);
    want_port(protocol);
    const PodNetns pod = make_pod_netns();
    add("pod", pod);

    std::size_t number = 0;
    for (const Family& family : {v4, v6}) {
        CHECK(seen(pod, family, type, outside, family.node) == family.outside);
        CHECK(seen(pod, family, type, outside, family.second) == family.outside);
        CHECK(seen(pod, family, type, node, family.node) == family.node);
        // On one bridge the answer would go to the neighbour directly, which never asked the pod.
        const IpAddress own = address_in(of_neighbour, number++);
        CHECK(seen(pod, family, type, neighbour.netns, family.node) ==
              (std::string(mode) == "bridge" ? family.gateway : own));
        CHECK(seen(pod, family, type, pod.netns, family.node).has_value()); // itself
        CHECK(seen(pod, family, type, outside, family.node, host_port + 1) == std::nullopt);
    }
    CHECK(seen(pod, v4, type, node, "127.0.0.1"_ip).has_value());
    CHECK(seen(pod, v6, type, node, "::1"_ip) == std::nullopt); // Linux routes it to lo only
}

TEST_CASE_METHOD(HostPortFixture, "an answer comes from where the question went", "[kernel][cni]")
{
    want_port();
    const PodNetns pod = make_pod_netns();
    const PodNetns neighbour = make_pod_netns();
    add("pod", pod);
    want_ports(json::array());
    add("neighbour", neighbour);
    const UniqueFd server = serve(pod.netns, v4, SOCK_STREAM);
    const std::array<const netlink::NetNamespace*, 4> everywhere = {&outside, &node, &neighbour.netns,
                                                                    &pod.netns};
    for (const netlink::NetNamespace* from : everywhere) {
        const UniqueFd client = in_netns(*from, [&] { return open_socket(AF_INET, SOCK_STREAM); });
        SocketAddress there(v4.node, host_port);
        CHECK(::connect(client.fd(), there.raw(), there.size) == 0); // all three packets of it
        CHECK(visitor(server).has_value());
    }
}

// CVE-2025-67499.
TEST_CASE_METHOD(HostPortFixture, "what is for somebody else passes by, though the port is the same",
                 "[kernel][cni]")
{
    want_port();
    const PodNetns pod = make_pod_netns();
    add("pod", pod);
    for (const Family& family : {v4, v6}) {
        const UniqueFd elsewhere = serve(outside, family, SOCK_STREAM, host_port);
        const UniqueFd client =
            in_netns(pod.netns, [&] { return open_socket(family.node.af(), SOCK_STREAM); });
        knock(client, family.outside);
        CHECK(visitor(elsewhere).has_value());
    }
}

TEST_CASE_METHOD(HostPortFixture, "a mapping with a hostIP is for that address and its family alone",
                 "[kernel][cni]")
{
    const PodNetns any = make_pod_netns();
    const PodNetns certain = make_pod_netns();
    const PodNetns certain6 = make_pod_netns();
    want_port();
    add("any", any);
    want_port("tcp", "192.168.1.111");
    add("certain", certain);
    want_port("tcp", "fd00:9::111");
    add("certain6", certain6);

    CHECK(seen(any, v4, SOCK_STREAM, outside, v4.node) == v4.outside);
    CHECK(seen(any, v6, SOCK_STREAM, outside, v6.node) == v6.outside);
    CHECK(seen(certain, v4, SOCK_STREAM, outside, v4.second) == v4.outside);
    CHECK(seen(certain6, v6, SOCK_STREAM, outside, v6.second) == v6.outside);

    del("any", any.path());
    CHECK(seen(any, v4, SOCK_STREAM, outside, v4.node) == std::nullopt);
    CHECK(seen(certain, v4, SOCK_STREAM, outside, v4.node) == std::nullopt);
    CHECK(seen(certain, v4, SOCK_STREAM, outside, v4.second) == v4.outside);
}

TEST_CASE_METHOD(HostPortFixture, "one port serves TCP of one pod and UDP of another", "[kernel][cni]")
{
    const PodNetns tcp = make_pod_netns();
    const PodNetns udp = make_pod_netns();
    want_port("tcp");
    add("tcp", tcp);
    want_port("UDP");
    add("udp", udp);
    CHECK(seen(tcp, v4, SOCK_STREAM, outside, v4.node) == v4.outside);
    CHECK(seen(udp, v4, SOCK_DGRAM, outside, v4.node) == v4.outside);
}

TEST_CASE_METHOD(HostPortFixture, "a port that another pod has is refused, naming that pod", "[kernel][cni]")
{
    want_port();
    const PodNetns first = make_pod_netns();
    const PodNetns second = make_pod_netns();
    add("first", first);
    const auto before = reservations();
    const std::size_t links = pod_links().size();

    const CniReply refused = call("ADD", "second", second.path());
    CHECK(refused.code() == 105);
    CHECK(refused.message() ==
          "port 8080/tcp of this node is taken by pod web (container first, interface eth0); give the pods "
          "different hostPorts, or keep them on different nodes");
    CHECK(reservations() == before);
    CHECK(pod_links().size() == links);
    CHECK(seen(first, v4, SOCK_STREAM, outside, v4.node) == v4.outside);

    del("first", first.path());
    add("second", second);
    CHECK(seen(second, v4, SOCK_STREAM, outside, v4.node) == v4.outside);
}

TEST_CASE_METHOD(HostPortFixture, "the port of a pod that went without DEL is taken over", "[kernel][cni]")
{
    want_port();
    const PodNetns first = make_pod_netns();
    add("first", first);
    run("ip link del " + pod_links().front().name); // as the kernel does once the namespace is gone
    const PodNetns second = make_pod_netns();
    CHECK(call("ADD", "second", second.path()).code() == 105); // the first may be about to get an interface
    std::filesystem::last_write_time(host_ports() / "first:eth0",
                                     std::filesystem::file_time_type::clock::now() - std::chrono::minutes(2));
    const CniReply reply = call("ADD", "second", second.path());
    INFO(reply.output << reply.errors);
    CHECK(reply.exit_code == 0);
    CHECK(reply.errors.find("host-port-taken-over port=8080/tcp from=\"pod web (container first") !=
          std::string::npos);
    CHECK(seen(second, v4, SOCK_STREAM, outside, v4.node) == v4.outside);
    del("first", ""); // which comes late, and takes nothing away
    CHECK(seen(second, v4, SOCK_STREAM, outside, v4.node) == v4.outside);
}

TEST_CASE_METHOD(HostPortFixture, "DEL closes the pod's ports, whatever its configuration says by then",
                 "[kernel][cni]")
{
    want_port();
    const PodNetns pod = make_pod_netns();
    add("pod", pod);
    CHECK(has_table());
    want_ports(json::array());
    del("pod", "");
    CHECK(seen(pod, v4, SOCK_STREAM, outside, v4.node) == std::nullopt);
    CHECK(output("nft list table inet routelet-hostports").find("elements") == std::string::npos);
    del("pod", "");
}

TEST_CASE_METHOD(HostPortFixture, "the DEL of a pod without ports waits for nobody who changes them",
                 "[kernel][cni]")
{
    const PodNetns pod = make_pod_netns();
    const PodNetns other = make_pod_netns();
    add("pod", pod);
    want_port();
    add("other", other);
    const UniqueFd lock(::open((host_ports() / "lock").c_str(), O_RDWR | O_CLOEXEC));
    REQUIRE(::flock(lock.fd(), LOCK_EX | LOCK_NB) == 0);
    const auto start = std::chrono::steady_clock::now();
    del("pod", pod.path());
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5)); // who waits, does for ten
}

TEST_CASE_METHOD(HostPortFixture,
                 "a client that goes on sending by UDP finds the pod that has the port by now",
                 "[kernel][cni]")
{
    const Family& family = GENERATE(v4, v6);
    const UniqueFd client = in_netns(outside, [&] { return open_socket(family.node.af(), SOCK_DGRAM); });
    knock(client, family.node); // to nobody; the kernel remembers it for half a minute

    want_port("udp");
    {
        const PodNetns first = make_pod_netns();
        add("first", first);
        const UniqueFd server = serve(first.netns, family, SOCK_DGRAM);
        knock(client, family.node);
        CHECK(visitor(server) == family.outside);
        del("first", first.path());
    }
    const PodNetns second = make_pod_netns();
    add("second", second);
    const UniqueFd server = serve(second.netns, family, SOCK_DGRAM);
    knock(client, family.node);
    CHECK(visitor(server) == family.outside);
}

TEST_CASE_METHOD(HostPortFixture, "what others do to the table is repaired", "[kernel][cni]")
{
    want_port();
    const PodNetns pod = make_pod_netns();
    add("pod", pod);
    const auto repaired = [&] { return need(ports().repair(socket())); };
    CHECK(repaired() == "");

    run("nft flush ruleset");
    CHECK(seen(pod, v4, SOCK_STREAM, outside, v4.node) == std::nullopt);
    CHECK(repaired() == "the table is missing");
    CHECK(seen(pod, v4, SOCK_STREAM, outside, v4.node) == v4.outside);
    CHECK(repaired() == "");

    run("nft delete element inet routelet-hostports all4 '{ tcp . 8080 }'");
    CHECK(repaired() == "set all4: 1 elements are missing, 0 are foreign");
    run("nft add element inet routelet-hostports all6 '{ udp . 53 : fd00:1::7 . 53 }'");
    CHECK(repaired() == "set all6: 0 elements are missing, 1 are foreign");
    run("nft delete element inet routelet-hostports all4 '{ tcp . 8080 }' && "
        "nft add element inet routelet-hostports all4 '{ tcp . 8080 : 10.244.1.77 . 80 }'");
    CHECK(repaired() == "set all4: 1 elements are missing, 1 are foreign");
    run("nft flush chain inet routelet-hostports guard");
    CHECK(repaired() == "rule 1 of chain guard is missing");
    run("nft add chain inet routelet-hostports more");
    CHECK(repaired() == "it has a foreign chain");
    run("sysctl -qw net.ipv4.conf.v-net-0.route_localnet=0");
    CHECK(repaired() == "");
    CHECK(seen(pod, v4, SOCK_STREAM, node, "127.0.0.1"_ip).has_value());
    CHECK(seen(pod, v6, SOCK_STREAM, outside, v6.node) == v6.outside);
}

TEST_CASE_METHOD(HostPortFixture, "where nothing is wrong, nothing is written to the links", "[kernel][cni]")
{
    want_port();
    const PodNetns pod = make_pod_netns();
    add("pod", pod);
    netlink::Monitor monitor = need(netlink::Monitor::open());
    CHECK(need(ports().repair(socket())) == "");
    for (const netlink::KernelEvent& event : need(monitor.read())) {
        const auto* changed = std::get_if<netlink::LinkChanged>(&event);
        CHECK((changed == nullptr || changed->link.name != "v-net-0"));
    }
    run("sysctl -qw net.ipv4.conf.v-net-0.route_localnet=0");
    CHECK(need(ports().repair(socket())) == "");
    CHECK(link_of("v-net-0").routes_localnet);
}

TEST_CASE_METHOD(HostPortFixture, "nft(8) shows the ports as a person would write them", "[kernel][cni]")
{
    want_ports(
        {{{"hostPort", 8080}, {"containerPort", 80}},
         {{"hostPort", 53}, {"containerPort", 5353}, {"protocol", "udp"}, {"hostIP", "192.168.1.11"}}});
    const PodNetns pod = make_pod_netns();
    add("pod", pod);
    const std::string listed = output("nft list table inet routelet-hostports");
    for (const char* line :
         {R"(elements = { tcp . 8080 comment "web" : 10.244.1.2 . 80 })",
          R"(elements = { 192.168.1.11 . udp . 53 comment "web" : 10.244.1.2 . 5353 })",
          R"(elements = { tcp . 8080 comment "web" : fd00:1::2 . 80 })", R"(elements = { "v-net-0" })",
          R"(dnat ip to ip daddr . meta l4proto . th dport map @some4)",
          R"(dnat ip6 to meta l4proto . th dport map @all6)",
          R"(fib daddr type local iifname @links goto from-links)",
          R"(iifname @links ip daddr 127.0.0.0/8 drop)"}) {
        INFO(listed);
        CHECK(listed.find(line) != std::string::npos);
    }
}

TEST_CASE_METHOD(HostPortFixture, "the node's loopback addresses stay closed to pods", "[kernel][cni]")
{
    want_port();
    const PodNetns pod = make_pod_netns();
    add("pod", pod);
    run_in(pod, "sysctl -qw net.ipv4.conf.eth0.route_localnet=1 && ip link set lo up && "
                "ip route del local 127.0.0.1 table local && "
                "ip route del local 127.0.0.0/8 table local && ip route add 127.0.0.1 via 10.244.1.1");
    const UniqueFd on_the_node = serve(node, v4, SOCK_DGRAM, 9999);
    const auto reaches = [&] {
        const UniqueFd client = in_netns(pod.netns, [] { return open_socket(AF_INET, SOCK_DGRAM); });
        knock(client, "127.0.0.1"_ip, 9999);
        return visitor(on_the_node).has_value();
    };
    CHECK_FALSE(reaches());
    run("nft flush chain inet routelet-hostports guard");
    CHECK(reaches()); // so it is the guard that keeps it out
}

TEST_CASE_METHOD(HostPortFixture, "CHECK looks at the ports, too", "[kernel][cni]")
{
    want_port();
    const PodNetns pod = make_pod_netns();
    config["prevResult"] = add("pod", pod);
    CHECK(call("CHECK", "pod", pod.path()).output == "");

    run("nft delete element inet routelet-hostports all4 '{ tcp . 8080 }'");
    const CniReply reply = call("CHECK", "pod", pod.path());
    CHECK(reply.code() == 103);
    CHECK(reply.message().find("set all4: 1 elements are missing, 0 are foreign") != std::string::npos);
    need(ports().repair(socket()));
    CHECK(call("CHECK", "pod", pod.path()).output == "");

    std::filesystem::remove(host_ports() / "pod:eth0");
    CHECK(call("CHECK", "pod", pod.path()).code() == 103);
}

TEST_CASE_METHOD(HostPortFixture, "GC closes the ports of what is gone, of its own network only",
                 "[kernel][cni]")
{
    const PodNetns kept = make_pod_netns();
    const PodNetns gone = make_pod_netns();
    const PodNetns others = make_pod_netns();
    want_port("tcp", "192.168.1.11");
    add("kept", kept);
    want_port("tcp", "192.168.1.111");
    add("gone", gone);
    want_port("udp");
    config["name"] = "others";
    config["ipam"]["ranges"] = {{{{"subnet", "10.244.9.0/24"}}}};
    config["bridge"] = "others";
    add("others", others);
    config["name"] = "routelet";
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(state().parent_path().parent_path()))
        std::filesystem::last_write_time(entry.path(), std::filesystem::file_time_type::clock::now() -
                                                           std::chrono::hours(1));

    config["cni.dev/valid-attachments"] = {{{"containerID", "kept"}, {"ifname", "eth0"}}};
    CHECK(call("GC", "", "").output == "");
    CHECK(seen(kept, v4, SOCK_STREAM, outside, v4.node) == v4.outside);
    CHECK_FALSE(std::filesystem::exists(host_ports() / "gone:eth0"));
    CHECK(seen(others, v4, SOCK_DGRAM, outside, v4.node) == v4.outside);
}

TEST_CASE_METHOD(HostPortFixture, "a record that says nothing is set aside, and the others stay open",
                 "[kernel][cni]")
{
    const PodNetns whole = make_pod_netns();
    const PodNetns damaged = make_pod_netns();
    want_port("tcp");
    add("whole", whole);
    want_port("udp");
    add("damaged", damaged);
    std::ofstream(host_ports() / "damaged:eth0") << "port udp";
    CHECK(need(ports().repair(socket())) == "set all4: 0 elements are missing, 1 are foreign");
    CHECK(std::filesystem::exists(host_ports() / "damaged" / "damaged:eth0"));
    CHECK(seen(whole, v4, SOCK_STREAM, outside, v4.node) == v4.outside);
    CHECK(call("DEL", "damaged", damaged.path()).exit_code == 0);
}

TEST_CASE_METHOD(HostPortFixture, "what an earlier boot's pods had, nobody has", "[kernel][cni]")
{
    want_port();
    const PodNetns pod = make_pod_netns();
    add("pod", pod);
    std::ofstream(host_ports() / "boot_id") << "11111111-2222-3333-4444-555555555555\n";
    const PodNetns next = make_pod_netns();
    add("next", next);
    CHECK(seen(next, v4, SOCK_STREAM, outside, v4.node) == v4.outside);
}

TEST_CASE_METHOD(HostPortFixture, "mappings that make no sense are refused, and leave nothing",
                 "[kernel][cni]")
{
    const auto [mappings, code, detail] = GENERATE(table<std::string, int, std::string>({
        {R"([{"hostPort": 0, "containerPort": 80}])", 7, R"("hostPort" is 0; it has to be 1 to 65535)"},
        {R"([{"hostPort": 70000, "containerPort": 80}])", 7, R"("hostPort" is 70000)"},
        {R"([{"hostPort": 80}])", 7, R"("containerPort" is 0)"},
        {R"([{"hostPort": 80, "containerPort": 80, "protocol": "icmp"}])", 7, R"("protocol" is "icmp")"},
        {R"([{"hostPort": 80, "containerPort": 80, "hostIP": "here"}])", 7, "hostIP"},
        {R"([{"hostPort": "80", "containerPort": 80}])", 7, "hostPort"},
        {R"(["80"])", 7, "not an object"},
        {R"({"hostPort": 80})", 7, "portMappings"},
        {R"([{"hostPort": 80, "containerPort": 1}, {"hostPort": 80, "containerPort": 2}])", 7,
         R"("portMappings" has 80/tcp twice)"},
    }));
    CAPTURE(mappings);
    want_ports(json::parse(mappings));
    const PodNetns pod = make_pod_netns();
    const CniReply reply = call("ADD", "pod", pod.path());
    CHECK(reply.code() == code);
    CHECK(reply.message().find(detail) != std::string::npos);
    CHECK(pod_links().empty());
    CHECK(reservations().empty());
    CHECK_FALSE(has_table());
}
