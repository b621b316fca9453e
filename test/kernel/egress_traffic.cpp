#include "base/unique_fd.h"
#include "controller/masquerade_table.h"
#include "test/support/catch.h"
#include "test/support/netns_fixture.h"
#include "test/support/socket_address.h"

#include <sys/socket.h>

using namespace routelet;
using namespace routelet::controller;
using namespace routelet::test;

namespace {

constexpr std::uint16_t port = 7000;

// The addresses of one family: a pod on this node, and who is outside.
struct Family {
    IpAddress pod, node;
    IpAddress outside;   // somewhere on the internet
    IpAddress neighbour; // another node
    IpAddress office;    // in a network that the operator exempts
};
const Family v4 = {"10.244.1.2"_ip, "192.168.1.11"_ip, "203.0.113.5"_ip, "192.168.1.12"_ip,
                   "198.51.100.7"_ip};
const Family v6 = {"fd00:10:244:1::2"_ip, "fd00:1::11"_ip, "2001:db8::5"_ip, "fd00:1::12"_ip,
                   "2001:db8:7::7"_ip};

const EgressSets sets = {
    .pods = merged({"10.244.1.0/24"_net, "fd00:10:244:1::/64"_net}),
    .exempt = merged({"10.244.0.0/16"_net, "192.168.1.12/32"_net, "198.51.100.0/24"_net, "224.0.0.0/4"_net,
                      "fd00:10:244::/56"_net, "fd00:1::12/128"_net, "2001:db8:7::/48"_net, "ff00::/8"_net})};

// A node between a pod and the world. The world is one namespace with all the addresses outside, which knows
// the way back to everybody: only the source that it sees tells whether a packet was masqueraded.
class TrafficFixture : public NetnsFixture {
public:
    NftMasqueradeTable table;

    TrafficFixture() : pod_(another_netns()), world_(another_netns())
    {
        run("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
        connect("v-net-0", pod_, 1);
        connect("eth0", world_, 2);
        run("ip address add 10.244.1.1/24 dev v-net-0 && ip address add fd00:10:244:1::1/64 dev v-net-0 "
            "nodad && "
            "ip address add 192.168.1.11/24 dev eth0 && ip address add fd00:1::11/64 dev eth0 nodad && "
            "ip route add default via 192.168.1.12 && ip route add default via fd00:1::12");
        in_netns(pod_, [&] {
            run("ip address add 10.244.1.2/24 dev eth0 && ip address add fd00:10:244:1::2/64 dev eth0 nodad "
                "&& "
                "ip route add default via 10.244.1.1 && ip route add default via fd00:10:244:1::1");
        });
        in_netns(world_, [&] {
            run("ip link set lo up && ip address add 192.168.1.12/24 dev eth0 && "
                "ip address add 203.0.113.5 dev lo && ip address add 198.51.100.7 dev lo && "
                "ip address add fd00:1::12/64 dev eth0 nodad && ip address add 2001:db8::5 dev lo nodad && "
                "ip address add 2001:db8:7::7 dev lo nodad && "
                "ip route add 10.244.1.0/24 via 192.168.1.11 && ip route add fd00:10:244:1::/64 via "
                "fd00:1::11");
        });
    }

    // Who the receiver of a datagram from the pod sees.
    IpAddress source_seen_at(const IpAddress& receiver) { return sent_to(receiver, 0).address(); }
    std::uint16_t port_seen_at(const IpAddress& receiver, std::uint16_t own_port)
    {
        return sent_to(receiver, own_port).at_port();
    }

    // As the internet is: a packet that comes with a pod's address has no answer.
    void forget_way_to_pods()
    {
        in_netns(world_, [&] { run("ip route del 10.244.1.0/24 && ip route del fd00:10:244:1::/64"); });
    }

    UniqueFd socket_in_pod(int af, int type)
    {
        return in_netns(pod_, [&] { return UniqueFd(::socket(af, type | SOCK_CLOEXEC, 0)); });
    }
    UniqueFd bound_in_world(const IpAddress& address, int type)
    {
        UniqueFd receiver =
            in_netns(world_, [&] { return UniqueFd(::socket(address.af(), type | SOCK_CLOEXEC, 0)); });
        const int on = 1;
        const timeval patience{.tv_sec = 5, .tv_usec = 0};
        REQUIRE(::setsockopt(receiver.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
        REQUIRE(::setsockopt(receiver.fd(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
        SocketAddress here(address, port);
        REQUIRE(::bind(receiver.fd(), here.raw(), here.size) == 0);
        return receiver;
    }

private:
    void connect(const std::string& name, const netlink::NetNamespace& peer, std::uint8_t number)
    {
        need(socket().execute(netlink::make_veth({.host_name = name,
                                                  .host_mac = {{0x0a, 0x58, 0, 0, 0, number}},
                                                  .pod_name = "eth0",
                                                  .pod_mac = {{0x0a, 0x58, 0, 0, 1, number}},
                                                  .pod_netns_fd = peer.fd()})));
        run("ip link set " + name + " up");
        in_netns(peer, [&] { run("ip link set eth0 up"); });
    }

    SocketAddress sent_to(const IpAddress& to, std::uint16_t own_port)
    {
        const UniqueFd receiver = bound_in_world(to, SOCK_DGRAM);
        const UniqueFd sender = socket_in_pod(to.af(), SOCK_DGRAM);
        SocketAddress own(to.family() == IpFamily::v4 ? v4.pod : v6.pod, own_port);
        SocketAddress there(to, port);
        REQUIRE(::bind(sender.fd(), own.raw(), own.size) == 0);
        REQUIRE(::sendto(sender.fd(), "x", 1, 0, there.raw(), there.size) == 1);
        char byte = 0;
        SocketAddress from;
        REQUIRE(::recvfrom(receiver.fd(), &byte, 1, 0, from.raw(), &from.size) == 1);
        return from;
    }

    netlink::NetNamespace pod_;
    netlink::NetNamespace world_;
};

} // namespace

TEST_CASE_METHOD(TrafficFixture,
                 "the world outside sees the node's address, nodes and exempt networks the pod's",
                 "[kernel][egress]")
{
    for (const Family& family : {v4, v6}) {
        CHECK(source_seen_at(family.outside) == family.pod); // as it is without the table
    }
    need(table.write(sets));

    for (const Family& family : {v4, v6}) {
        CHECK(source_seen_at(family.outside) == family.node);
        CHECK(source_seen_at(family.neighbour) == family.pod);
        CHECK(source_seen_at(family.office) == family.pod);
    }
    CHECK(need(table.remove()));
    CHECK(source_seen_at(v4.outside) == v4.pod);
}

TEST_CASE_METHOD(TrafficFixture, "a masqueraded packet gets a port at random, an exempt one keeps its own",
                 "[kernel][egress]")
{
    need(table.write(sets));
    CHECK(port_seen_at(v4.outside, 5001) != 5001);
    CHECK(port_seen_at(v6.outside, 5001) != 5001);
    CHECK(port_seen_at(v4.neighbour, 5002) == 5002);
}

TEST_CASE_METHOD(TrafficFixture, "an exemption works from the moment its element is there",
                 "[kernel][egress]")
{
    EgressSets fewer = sets;
    fewer.exempt = merged({"224.0.0.0/4"_net, "ff00::/8"_net});
    need(table.write(fewer));
    for (const Family& family : {v4, v6})
        CHECK(source_seen_at(family.neighbour) == family.node);

    need(table.change(fewer, sets));
    for (const Family& family : {v4, v6})
        CHECK(source_seen_at(family.neighbour) == family.pod);

    need(table.change(sets, fewer));
    for (const Family& family : {v4, v6})
        CHECK(source_seen_at(family.neighbour) == family.node);
}

TEST_CASE_METHOD(TrafficFixture, "what kube-proxy marked is left to kube-proxy", "[kernel][egress]")
{
    need(table.write(sets));
    // A stand-in: marks, and masquerades after us, as another address of the node so that it can be told
    // apart.
    run("ip address add 192.168.1.111/24 dev eth0 && nft add table ip kube-proxy && "
        "nft add chain ip kube-proxy forward '{ type filter hook forward priority 0; }' && "
        "nft add rule ip kube-proxy forward ip daddr 203.0.113.5 meta mark set meta mark or 0x4000 && "
        "nft add chain ip kube-proxy postrouting '{ type nat hook postrouting priority srcnat + 1; }' && "
        "nft add rule ip kube-proxy postrouting meta mark and 0x4000 == 0x4000 snat to 192.168.1.111");

    CHECK(source_seen_at(v4.outside) == "192.168.1.111"_ip);
    CHECK(source_seen_at(v6.outside) == v6.node); // not marked
    run("nft flush chain ip kube-proxy forward");
    CHECK(source_seen_at(v4.outside) == v4.node);
}

TEST_CASE_METHOD(TrafficFixture, "the node's own packets keep their address", "[kernel][egress]")
{
    run("ip address add 192.168.1.111/24 dev eth0");
    need(table.write(sets));
    const UniqueFd receiver = bound_in_world(v4.outside, SOCK_DGRAM);
    const UniqueFd sender(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    SocketAddress second("192.168.1.111"_ip, 5000);
    SocketAddress there(v4.outside, port);
    REQUIRE(::bind(sender.fd(), second.raw(), second.size) == 0);
    REQUIRE(::sendto(sender.fd(), "x", 1, 0, there.raw(), there.size) == 1);

    char byte = 0;
    SocketAddress from;
    REQUIRE(::recvfrom(receiver.fd(), &byte, 1, 0, from.raw(), &from.size) == 1);
    CHECK(from.address() == "192.168.1.111"_ip);
    CHECK(from.at_port() == 5000);
}

TEST_CASE_METHOD(TrafficFixture,
                 "an established connection survives a rewrite of the table, and a flush of everything",
                 "[kernel][egress]")
{
    // An acknowledgement that leaves between flush and writing is not translated: whoever could answer it
    // would reset the connection.
    forget_way_to_pods();
    need(table.write(sets));
    for (const Family& family : {v4, v6}) {
        const UniqueFd listener = bound_in_world(family.outside, SOCK_STREAM);
        REQUIRE(::listen(listener.fd(), 1) == 0);
        const UniqueFd client = socket_in_pod(family.pod.af(), SOCK_STREAM);
        SocketAddress there(family.outside, port);
        REQUIRE(::connect(client.fd(), there.raw(), there.size) == 0);
        SocketAddress from;
        const UniqueFd server(::accept(listener.fd(), from.raw(), &from.size));
        REQUIRE(from.address() == family.node);
        const timeval patience{.tv_sec = 5, .tv_usec = 0};
        REQUIRE(::setsockopt(server.fd(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
        REQUIRE(::setsockopt(client.fd(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
        const auto echoes = [&] {
            char byte = 0;
            return ::write(client.fd(), "x", 1) == 1 && ::read(server.fd(), &byte, 1) == 1 &&
                   ::write(server.fd(), "y", 1) == 1 && ::read(client.fd(), &byte, 1) == 1 && byte == 'y';
        };
        CHECK(echoes());

        need(table.write(sets));
        CHECK(echoes());
        run("nft flush ruleset");
        need(table.write(sets));
        CHECK(echoes());
    }
}
