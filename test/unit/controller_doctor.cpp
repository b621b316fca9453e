#include "controller/diagnosis/doctor.h"
#include "test/support/catch.h"
#include "test/support/temporary_directory.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>

using namespace routelet;
using namespace routelet::controller;
using namespace routelet::test;
namespace fs = std::filesystem;

namespace {

using Outcome = Look::Outcome;
using Target = netlink::LegacyRule::Target;

// On which nothing is wrong, and nothing is hidden.
MachineFacts good_machine()
{
    return {.pod_bridge = "v-net-0",
            .uplinks = {{"eth0", 1500}},
            .forwards_ipv6 = true,
            .neighbors = {{IpFamily::v4, 100, 1024}},
            .largest_pod_mtu = 1500,
            .pods_with_it = 3,
            .foreign_links = {},
            .conflists_before = std::vector<std::string>{},
            .networkd = {NetworkdSettings::Effect::not_there},
            .network_manager = {NetworkManagerSettings::Effect::not_there},
            .probes = {{.node = "192.168.1.12"_ip,
                        .answers = true,
                        .answers_pods = true,
                        .answers_large = true,
                        .mtu = 1500,
                        .asked_as_pod = "10.244.1.1"_ip}}};
}

// As the only one; without chains, with a FORWARD that is empty.
std::vector<netlink::LegacyTable> legacy_table(netlink::LegacyTable table)
{
    if (table.chains.empty())
        table.chains.push_back({.name = "FORWARD"});
    return {std::move(table)};
}

std::vector<Look> not_good(const MachineFacts& machine)
{
    std::vector<Look> looks = examine(machine);
    std::erase_if(looks, [](const Look& look) { return look.outcome == Outcome::good; });
    return looks;
}

struct Ailment {
    std::string title;
    std::function<void(MachineFacts&)> bring_about;
    std::string code;
    std::string detail; // part of it
};

} // namespace

TEST_CASE("a machine on which all is well has nothing to tell", "[doctor]")
{
    CHECK(not_good(good_machine()).empty());
    CHECK(findings_of(examine(good_machine())).empty());
}

TEST_CASE("each ailment is found alone, with code, evidence and remedy", "[doctor]")
{
    const std::vector<Ailment> ailments = {
        {"IPv4 forwarding is off on an uplink", [](auto& m) { m.uplinks[0].forwards_ipv4 = false; },
         "forwarding-off", "eth0"},
        {"IPv4 forwarding is off on the bridge", [](auto& m) { m.bridge_forwards_ipv4 = false; },
         "forwarding-off", "v-net-0"},
        {"IPv6 forwarding is off", [](auto& m) { m.forwards_ipv6 = false; }, "forwarding-off",
         "net.ipv6.conf.all.forwarding"},
        {"a strict rp_filter drops packets where there are two uplinks",
         [](auto& m) {
             m.uplinks.push_back({.name = "eth1", .mtu = 1500, .is_rp_filter_strict = true});
             m.rp_filter_drops = 17;
         },
         "rp-filter-drops", "strict on eth1"},
        {"an empty chain drops what is forwarded",
         [](auto& m) {
             m.forward_chains = std::vector<netlink::ListedChain>{{"ip", "filter", "FORWARD", true, 0}};
         },
         "forward-policy-drop", "FORWARD of nftables table ip filter"},
        {"an empty chain of iptables-legacy drops what is forwarded",
         [](auto& m) { m.legacy_tables = legacy_table({.name = "filter", .drops = true}); },
         "forward-policy-drop",
         "FORWARD of iptables-legacy's table filter drops all packets that are forwarded"},
        {"a chain of ip6tables-legacy drops all that its rules do not accept",
         [](auto& m) {
             m.legacy_tables = legacy_table({.family = IpFamily::v6,
                                             .name = "filter",
                                             .chains = {{"FORWARD", {{.target = Target::pass}}}},
                                             .drops = true});
         },
         "forward-policy-drop",
         "FORWARD of ip6tables-legacy's table filter drops all packets of pods: its policy is DROP, and its "
         "1 "
         "rule accepts none"},
        {"a rule of iptables-legacy drops all",
         [](auto& m) {
             m.legacy_tables =
                 legacy_table({.name = "filter", .chains = {{"FORWARD", {{.target = Target::drop}}}}});
         },
         "forward-policy-drop",
         "FORWARD of iptables-legacy's table filter drops all packets of pods by its 1 rule"},
        {"more neighbours than the table holds", [](auto& m) { m.neighbors[0].needed = 1000; },
         "neighbor-table-small", "1000 next hops and pods, room for 1024"},
        {"pods with a larger MTU than the uplink", [](auto& m) { m.uplinks[0].mtu = 1400; },
         "pod-mtu-too-large", "3 pods send packets of up to 1500 bytes, and eth0 passes 1400"},
        {"links of flannel",
         [](auto& m) {
             m.foreign_links = {"cni0", "flannel.1"};
         },
         "other-network-left", "cni0, flannel.1"},
        {"rules of flannel", [](auto& m) { m.foreign_chains = {"FLANNEL-POSTRTG of nftables table ip nat"}; },
         "other-network-left", "rules of another network: FLANNEL-POSTRTG of nftables table ip nat"},
        {"a configuration before ours",
         [](auto& m) { m.conflists_before = std::vector<std::string>{"00-calico.conflist"}; },
         "cni-config-shadowed", "00-calico.conflist"},
        {"networkd removes routes",
         [](auto& m) { m.networkd.effect = NetworkdSettings::Effect::removes_routes; },
         "networkd-removes-routes", "by default"},
        {"NetworkManager has the bridge",
         [](auto& m) { m.network_manager.effect = NetworkManagerSettings::Effect::manages; },
         "networkmanager-manages-bridge", "v-net-0"},
        {"packets with pods' addresses are lost", [](auto& m) { m.probes[0].answers_pods = false; },
         "pod-packets-lost", "192.168.1.12 answers this machine's own address, but not 10.244.1.1"},
        {"large packets are lost", [](auto& m) { m.probes[0].answers_large = false; }, "path-mtu-small",
         "1500"},
    };
    for (const Ailment& ailment : ailments) {
        CAPTURE(ailment.title);
        MachineFacts machine = good_machine();
        ailment.bring_about(machine);

        const std::vector<Look> looks = not_good(machine);

        REQUIRE(looks.size() == 1);
        CHECK(looks[0].outcome == Outcome::broken);
        CHECK(looks[0].code == ailment.code);
        CHECK_THAT(looks[0].detail, has_text(ailment.detail));
        CHECK_FALSE(looks[0].remedy.empty());
        const std::vector<Finding> findings = findings_of(looks);
        REQUIRE(findings.size() == 1);
        CHECK(findings[0] == Finding{ailment.code, looks[0].detail, looks[0].remedy});
        CHECK_THAT(to_text(looks), has_text(ailment.code + ": "));
        CHECK_THAT(to_json(looks), has_text("\"code\": \"" + ailment.code + "\""));
    }
}

TEST_CASE("what may be meant so, or cannot be told, is unknown and no finding", "[doctor]")
{
    const std::vector<Ailment> doubts = {
        {"a chain with rules drops the rest",
         [](auto& m) {
             m.forward_chains = std::vector<netlink::ListedChain>{{"ip", "filter", "FORWARD", true, 4}};
         },
         "", "drops what none of its 4 rules accepts"},
        {"firewalld",
         [](auto& m) {
             m.forward_chains =
                 std::vector<netlink::ListedChain>{{"inet", "firewalld", "filter_FORWARD", false, 5}};
         },
         "", "firewalld is there"},
        {"no right to read nftables",
         [](auto& m) {
             m.forward_chains =
                 make_error(boost::system::errc::operation_not_permitted, "listing nftables chains");
         },
         "", "Operation not permitted"},
        {"a chain of iptables-legacy may accept",
         [](auto& m) {
             m.legacy_tables = legacy_table(
                 {.name = "filter",
                  .chains = {{"FORWARD", {{.has_more_conditions = true, .target = Target::accept}}}},
                  .drops = true});
         },
         "", "FORWARD of iptables-legacy's table filter drops what none of its rules accepts"},
        {"no right to read iptables-legacy's",
         [](auto& m) {
             m.legacy_tables = make_error(boost::system::errc::operation_not_permitted, "reading a table");
         },
         "", "the tables of iptables-legacy could not be read: reading a table: Operation not permitted"},
        {"limits that are not shown", [](auto& m) { m.neighbors.clear(); }, "", "could not be read"},
        {"files that are not shown",
         [](auto& m) { m.networkd.effect = NetworkdSettings::Effect::not_visible; }, "",
         "not to be seen from here"},
        {"a node that takes no echo", [](auto& m) { m.probes[0].answers = false; }, "", "answers no echo"},
        {"no right to send echoes",
         [](auto& m) {
             m.probes[0].answers = make_error(boost::system::errc::permission_denied, "sending an echo");
         },
         "", "Permission denied"},
    };
    for (const Ailment& doubt : doubts) {
        CAPTURE(doubt.title);
        MachineFacts machine = good_machine();
        doubt.bring_about(machine);

        const std::vector<Look> looks = not_good(machine);

        REQUIRE(looks.size() == 1);
        CHECK(looks[0].outcome == Outcome::unknown);
        CHECK_THAT(looks[0].detail, has_text(doubt.detail));
        CHECK(findings_of(looks).empty());
        CHECK_FALSE(has_broken(looks));
    }
}

TEST_CASE("what to do about iptables-legacy is a command that works there", "[doctor]")
{
    const auto remedy = [](netlink::LegacyTable table) {
        MachineFacts machine = good_machine();
        machine.legacy_tables = legacy_table(std::move(table));
        const std::vector<Look> looks = not_good(machine);
        REQUIRE(looks.size() == 1);
        return looks[0].remedy;
    };
    CHECK(
        remedy({.name = "filter", .drops = true}) ==
        "iptables-legacy -P FORWARD ACCEPT, or iptables-legacy -I FORWARD -s CLUSTER_CIDR -j ACCEPT, and the "
        "same with -d");
    CHECK_THAT(
        remedy({.family = IpFamily::v6, .name = "mangle", .drops = true}),
        has_text("ip6tables-legacy -t mangle -P FORWARD ACCEPT, or ip6tables-legacy -t mangle -I FORWARD"));
    CHECK(remedy({.name = "filter",
                  .chains = {{"FORWARD", {{.target = Target::drop}}}}}) == // the policy is ACCEPT
          "iptables-legacy -I FORWARD -s CLUSTER_CIDR -j ACCEPT, and the same with -d");
}

TEST_CASE("iptables-legacy counts by the links that pods' packets pass", "[doctor]")
{
    // Accepts what comes in by that link, or goes out by it.
    const auto looks_with = [](MachineFacts machine, const std::string& link) {
        netlink::LinkPattern pattern;
        std::ranges::copy(link, pattern.name.begin());
        std::fill_n(pattern.mask.begin(), link.size() + 1, '\xff');
        machine.legacy_tables = legacy_table({.name = "filter",
                                              .chains = {{"FORWARD",
                                                          {{.in = pattern, .target = Target::accept},
                                                           {.out = pattern, .target = Target::accept}}}},
                                              .drops = true});
        return not_good(machine);
    };
    MachineFacts machine = good_machine();
    CHECK(looks_with(machine, "v-net-0").empty());
    CHECK(looks_with(machine, "eth0").empty());
    REQUIRE(looks_with(machine, "docker0").size() == 1);
    CHECK(looks_with(machine, "docker0")[0].outcome == Outcome::broken);

    machine.is_bridge_used = false;
    REQUIRE(looks_with(machine, "v-net-0").size() == 1);
    CHECK(looks_with(machine, "v-net-0")[0].outcome == Outcome::unknown);
    CHECK(looks_with(machine, "eth0").empty());

    machine = good_machine();
    machine.uplinks.push_back({"eth1", 1500});
    REQUIRE(looks_with(machine, "eth1").size() == 1);
    CHECK(looks_with(machine, "eth1")[0].outcome == Outcome::unknown); // by eth0 it is dropped

    machine.pod_bridge.clear(); // a router
    CHECK(looks_with(machine, "eth1").size() == 1);
    CHECK(looks_with(machine, "v-net-0")[0].outcome == Outcome::broken);
    machine.uplinks.clear();
    CHECK(looks_with(machine, "eth1")[0].outcome == Outcome::unknown);
}

TEST_CASE("a strict rp_filter on the only uplink does no harm", "[doctor]")
{
    MachineFacts machine = good_machine();
    machine.uplinks[0].is_rp_filter_strict = true;
    machine.rp_filter_drops = 17; // of packets that nobody should have sent
    CHECK(not_good(machine).empty());
}

TEST_CASE("links of other networks' plugins are known by name", "[doctor]")
{
    const auto is_other = [](const std::string& name, unsigned flags = 0) {
        return is_of_other_plugin(netlink::Link{.name = name, .flags = flags});
    };
    for (const char* name : {"cni0", "flannel.1", "flannel-v6.1", "cilium_host", "cali1234567890a",
                             "vxlan.calico", "kube-bridge", "antrea-gw0"})
        CHECK(is_other(name));
    for (const char* name : {"v-net-0", "eth0", "veth12345678901", "docker0", "lo", "flannel", "tunl0"})
        CHECK_FALSE(is_other(name));
    CHECK(is_other("tunl0", 1 /* IFF_UP */));
}

TEST_CASE("chains of other pod networks are known by name", "[doctor]")
{
    for (const char* name : {"FLANNEL-POSTRTG", "FLANNEL-FWD", "KIND-MASQ-AGENT"})
        CHECK(is_chain_of_other_network("nat", name));
    for (const char* table : {"flannel-ipv4", "flannel-ipv6", "kindnet-network-policies"})
        CHECK(is_chain_of_other_network(table, "postrtg"));
    for (const char* name : {"POSTROUTING", "KUBE-POSTROUTING", "cali-FORWARD", "KUBE-ROUTER-FORWARD"})
        CHECK_FALSE(is_chain_of_other_network("nat", name));
    CHECK_FALSE(is_chain_of_other_network("routelet", "postrouting"));
}

namespace {

// A root directory of a machine.
struct Root {
    TemporaryDirectory temporary;
    fs::path path = temporary.path;

    Root() { put("etc/os-release", "ID=debian\n"); }
    void put(const std::string& file, const std::string& content) const
    {
        fs::create_directories((path / file).parent_path());
        std::ofstream(path / file) << content;
    }
};

} // namespace

TEST_CASE("whether networkd removes routes is in its files, of which the last counts", "[doctor]")
{
    using Effect = NetworkdSettings::Effect;
    const Root root;
    CHECK(read_networkd(root.path).effect == Effect::not_there);

    root.put("run/systemd/netif/state", "");
    CHECK(read_networkd(root.path).effect == Effect::removes_routes);
    CHECK(read_networkd(root.path).where.empty());

    root.put("etc/systemd/networkd.conf", "[Network]\n#ManageForeignRoutes=no\n ManageForeignRoutes = no \n");
    CHECK(read_networkd(root.path).effect == Effect::keeps_routes);
    CHECK(read_networkd(root.path).where == (root.path / "etc/systemd/networkd.conf").string());

    root.put("usr/lib/systemd/networkd.conf.d/50-vendor.conf", "[Network]\nManageForeignRoutes=yes\n");
    CHECK(read_networkd(root.path).effect == Effect::removes_routes);

    root.put("etc/systemd/networkd.conf.d/50-vendor.conf", "[Network]\n"); // takes the place of the vendor's
    CHECK(read_networkd(root.path).effect == Effect::keeps_routes);

    root.put("run/systemd/networkd.conf.d/90.conf", "[Network]\nManageForeignRoutes=True\n");
    root.put("run/systemd/networkd.conf.d/99.bak", "[Network]\nManageForeignRoutes=no\n");
    CHECK(read_networkd(root.path).effect == Effect::removes_routes);

    fs::remove(root.path / "etc/os-release");
    CHECK(read_networkd(root.path).effect == Effect::not_visible);
}

TEST_CASE("whether NetworkManager leaves a link alone is in its files", "[doctor]")
{
    using Effect = NetworkManagerSettings::Effect;
    const Root root;
    CHECK(read_network_manager(root.path, "v-net-0").effect == Effect::not_there);

    fs::create_directories(root.path / "run/NetworkManager");
    CHECK(read_network_manager(root.path, "v-net-0").effect == Effect::manages);

    root.put("etc/NetworkManager/conf.d/a.conf",
             "[keyfile]\nunmanaged-devices=mac:02:00:00:00:00:01;interface-name:veth*\n");
    CHECK(read_network_manager(root.path, "v-net-0").effect == Effect::manages);
    CHECK(read_network_manager(root.path, "veth7").effect == Effect::leaves_alone);

    root.put("etc/NetworkManager/conf.d/b.conf", "[keyfile]\nunmanaged-devices=interface-name:=v-net-0\n");
    CHECK(read_network_manager(root.path, "v-net-0").effect == Effect::leaves_alone);

    fs::remove(root.path / "etc/os-release");
    CHECK(read_network_manager(root.path, "v-net-0").effect == Effect::not_visible);
}
