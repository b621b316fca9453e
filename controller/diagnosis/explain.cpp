#include "controller/diagnosis/explain.h"

#include "base/join.h"

#include <nlohmann/json.hpp>

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <iterator>

namespace routelet::controller {
namespace {

using Outcome = Look::Outcome;

bool has_state(const NodeReport& node, NodeState state)
{
    return node.state == to_string(state);
}

bool has_claim(const Subject& subject, NodeState state)
{
    return std::ranges::any_of(subject.claims,
                               [&](const NodeReport& node) { return has_state(node, state); });
}

const NodeReport* routed_claim(const Subject& subject)
{
    const auto found = std::ranges::find_if(
        subject.claims, [](const NodeReport& node) { return has_state(node, NodeState::routed); });
    return found == subject.claims.end() ? nullptr : &*found;
}

bool is_for_pods(const Subject& subject)
{
    return !subject.claims.empty();
}

std::string link_name(const PathFacts& path)
{
    return path.link ? path.link->name : "a link that is gone";
}

std::string text_of(const netlink::Route& route, const PathFacts& path)
{
    std::string text = route.type == RTN_UNREACHABLE ? "unreachable "
                       : route.type == RTN_LOCAL     ? "local "
                                                     : "";
    text += route.destination.to_string();
    if (route.gateway)
        text += " via " + route.gateway->to_string();
    if (route.oif != netlink::IfIndex{} && path.link && path.link->index == route.oif)
        text += " dev " + path.link->name;
    text += " proto " + netlink::to_string(route.protocol);
    if (route.metric != 0)
        text += " metric " + std::to_string(route.metric);
    return text;
}

Look look_at_claim(const NodeReport& node)
{
    std::string detail = node.node + " has " + (node.destination.empty() ? "no podCIDR" : node.destination) +
                         ": " + node.state;
    if (!node.next_hop.empty())
        detail += " by " + node.next_hop;
    if (!node.reason.empty())
        detail += ", " + node.reason;
    if (!node.detail.empty())
        detail += " (" + node.detail + ")";
    const bool has_way = node.reason.empty();
    return {"node", has_way ? Outcome::good : Outcome::broken, detail, has_way ? "" : node.remedy};
}

bool is_guarded(const PathFacts& path)
{
    return !path.way && path.way.error().code == boost::system::errc::host_unreachable;
}

std::vector<Look> look_at_nodes(const Subject& subject, const Result<StatusReport>& agent,
                                const PathFacts& path)
{
    std::vector<Look> looks;
    for (const NodeReport& node : subject.claims)
        looks.push_back(look_at_claim(node));
    if (!looks.empty() || !agent)
        return looks;
    if (subject.next_hop)
        return {{"node", Outcome::good,
                 "the address of " + subject.next_hop->node + ", by which its pods are reached"}};
    if (is_guarded(path))
        return {{"node", Outcome::broken, "in no node's podCIDR, though in a range of this cluster's",
                 "see who should have it: kubectl get nodes -o custom-columns=NAME:.metadata.name,"
                 "PODCIDRS:.spec.podCIDRs"}};
    return {{"node", Outcome::good, "in no node's podCIDR: not a pod's that this cluster knows"}};
}

// The route of ours that the plan wants.
std::vector<Look> look_at_route(const Subject& subject, const PathFacts& path, const RouteIdentity& identity)
{
    const NodeReport* const node = routed_claim(subject);
    if (node == nullptr)
        return {};
    const std::string wanted = node->destination + " via " + node->next_hop;
    if (!node->error.empty())
        return {{"route", Outcome::broken, wanted + " was refused by the kernel: " + node->error,
                 "see route-failed in docs/troubleshooting.md; the agent tries again"}};
    const auto ours =
        std::ranges::find_if(path.routes, [&](const netlink::Route& route) { return identity.owns(route); });
    if (ours == path.routes.end())
        return {{"route", Outcome::broken, "the kernel has no route of Routelet's " + wanted,
                 "the agent puts it back at once when it runs; see its log, and that --route-protocol and "
                 "--route-metric are the same here"}};
    if (!ours->gateway || ours->gateway->to_string() != node->next_hop)
        return {{"route", Outcome::broken, text_of(*ours, path) + ", not " + wanted,
                 "see route-failed in the agent's log"}};
    return {{"route", Outcome::good, text_of(*ours, path)}};
}

Look look_at_way(const Subject& subject, const PathFacts& path)
{
    const std::string address = subject.address->to_string();
    if (!path.way)
        return {"way", Outcome::broken, "packets for " + address + " meet: " + path.way.error().text(),
                is_for_pods(subject) ? "see the looks above; and ip rule, ip route get " + address
                                     : "nobody here has a route there: ip route get " + address};
    const std::string detail = "packets for " + address + " take " + text_of(*path.way, path);
    const NodeReport* const node = routed_claim(subject);
    const bool is_as_planned =
        node == nullptr || (path.way->gateway && path.way->gateway->to_string() == node->next_hop);
    if (!is_as_planned)
        return {"way", Outcome::broken, detail + ", not by " + node->next_hop,
                "somebody's route is longer or has a lower metric, or a rule (ip rule) leads elsewhere: "
                "remove it"};
    if (has_claim(subject, NodeState::self) && path.way->gateway)
        return {"way", Outcome::broken, detail + ", away from this machine's own pods",
                "somebody's route takes them: remove it; the agent gives the bridge its address back"};
    return {"way", Outcome::good, detail};
}

std::vector<Look> look_at_link(const PathFacts& path)
{
    if (!path.way || path.way->oif == netlink::IfIndex{} || path.way->type == RTN_LOCAL)
        return {};
    const std::string name = link_name(path);
    if (!path.link || !path.link->is_up())
        return {{"link", Outcome::broken, name + " is down", "ip link set " + name + " up"}};
    if (!path.link->has_carrier())
        return {{"link", Outcome::broken, name + " has no carrier",
                 path.link->kind == "bridge"
                     ? "no pod is plugged into it: see the pod's sandbox, and the plugin's log"
                     : "see the cable, the switch, or the hypervisor's network"}};
    return {{"link", Outcome::good, name + " is up, MTU " + std::to_string(path.link->mtu)}};
}

// Of this machine's own pods.
std::vector<Look> look_at_pod(const Subject& subject, const PathFacts& path)
{
    const bool is_local = path.way && path.way->type == RTN_LOCAL;
    if (!has_claim(subject, NodeState::self) || is_local)
        return {};
    const std::string address = subject.address->to_string();
    if (path.pod_link) {
        const std::string detail = (path.pod_link->alias.empty() ? "a pod" : path.pod_link->alias) +
                                   " behind " + path.pod_link->name;
        if (!path.pod_link->is_up())
            return {{"pod", Outcome::broken, detail + ", which is down",
                     "ip link set " + path.pod_link->name + " up; or delete the pod"}};
        return {{"pod", Outcome::good, detail}};
    }
    if (path.reserved_for)
        return {{"pod", Outcome::broken,
                 address + " is reserved for " + *path.reserved_for + ", which has no link here",
                 "the pod is starting, or is gone without a DEL: the agent frees the address within some "
                 "minutes"}};
    return {{"pod", Outcome::broken, "no pod of this machine has " + address,
             "see who should have it: kubectl get pods -A -o wide"}};
}

std::vector<Look> look_at_neighbor(const PathFacts& path)
{
    if (!path.neighbor_address)
        return {};
    const std::string who = path.neighbor_address->to_string() + " dev " + link_name(path);
    if (!path.neighbor)
        return {
            {"neighbour", Outcome::unknown, who + " could not be asked: " + path.neighbor.error().text()}};
    const char* const protocol =
        path.neighbor_address->family() == IpFamily::v4 ? "ARP" : "neighbour discovery";
    const std::optional<netlink::Neighbor>& neighbor = *path.neighbor;
    if (neighbor && neighbor->is_confirmed())
        return {{"neighbour", Outcome::good,
                 who + " is " + (neighbor->mac ? neighbor->mac->to_string() : "there") + " (" +
                     std::string(neighbor->state_name()) + ")"}};
    if (neighbor && (neighbor->state & (NUD_FAILED | NUD_INCOMPLETE)) == 0)
        return {{"neighbour", Outcome::unknown,
                 who + " was asked by " + protocol + " and is " + std::string(neighbor->state_name())}};
    return {{"neighbour", Outcome::broken, who + " does not answer " + protocol,
             "that machine is down, or has another address, or the network between drops it"}};
}

std::vector<Look> look_at_forwarding(const Subject& subject, const PathFacts& path)
{
    const auto family = to_string(subject.address->family());
    if (!path.not_forwarding.empty()) {
        return {{"forwarding", Outcome::broken,
                 std::string(family) + " packets that come in by " + joined(path.not_forwarding) +
                     " are not passed on",
                 subject.address->family() == IpFamily::v4 ? "sysctl -w net.ipv4.ip_forward=1"
                                                           : "sysctl -w net.ipv6.conf.all.forwarding=1; see "
                                                             "forwarding-off in docs/troubleshooting.md"}};
    }
    return {{"forwarding", Outcome::good, std::string(family) + " packets are passed on"}};
}

Look look_at_masquerade(const Subject& subject, const PathFacts& path)
{
    const bool is_inside = is_for_pods(subject) || subject.next_hop;
    switch (path.source) {
    case SourceAddress::kept:
        return {"masquerade", Outcome::good, "pods' packets keep their source address"};
    case SourceAddress::masqueraded:
        if (!is_inside)
            return {"masquerade", Outcome::good, "pods' packets get this node's address as their source"};
        return {"masquerade", Outcome::broken, "pods' packets get this node's address as their source",
                "the agent exempts what it routes: see masquerade-failed in its log"};
    case SourceAddress::no_table:
        return {"masquerade", is_inside ? Outcome::good : Outcome::unknown,
                "pods' packets keep their source address: there is no nftables table inet routelet"};
    case SourceAddress::not_known:
        break;
    }
    return {"masquerade", Outcome::unknown, "nftables could not be read"};
}

std::string name_of(const Subject& subject)
{
    if (!subject.address)
        return subject.asked;
    std::string name = subject.address->to_string();
    for (const NodeReport& node : subject.claims)
        name += (&node == &subject.claims.front() ? " in " : " and ") + node.destination + " of " + node.node;
    if (subject.next_hop)
        name += " of " + subject.next_hop->node;
    return name;
}

void append(std::vector<Look>& looks, std::vector<Look> more)
{
    std::ranges::move(more, std::back_inserter(looks));
}

Subject subject_of(const std::string& asked, const IpAddress& address, const StatusReport& agent)
{
    Subject subject{.asked = asked, .address = address};
    for (const NodeReport& node : agent.nodes) {
        const auto destination = IpPrefix::parse(node.destination);
        if (destination && destination->contains(address))
            subject.claims.push_back(node);
        if (node.next_hop == address.to_string())
            subject.next_hop = node;
    }
    return subject;
}

} // namespace

std::vector<Look> look_at_agent(const Result<StatusReport>& agent)
{
    if (!agent)
        return {
            {"agent", Outcome::broken, "no agent answers here: " + agent.error().text(),
             "start it: kubectl -n routelet get pods -o wide; until then routes stay as they are, and follow "
             "no Node"}};
    const std::string who = agent->node.empty() ? "this router" : agent->node;
    std::vector<Look> looks;
    if (agent->state == to_string(Readiness::State::ready))
        looks.push_back({"agent", Outcome::good, who + " is ready"});
    else
        looks.push_back({"agent", Outcome::broken, who + " is " + agent->state,
                         "see what it waits for: routelet status"});
    const std::string connection = agent->api_server + " " + agent->api_state + " since " + agent->api_since;
    if (agent->api_error.empty())
        looks.push_back({"API server", Outcome::good, connection});
    else
        looks.push_back(
            {"API server", Outcome::broken, connection + ": " + agent->api_error,
             "routes stay, but Nodes that have changed since then are not known; see api-failed in "
             "the log"});
    return looks;
}

std::vector<Subject> subjects_of(const std::string& asked)
{
    const auto address = IpAddress::parse(asked);
    return address ? std::vector<Subject>{{.asked = asked, .address = *address}} : std::vector<Subject>{};
}

std::vector<Subject> subjects_of(const std::string& asked, const StatusReport& agent)
{
    if (const auto address = IpAddress::parse(asked))
        return {subject_of(asked, *address, agent)};
    std::vector<Subject> subjects;
    for (const NodeReport& node : agent.nodes) {
        if (node.node != asked)
            continue;
        if (const auto destination = IpPrefix::parse(node.destination))
            subjects.push_back(subject_of(asked, destination->network().plus(1), agent));
        else
            subjects.push_back({.asked = asked, .address = std::nullopt, .claims = {node}});
    }
    return subjects;
}

Explanation explain(const Subject& subject, const Result<StatusReport>& agent, const PathFacts& path,
                    const RouteIdentity& identity)
{
    Explanation explanation{name_of(subject), look_at_agent(agent)};
    std::vector<Look>& looks = explanation.looks;
    append(looks, look_at_nodes(subject, agent, path));
    if (!subject.address)
        return explanation;
    append(looks, look_at_route(subject, path, identity));
    looks.push_back(look_at_way(subject, path));
    append(looks, look_at_link(path));
    append(looks, look_at_pod(subject, path));
    append(looks, look_at_neighbor(path));
    append(looks, look_at_forwarding(subject, path));
    looks.push_back(look_at_masquerade(subject, path));
    return explanation;
}

std::string to_text(const Explanation& explanation, const Painter& painter)
{
    const std::string broken = broken_parts(explanation.looks);
    return explanation.subject + "\n" + to_text(explanation.looks, painter) +
           (broken.empty() ? "Nothing is broken on this machine.\n" : "It breaks at: " + broken + ".\n");
}

std::string to_json(const std::vector<Explanation>& explanations)
{
    using json = nlohmann::ordered_json;
    json all = json::array();
    for (const Explanation& explanation : explanations)
        all.push_back({{"subject", explanation.subject},
                       {"broken", explanation.is_broken()},
                       {"looks", json::parse(to_json(explanation.looks))}});
    return all.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

} // namespace routelet::controller
