#include "controller/diagnosis/doctor.h"

#include "base/join.h"
#include "controller/diagnosis/legacy_forward.h"

#include <algorithm>
#include <array>

namespace routelet::controller {
namespace {

using Outcome = Look::Outcome;

Look good(const char* what, std::string detail)
{
    return {.what = what, .outcome = Outcome::good, .detail = std::move(detail)};
}

Look unknown(const char* what, std::string detail, std::string remedy = {})
{
    return {
        .what = what, .outcome = Outcome::unknown, .detail = std::move(detail), .remedy = std::move(remedy)};
}

Look broken(const char* what, const char* code, std::string detail, std::string remedy)
{
    return {.what = what,
            .outcome = Outcome::broken,
            .detail = std::move(detail),
            .remedy = std::move(remedy),
            .code = code};
}

void append(std::vector<Look>& looks, std::vector<Look> more)
{
    for (Look& look : more)
        looks.push_back(std::move(look));
}

template <class Wanted>
std::string names_of(const std::vector<Uplink>& uplinks, Wanted wanted)
{
    std::string names;
    for (const Uplink& uplink : uplinks)
        if (wanted(uplink))
            append_item(names, uplink.name);
    return names;
}

std::string all_names(const std::vector<Uplink>& uplinks)
{
    return names_of(uplinks, [](const Uplink&) { return true; });
}

// --- each is one look, or several

std::vector<Look> look_at_forwarding(const MachineFacts& machine)
{
    std::vector<Look> looks;
    const bool has_pods = machine.largest_pod_mtu != 0 || machine.pod_bridge.empty();
    std::string off = names_of(machine.uplinks, [](const Uplink& uplink) { return !uplink.forwards_ipv4; });
    if (!machine.bridge_forwards_ipv4)
        append_item(off, machine.pod_bridge);
    if (!off.empty())
        looks.push_back(broken(
            "forwarding", "forwarding-off", "IPv4 packets that come in by " + off + " are not passed on",
            "sysctl -w net.ipv4.ip_forward=1, and in /etc/sysctl.d; the agent switches it on by "
            "itself, so look for forwarding-failed in its log, and for who switches it off"));
    if (machine.forwards_ipv6 == false && has_pods) // the first pod's ADD switches it on
        looks.push_back(
            broken("forwarding", "forwarding-off", "net.ipv6.conf.all.forwarding is 0",
                   "sysctl -w net.ipv6.conf.all.forwarding=1, and in /etc/sysctl.d; before that "
                   "net.ipv6.conf.LINK.accept_ra=2 for a link whose default route comes from router "
                   "advertisements"));
    if (looks.empty())
        looks.push_back(good("forwarding", machine.uplinks.empty()
                                               ? "there is no link yet that packets of pods leave by"
                                               : "on, for " + all_names(machine.uplinks)));
    return looks;
}

// Strict, a packet is dropped that comes in by another link than its answer would leave by (RFC 3704).
Look look_at_rp_filter(const MachineFacts& machine)
{
    const std::string strict =
        names_of(machine.uplinks, [](const Uplink& uplink) { return uplink.is_rp_filter_strict; });
    if (strict.empty())
        return good("rp_filter", "no uplink is strict");
    const std::string drops = std::to_string(machine.rp_filter_drops) + " packets dropped since the boot";
    if (machine.uplinks.size() < 2 || machine.rp_filter_drops == 0)
        return good("rp_filter", "strict on " + strict + ", " + drops);
    return broken("rp_filter", "rp-filter-drops",
                  "strict on " + strict +
                      ", where packets of pods may come in by another link than their answers "
                      "leave by: " +
                      drops,
                  "set it to loose: sysctl -w net.ipv4.conf.all.rp_filter=2, and in /etc/sysctl.d");
}

std::vector<Look> look_at_forward_chains(const MachineFacts& machine)
{
    if (!machine.forward_chains)
        return {unknown("firewall", "nftables could not be read: " + machine.forward_chains.error().text())};
    std::vector<Look> looks;
    for (const netlink::ListedChain& chain : *machine.forward_chains) {
        if (chain.table == "firewalld")
            looks.push_back(
                unknown("firewall",
                        "firewalld is there, which rejects forwarded packets of zones that do not "
                        "allow them",
                        "firewall-cmd --permanent --zone=trusted --add-source=CLUSTER_CIDR, and "
                        "--add-interface=" +
                            machine.pod_bridge + "; then firewall-cmd --reload"));
        else if (chain.drops && chain.rules == 0)
            looks.push_back(
                broken("firewall", "forward-policy-drop",
                       "chain " + chain.to_string() + " drops all packets that are forwarded",
                       "iptables -P FORWARD ACCEPT, or accept the cluster CIDR there, as source and as "
                       "destination"));
        else if (chain.drops)
            looks.push_back(unknown("firewall",
                                    "chain " + chain.to_string() + " drops what none of its " +
                                        std::to_string(chain.rules) + " rules accepts",
                                    "see that they accept the cluster CIDR, as source and as destination"));
    }
    return looks;
}

// In and out. A router has no pods of its own.
std::vector<ForwardWay> ways_of_pods(const MachineFacts& machine)
{
    const auto or_any = [](std::vector<std::string> links) {
        return links.empty() ? std::vector<std::string>{""} : links;
    };
    std::vector<std::string> uplinks;
    for (const Uplink& uplink : machine.uplinks)
        uplinks.push_back(uplink.name);
    uplinks = or_any(uplinks);
    std::vector<std::string> inner = uplinks;
    if (!machine.pod_bridge.empty())
        inner = {machine.is_bridge_used ? machine.pod_bridge : ""};
    std::vector<ForwardWay> ways;
    for (const std::string& link : inner)
        for (const std::string& uplink : uplinks) {
            ways.push_back({.in = link, .out = uplink});
            ways.push_back({.in = uplink, .out = link});
        }
    return ways;
}

std::string to_accept_pods(const std::string& command)
{
    return command + " -I FORWARD -s CLUSTER_CIDR -j ACCEPT, and the same with -d";
}

Look look_at_dropping_table(const netlink::LegacyTable& table)
{
    const std::string chain = "chain " + table.to_string();
    const std::string command = table.program() + (table.name == "filter" ? "" : " -t " + table.name);
    const std::size_t rules = table.chains[table.forward].rules.size();
    const std::string whose = std::to_string(rules) + (rules == 1 ? " rule" : " rules");
    if (!table.drops)
        return broken("firewall", "forward-policy-drop", chain + " drops all packets of pods by its " + whose,
                      to_accept_pods(command));
    const std::string open = command + " -P FORWARD ACCEPT, or " + to_accept_pods(command);
    if (rules == 0)
        return broken("firewall", "forward-policy-drop", chain + " drops all packets that are forwarded",
                      open);
    return broken("firewall", "forward-policy-drop",
                  chain + " drops all packets of pods: its policy is DROP, and its " + whose +
                      (rules == 1 ? " accepts none" : " accept none"),
                  open);
}

std::vector<Look> look_at_legacy_tables(const MachineFacts& machine)
{
    if (!machine.legacy_tables)
        return {unknown("firewall", "the tables of iptables-legacy could not be read: " +
                                        machine.legacy_tables.error().text())};
    const std::vector<ForwardWay> ways = ways_of_pods(machine);
    std::vector<Look> looks;
    for (const netlink::LegacyTable& table : *machine.legacy_tables) {
        const ForwardFate fate = fate_of_pods(table, ways);
        if (fate == ForwardFate::dropped)
            looks.push_back(look_at_dropping_table(table));
        else if (fate == ForwardFate::doubtful)
            looks.push_back(unknown("firewall",
                                    "chain " + table.to_string() + " drops what none of its rules accepts",
                                    "see that they accept the cluster CIDR, as source and as destination"));
    }
    return looks;
}

std::vector<Look> look_at_firewalls(const MachineFacts& machine)
{
    std::vector<Look> looks = look_at_forward_chains(machine);
    append(looks, look_at_legacy_tables(machine));
    if (looks.empty())
        looks.push_back(good(
            "firewall", "no chain of nftables or iptables-legacy drops forwarded packets by its policy"));
    return looks;
}

// Linux frees neighbours that are older than 5 s only above gc_thresh2, and has no room at all at gc_thresh3.
std::vector<Look> look_at_neighbors(const MachineFacts& machine)
{
    std::vector<Look> looks;
    for (const NeighborRoom& room : machine.neighbors) {
        const std::string sysctl = std::string("net.") + (room.family == IpFamily::v4 ? "ipv4" : "ipv6") +
                                   ".neigh.default.gc_thresh3";
        const std::string detail = std::string(to_string(room.family)) + ": " + std::to_string(room.needed) +
                                   " next hops and pods, room for " + std::to_string(room.most) + " (" +
                                   sysctl + ")";
        const std::size_t enough = std::max<std::size_t>(1024, room.needed * 2);
        looks.push_back(room.needed * 5 < room.most * 4
                            ? good("neighbours", detail)
                            : broken("neighbours", "neighbor-table-small", detail,
                                     "sysctl -w " + sysctl + "=" + std::to_string(enough) +
                                         ", gc_thresh2 half of that, "
                                         "and in /etc/sysctl.d"));
    }
    if (looks.empty())
        looks.push_back(
            unknown("neighbours", "the limits could not be read; they are the first namespace's"));
    return looks;
}

std::vector<Look> look_at_mtu(const MachineFacts& machine)
{
    std::vector<Look> looks;
    for (const Uplink& uplink : machine.uplinks)
        if (uplink.mtu != 0 && machine.largest_pod_mtu > uplink.mtu)
            looks.push_back(
                broken("MTU", "pod-mtu-too-large",
                       std::to_string(machine.pods_with_it) +
                           (machine.pods_with_it == 1 ? " pod sends" : " pods send") + " packets of up to " +
                           std::to_string(machine.largest_pod_mtu) + " bytes, and " + uplink.name +
                           " passes " + std::to_string(uplink.mtu),
                       "delete these pods, so that they are made anew with what fits; or raise the "
                       "link's MTU"));
    if (looks.empty())
        looks.push_back(good("MTU", machine.largest_pod_mtu == 0
                                        ? "no pod is here"
                                        : "pods' packets of " + std::to_string(machine.largest_pod_mtu) +
                                              " bytes fit each link"));
    return looks;
}

Look look_at_other_networks(const MachineFacts& machine)
{
    if (machine.foreign_links.empty() && machine.foreign_chains.empty())
        return good("other networks", "no link and no rule of another network's is left");
    std::string detail;
    if (!machine.foreign_links.empty())
        detail = "links of another network's plugin: " + joined(machine.foreign_links);
    if (!machine.foreign_chains.empty())
        detail +=
            (detail.empty() ? "" : "; ") + ("rules of another network: " + joined(machine.foreign_chains));
    std::string remedy = "if that network is still there, remove it first; then ";
    if (machine.foreign_links.empty())
        remedy += "delete these chains and the rules that lead to them, as docs/operations.md has it, or "
                  "reboot the node";
    else
        remedy += "drain the node, and ip link del the links, or reboot it";
    return broken("other networks", "other-network-left", std::move(detail), std::move(remedy));
}

Look look_at_conflists(const MachineFacts& machine)
{
    if (!machine.conflists_before)
        return unknown("CNI configuration", "the runtime's folder is not there; see --cni-conf-dir");
    if (machine.conflists_before->empty())
        return good("CNI configuration", "no file sorts before 05-routelet.conflist");
    return broken("CNI configuration", "cni-config-shadowed",
                  joined(*machine.conflists_before) +
                      " sorts before 05-routelet.conflist, and the runtime uses it",
                  "remove the file of the CNI plugin before; one that wraps Routelet's may stay");
}

Look look_at_networkd(const NetworkdSettings& networkd)
{
    using Effect = NetworkdSettings::Effect;
    switch (networkd.effect) {
    case Effect::not_there:
        return good("networkd", "systemd-networkd does not run");
    case Effect::keeps_routes:
        return good("networkd", "leaves foreign routes alone, by " + networkd.where);
    case Effect::removes_routes:
        return broken("networkd", "networkd-removes-routes",
                      "systemd-networkd removes routes that it did not make when it sets up a link, " +
                          (networkd.where.empty() ? std::string("by default") : "by " + networkd.where) +
                          "; the agent puts them back",
                      "write \"[Network]\" and \"ManageForeignRoutes=no\" into "
                      "/etc/systemd/networkd.conf.d/routelet.conf, then systemctl restart systemd-networkd");
    case Effect::not_visible:
        break;
    }
    return unknown("networkd",
                   "its files are not to be seen from here: run routelet doctor on the machine itself, "
                   "or give --host-root");
}

Look look_at_network_manager(const MachineFacts& machine)
{
    using Effect = NetworkManagerSettings::Effect;
    switch (machine.network_manager.effect) {
    case Effect::not_there:
        return good("NetworkManager", "does not run");
    case Effect::leaves_alone:
        return good("NetworkManager", "leaves " + machine.pod_bridge + " alone");
    case Effect::manages:
        return broken("NetworkManager", "networkmanager-manages-bridge",
                      "NetworkManager runs and is not told to leave " + machine.pod_bridge + " alone",
                      "write \"[keyfile]\" and \"unmanaged-devices=interface-name:" + machine.pod_bridge +
                          ";interface-name:veth*\" into /etc/NetworkManager/conf.d/routelet.conf, then "
                          "systemctl reload "
                          "NetworkManager");
    case Effect::not_visible:
        break;
    }
    return unknown("NetworkManager",
                   "its files are not to be seen from here: run routelet doctor on the machine "
                   "itself, or give --host-root");
}

Look look_at_probe(const NodeProbe& probe)
{
    const std::string node = probe.node.to_string();
    if (!probe.answers)
        return unknown("probe", node + " could not be asked: " + probe.answers.error().text());
    if (!*probe.answers)
        return unknown("probe", node + " answers no echo (ping); it is down, or does not take them");
    if (!probe.answers_pods)
        return broken(
            "probe", "pod-packets-lost",
            node + " answers this machine's own address, but not " + probe.asked_as_pod.to_string() +
                ", which pods' packets are like",
            "see with routelet explain there that it has a route back; then the cloud's check of source "
            "and destination addresses, which has to be off, rp_filter, and firewalls on the way");
    if (!probe.answers_large)
        return broken("probe", "path-mtu-small",
                      node + " answers small packets, but none of " + std::to_string(probe.mtu) +
                          " bytes, which this machine's link passes",
                      "set the links of all nodes, or --mtu, to what the network between them passes");
    return good("probe", node + " answers " +
                             (probe.asked_as_pod.is_unspecified() ? "" : "pods' addresses too, and ") +
                             "packets of " + std::to_string(probe.mtu) + " bytes");
}

} // namespace

std::vector<Look> examine(const MachineFacts& machine)
{
    std::vector<Look> looks = look_at_forwarding(machine);
    looks.push_back(look_at_rp_filter(machine));
    append(looks, look_at_firewalls(machine));
    append(looks, look_at_neighbors(machine));
    append(looks, look_at_mtu(machine));
    looks.push_back(look_at_other_networks(machine));
    looks.push_back(look_at_conflists(machine));
    looks.push_back(look_at_networkd(machine.networkd));
    looks.push_back(look_at_network_manager(machine));
    for (const NodeProbe& probe : machine.probes)
        looks.push_back(look_at_probe(probe));
    return looks;
}

std::vector<Finding> findings_of(const std::vector<Look>& looks)
{
    std::vector<Finding> findings;
    for (const Look& look : looks)
        if (look.outcome == Outcome::broken && !look.code.empty())
            findings.push_back({look.code, look.detail, look.remedy});
    return findings;
}

bool is_of_other_plugin(const netlink::Link& link)
{
    // flannel, bridge; Cilium; Calico; kube-router; Weave; Antrea; OVN-Kubernetes; Canal.
    constexpr std::array<std::string_view, 9> names = {"cni0",         "cilium_host", "cilium_net",
                                                       "cilium_vxlan", "kube-bridge", "weave",
                                                       "antrea-gw0",   "ovn-k8s-mp0", "tunl0"};
    constexpr std::array<std::string_view, 4> beginnings = {"flannel.", "flannel-v6.", "vxlan.calico",
                                                            "cali"};
    if (link.name == "tunl0") // is in each namespace where the module is; Calico sets it up
        return link.is_up();
    return std::ranges::find(names, link.name) != names.end() ||
           std::ranges::any_of(beginnings,
                               [&](std::string_view part) { return link.name.starts_with(part); });
}

bool is_chain_of_other_network(std::string_view table, std::string_view name)
{
    constexpr std::array<std::string_view, 3> tables = {"flannel-ipv4", "flannel-ipv6",
                                                        "kindnet-network-policies"};
    constexpr std::array<std::string_view, 3> chains = {"FLANNEL-POSTRTG", "FLANNEL-FWD", "KIND-MASQ-AGENT"};
    return std::ranges::find(tables, table) != tables.end() ||
           std::ranges::find(chains, name) != chains.end();
}

} // namespace routelet::controller
