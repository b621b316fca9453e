// `routelet doctor` on the real kernel: each ailment is brought about, and found.
#include "controller/diagnosis/doctor_command.h"
#include "test/support/catch.h"
#include "test/support/legacy_tables.h"
#include "test/support/netns_fixture.h"
#include "test/support/temporary_directory.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

using namespace routelet;
using namespace routelet::controller;
using namespace routelet::test;

namespace {

// node01, with a route to node02's pods, which has one back.
struct SickNode : NetnsFixture {
    netlink::NetNamespace node02 = another_netns();
    TemporaryDirectory temporary;
    MachineOptions options{.cni_conf_dir = temporary.path, .host_root = temporary.path, .probes = 16};

    SickNode()
    {
        std::filesystem::create_directories(temporary.path / "etc");
        std::ofstream(temporary.path / "etc/os-release") << "ID=debian\n";
        run("echo '0 2147483647' >/proc/sys/net/ipv4/ping_group_range && echo 1 "
            ">/proc/sys/net/ipv4/ip_forward && "
            "echo 1 >/proc/sys/net/ipv6/conf/all/forwarding && "
            "ip link add eth0 type veth peer name eth0 netns /proc/" +
            std::to_string(::getpid()) + "/fd/" + std::to_string(node02.fd()) +
            " && ip link set eth0 up && ip address add 192.168.1.11/24 dev eth0 && "
            "ip address add fd00:1::11/64 dev eth0 nodad");
        in_netns(node02, [&] {
            run("ip link set eth0 up && ip address add 192.168.1.12/24 dev eth0 && "
                "ip address add fd00:1::12/64 dev eth0 nodad && ip route add 10.244.1.0/24 via 192.168.1.11 "
                "&& "
                "ip -6 route add fd00:10:244:1::/64 via fd00:1::11");
        });
        run("ip link add v-net-0 type bridge && ip link set v-net-0 up && ip address add 10.244.1.1/24 dev "
            "v-net-0 "
            "&& ip address add fd00:10:244:1::1/64 dev v-net-0 nodad && "
            "ip route add 10.244.2.0/24 via 192.168.1.12 proto 82 metric 8468 && "
            "ip -6 route add fd00:10:244:2::/64 via fd00:1::12 proto 82 metric 8200");
    }
    void add_pod() const
    {
        run("ip link add veth1 type veth peer name pod1 && ip link set veth1 master v-net-0 up && "
            "ip link property add dev veth1 altname pod-10.244.1.7");
    }
    // Codes of what is broken; what is unknown in parentheses.
    std::vector<std::string> ailments() const
    {
        std::vector<std::string> found;
        for (const Look& look : examine(need(read_machine(options)))) {
            UNSCOPED_INFO(to_string(look.outcome) << " " << look.what << ": " << look.detail);
            if (look.outcome == Look::Outcome::broken)
                found.push_back(look.code);
            if (look.outcome == Look::Outcome::unknown &&
                look.what != "neighbours") // of the first namespace only
                found.push_back("(" + look.what + ")");
        }
        return found;
    }
};

using Ailments = std::vector<std::string>;

} // namespace

TEST_CASE_METHOD(SickNode, "a node that is well has no ailment, and its neighbour is asked in both families",
                 "[kernel][doctor]")
{
    CHECK(ailments() == Ailments{});
    const std::string text = to_text(examine(need(read_machine(options))));
    CHECK_THAT(text, has_text("192.168.1.12 answers pods' addresses too, and packets of 1500 bytes") &&
                         has_text("fd00:1::12 answers pods' addresses too, and packets of 1500 bytes"));
}

TEST_CASE_METHOD(SickNode, "forwarding that somebody switched off", "[kernel][doctor]")
{
    run("echo 0 >/proc/sys/net/ipv4/conf/eth0/forwarding");
    CHECK(ailments() == Ailments{"forwarding-off"});
    run("echo 1 >/proc/sys/net/ipv4/conf/eth0/forwarding; echo 0 >/proc/sys/net/ipv6/conf/all/forwarding");
    CHECK(ailments() == Ailments{}); // the first pod's ADD switches it on
    add_pod();
    CHECK(ailments() == Ailments{"forwarding-off"});
    if (std::filesystem::exists("/proc/sys/net/ipv6/conf/eth0/force_forwarding")) { // Linux 6.17 and newer
        run("echo 1 >/proc/sys/net/ipv6/conf/eth0/force_forwarding");
        CHECK(ailments() == Ailments{"forwarding-off"});
        run("echo 1 >/proc/sys/net/ipv6/conf/v-net-0/force_forwarding");
        CHECK(ailments() == Ailments{});
    }
}

TEST_CASE_METHOD(SickNode, "a strict rp_filter that drops what comes in by the other of two uplinks",
                 "[kernel][doctor]")
{
    run("ip link add eth1 address 02:00:00:00:00:21 type veth peer name eth1 netns /proc/" +
        std::to_string(::getpid()) + "/fd/" + std::to_string(node02.fd()) +
        " && ip link set eth1 up && ip address add 192.168.2.11/24 dev eth1 && "
        "ip route add 10.244.3.0/24 via 192.168.2.12 proto 82 metric 8480 && "
        "echo 1 >/proc/sys/net/ipv4/conf/eth1/rp_filter && ip neighbour replace 192.168.2.12 lladdr "
        "02:00:00:00:00:99 "
        "dev eth1 nud permanent");
    in_netns(node02, [&] { run("ip link set eth1 up && ip address add 192.168.2.12/24 dev eth1"); });
    options.probes = 0;
    CHECK(ailments() == Ailments{});

    // Of 10.244.2.7, which is behind eth0, to this machine by eth1.
    in_netns(node02, [&] {
        run("ip address add 10.244.2.7/32 dev lo && ip route add 192.168.2.11/32 dev eth1 src 10.244.2.7 && "
            // ARP would ask with that source, and be dropped without being counted.
            "ip neighbour replace 192.168.2.11 lladdr 02:00:00:00:00:21 dev eth1 nud permanent && "
            "ping -c 1 -W 1 -I 10.244.2.7 192.168.2.11 >/dev/null; true");
    });
    CHECK(ailments() == Ailments{"rp-filter-drops"});
}

TEST_CASE_METHOD(SickNode, "a firewall that drops what is forwarded", "[kernel][doctor]")
{
    run("nft 'add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy "
        "drop; }'");
    CHECK(ailments() == Ailments{"forward-policy-drop"});
    run("nft add rule ip filter FORWARD ip saddr 10.244.0.0/16 accept");
    CHECK(ailments() == Ailments{"(firewall)"}); // who knows
    run("nft 'delete table ip filter; add table inet firewalld; "
        "add chain inet firewalld filter_FORWARD { type filter hook forward priority 10; }'");
    CHECK(ailments() == Ailments{"(firewall)"});
    run("nft 'delete table inet firewalld; add table ip filter; add chain ip filter INPUT { type filter hook "
        "input "
        "priority 0; policy drop; }; add rule ip filter INPUT accept; "
        "add chain ip filter FORWARD { type filter hook forward priority 0; policy accept; }'");
    CHECK(ailments() == Ailments{});
}

TEST_CASE_METHOD(SickNode, "a firewall of iptables-legacy that drops what is forwarded", "[kernel][doctor]")
{
    if (!has_legacy_tables())
        return;
    options.probes = 0;
    for (const std::string program : {"iptables-legacy", "ip6tables-legacy"}) {
        const auto give = [&](const std::string& words) { run(program + " " + words); };
        give("-P FORWARD DROP");
        CHECK(ailments() == Ailments{"forward-policy-drop"});
        CHECK_THAT(to_text(examine(need(read_machine(options)))),
                   has_text("chain FORWARD of " + program +
                            "'s table filter drops all packets that are forwarded") &&
                       has_text("to do: " + program + " -P FORWARD ACCEPT"));
        // As Docker and kube-proxy have it.
        give("-N DOCKER-USER");
        give("-A DOCKER-USER -j RETURN");
        give("-A FORWARD -j DOCKER-USER");
        give("-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT");
        give("-A FORWARD -i docker0 ! -o docker0 -j ACCEPT");
        give("-N KUBE-FORWARD");
        give("-A FORWARD -m comment --comment 'kubernetes forwarding rules' -j KUBE-FORWARD");
        give("-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP");
        give("-A KUBE-FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT");
        give("-A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT");
        CHECK(ailments() == Ailments{"forward-policy-drop"});
        give("-I DOCKER-USER -i v-net-0 -j ACCEPT");
        CHECK(ailments() == Ailments{"(firewall)"}); // what pods get is still dropped
        give("-I DOCKER-USER -o v-net-0 -j ACCEPT");
        CHECK(ailments() == Ailments{});
        give("-F DOCKER-USER");
        give("-P FORWARD ACCEPT");
        CHECK(ailments() == Ailments{});
    }
}

TEST_CASE_METHOD(SickNode, "a firewall of iptables-legacy for a family that no pod has", "[kernel][doctor]")
{
    if (!has_legacy_tables())
        return;
    options.probes = 0;
    run("iptables-legacy -P FORWARD DROP; ip6tables-legacy -P FORWARD DROP");
    CHECK(ailments() == Ailments{"forward-policy-drop", "forward-policy-drop"});
    run("ip -6 route del fd00:10:244:2::/64");
    CHECK(ailments() == Ailments{"forward-policy-drop"});
    run("iptables-legacy -P FORWARD ACCEPT");
    CHECK(ailments() == Ailments{});
    run("iptables-legacy -P FORWARD DROP; ip route del 10.244.2.0/24");
    CHECK(ailments() == Ailments{"forward-policy-drop"}); // there are none yet
    run("ip6tables-legacy -P FORWARD ACCEPT; ip -6 route add fd00:10:244:2::/64 via fd00:1::12 proto 82 "
        "metric 8200");
    CHECK(ailments() == Ailments{});
}

TEST_CASE_METHOD(SickNode,
                 "rules for links that pods' packets may come in by are no firewall that drops them",
                 "[kernel][doctor]")
{
    if (!has_legacy_tables())
        return;
    options.probes = 0;
    run("iptables-legacy -P FORWARD DROP; iptables-legacy -A FORWARD -i veth+ -j ACCEPT; "
        "iptables-legacy -A FORWARD -o veth+ -j ACCEPT");
    add_pod();
    CHECK(ailments() == Ailments{"forward-policy-drop"});
    run("ip link set veth1 nomaster"); // as with --cni-mode ptp
    CHECK(ailments() == Ailments{"(firewall)"});
    run("ip link set veth1 master v-net-0 && ip link del v-net-0");
    CHECK(ailments() == Ailments{"(firewall)"});
}

TEST_CASE_METHOD(SickNode, "pods that send more than the uplink passes", "[kernel][doctor]")
{
    add_pod();
    CHECK(ailments() == Ailments{});
    run("ip link set eth0 mtu 1400");
    CHECK(ailments() == Ailments{"pod-mtu-too-large"});
}

TEST_CASE_METHOD(SickNode, "what other networks' plugins have left", "[kernel][doctor]")
{
    run("ip link add cni0 type bridge");
    CHECK(ailments() == Ailments{"other-network-left"});
    run("nft 'add table ip nat; add chain ip nat FLANNEL-POSTRTG'");
    CHECK_THAT(to_text(examine(need(read_machine(options)))),
               has_text("cni0; rules of another network: FLANNEL-POSTRTG of nftables table ip nat"));
    run("nft delete table ip nat");
    options.pod_bridge = "cni0"; // a cluster that moved from flannel, with --bridge cni0
    options.probes = 0;
    CHECK(ailments() == Ailments{});
    run("nft 'add table ip6 flannel-ipv6; add chain ip6 flannel-ipv6 postrtg'");
    CHECK(ailments() == Ailments{"other-network-left"});
    run("nft 'delete table ip6 flannel-ipv6; add table ip nat; add chain ip nat KUBE-POSTROUTING'");
    CHECK(ailments() == Ailments{});

    std::ofstream(temporary.path / "00-other.conflist") << "{}";
    CHECK(ailments() == Ailments{"cni-config-shadowed"});
    options.cni_conf_dir = temporary.path / "absent";
    CHECK(ailments() == Ailments{"(CNI configuration)"});
}

TEST_CASE_METHOD(SickNode, "a network between the nodes that loses packets with pods' addresses",
                 "[kernel][doctor]")
{
    // As a cloud's check of source and destination addresses.
    in_netns(node02, [&] {
        run("nft 'add table netdev cloud; add chain netdev cloud in { type filter hook ingress device eth0 "
            "priority 0; }; "
            "add rule netdev cloud in ip saddr 10.244.0.0/16 drop; add rule netdev cloud in ip6 saddr "
            "fd00:10::/32 drop'");
    });
    CHECK(ailments() == Ailments{"pod-packets-lost", "pod-packets-lost"});
}

TEST_CASE_METHOD(SickNode, "a network between the nodes that loses large packets", "[kernel][doctor]")
{
    in_netns(node02, [&] {
        run("nft 'add table netdev tunnel; add chain netdev tunnel in { type filter hook ingress device eth0 "
            "priority 0; }; "
            "add rule netdev tunnel in meta length 1451-65535 drop'");
    });
    CHECK(ailments() == Ailments{"path-mtu-small", "path-mtu-small"});
}

TEST_CASE_METHOD(SickNode, "a node that is down, and one who may not ask", "[kernel][doctor]")
{
    in_netns(node02, [&] { run("ip address flush dev eth0"); });
    CHECK(ailments() == Ailments{"(probe)", "(probe)"});
    run("echo '1 0' >/proc/sys/net/ipv4/ping_group_range");
    CHECK(ailments() == Ailments{"(probe)", "(probe)"});
    CHECK_THAT(to_text(examine(need(read_machine(options)))),
               has_text("could not be asked") && has_text("Permission denied"));
}

TEST_CASE_METHOD(SickNode, "the command says what is broken, by its exit status, too", "[kernel][doctor]")
{
    const auto command = [&](DoctorOptions wanted) {
        wanted.machine = options;
        std::ostringstream out;
        std::ostringstream errors;
        const int status = show_diagnosis(wanted, out, errors);
        CHECK(errors.str().empty());
        return std::to_string(status) + "\n" + out.str();
    };
    CHECK_THAT(command({}), has_text("0\n") && has_text("\nNothing is broken.\n"));
    CHECK_THAT(command({.health = HttpAddress{"127.0.0.1", 1}}),
               has_text("1\n") && has_text("no agent answers here") && has_text("\nBroken: agent.\n"));
    run("ip link add cni0 type bridge && ip link set eth0 mtu 1400");
    CHECK_THAT(command({}), has_text("\nBroken: other networks.\n"));
    using Format = OutputOptions::Format;
    CHECK_THAT(command({.output = {.format = Format::json}}), has_text("\"code\": \"other-network-left\""));
    CHECK_THAT(command({.output = {.format = Format::yaml}}), has_text("code: \"other-network-left\"\n"));
    CHECK_THAT(command({.output = {.colours = true}}), has_text("\x1b[31mbroken\x1b[0m   other networks"));
}
