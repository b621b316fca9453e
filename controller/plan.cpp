#include "controller/plan.h"

#include "controller/claims.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>

namespace routelet::controller {
namespace {

struct ReasonText {
    Reason reason;
    std::string_view code;
    std::string_view remedy;
};

// In the order of the enumeration.
constexpr std::array reason_texts = {
    ReasonText{Reason::none, "none", ""},
    ReasonText{Reason::no_pod_cidr, "no-pod-cidr",
               "wait, or check that kube-controller-manager runs with --allocate-node-cidrs"},
    ReasonText{Reason::no_internal_ip, "no-internal-ip",
               "wait for its kubelet, or set kubelet --node-ip to an address of the podCIDR's family"},
    ReasonText{Reason::bad_pod_cidr, "bad-pod-cidr",
               "delete the Node and let it register anew with a valid podCIDR"},
    ReasonText{Reason::bad_internal_ip, "bad-internal-ip", "correct the node's address (kubelet --node-ip)"},
    ReasonText{Reason::pod_cidr_not_unicast, "pod-cidr-not-unicast",
               "delete the Node and find out who gave it this podCIDR"},
    ReasonText{Reason::pod_cidr_length, "pod-cidr-length",
               "use a node mask of /8 to /30 (IPv4) or /32 to /126 (IPv6)"},
    ReasonText{Reason::outside_cluster_cidr, "outside-cluster-cidr",
               "make routelet's --cluster-cidr agree with kube-controller-manager's, or delete the Node"},
    ReasonText{Reason::overlaps_service_cidr, "overlaps-service-cidr",
               "make pod and service ranges disjoint, or delete the Node"},
    ReasonText{Reason::covers_api_server, "covers-api-server",
               "delete the Node and find out who gave it this podCIDR"},
    ReasonText{Reason::overlaps_local_network, "overlaps-local-network",
               "choose a cluster CIDR that no node has as a network of its own, or remove that network"},
    ReasonText{Reason::overlaps_own_pod_cidr, "overlaps-own-pod-cidr",
               "delete the Node that is wrong; it registers anew and gets a free podCIDR"},
    ReasonText{Reason::overlaps_node, "overlaps-node",
               "delete the Node that is wrong; it registers anew and gets a free podCIDR"},
    ReasonText{Reason::covers_node_address, "covers-node-address",
               "choose a cluster CIDR apart from the nodes' own network, or delete the Node"},
    ReasonText{Reason::next_hop_not_unicast, "next-hop-not-unicast",
               "correct the node's address (kubelet --node-ip)"},
    ReasonText{
        Reason::next_hop_is_local, "next-hop-is-local",
        "correct the address of whichever is wrong; if that Node is this machine, correct --node-name"},
    ReasonText{Reason::next_hop_is_gateway, "next-hop-is-gateway",
               "correct the node's address (kubelet --node-ip)"},
    ReasonText{Reason::next_hop_in_pod_cidr, "next-hop-in-pod-cidr",
               "correct the node's address (kubelet --node-ip)"},
    ReasonText{Reason::next_hop_of_other_node, "next-hop-of-other-node",
               "correct the address of whichever is wrong (kubelet --node-ip), or delete the stale Node"},
    ReasonText{
        Reason::next_hop_off_link, "next-hop-off-link",
        "put the node on a network of this machine, give this machine a link to the node's network, or leave "
        "the node to a router (--off-link=gateway)"},
    ReasonText{Reason::no_default_gateway, "no-default-gateway",
               "give this machine a default route through a router that knows the nodes' podCIDRs"},
    ReasonText{Reason::too_many_routes, "too-many-routes",
               "find out who makes so many Nodes, or raise --max-routes"},
};

const ReasonText& text_of(Reason reason) noexcept
{
    return reason_texts[static_cast<std::size_t>(reason)];
}

// Networks in which no pod can live: RFC 6890 special-purpose space that hosts treat as their own.
const std::vector<IpPrefix>& reserved_networks()
{
    static const std::vector<IpPrefix> networks = [] {
        std::vector<IpPrefix> all;
        for (const char* text : {"0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4",
                                 "::/96", "::ffff:0:0/96", "fe80::/10", "ff00::/8"})
            all.push_back(IpPrefix::parse(text).value());
        return all;
    }();
    return networks;
}

bool has_usual_length(const IpPrefix& prefix) noexcept
{
    return prefix.family() == IpFamily::v4 ? prefix.length() >= 8 && prefix.length() <= 30
                                           : prefix.length() >= 32 && prefix.length() <= 126;
}

const IpPrefix* overlapping(const std::vector<IpPrefix>& networks, const IpPrefix& prefix)
{
    const auto found = std::ranges::find_if(networks, [&](const IpPrefix& n) { return n.overlaps(prefix); });
    return found == networks.end() ? nullptr : &*found;
}

// The network's own address or its broadcast address, which no host has (RFC 922); a /31 has neither (RFC
// 3021), nor has IPv6.
bool is_edge(const IpAddress& address, const IpPrefix& network)
{
    return address.family() == IpFamily::v4 && network.length() <= 30 &&
           (address == network.network() || address == network.last());
}

const IpAddress* inside(const std::vector<IpAddress>& addresses, const IpPrefix& network)
{
    const auto found =
        std::ranges::find_if(addresses, [&](const IpAddress& address) { return network.contains(address); });
    return found == addresses.end() ? nullptr : &*found;
}

bool is_inside_any(const std::vector<IpPrefix>& networks, const IpAddress& address)
{
    return std::ranges::any_of(networks, [&](const IpPrefix& n) { return n.contains(address); });
}

std::vector<const NodeClaim*> oldest_first(const std::vector<NodeRef>& nodes)
{
    std::vector<const NodeClaim*> sorted;
    sorted.reserve(nodes.size());
    for (const NodeRef& node : nodes)
        sorted.push_back(node.get());
    const auto older = [](const NodeClaim* a, const NodeClaim* b) { return is_older(*a, *b); };
    if (!std::ranges::is_sorted(sorted, older))
        std::ranges::sort(sorted, older);
    return sorted;
}

class Planner {
public:
    Planner(const std::vector<NodeRef>& nodes, const LocalFacts& local, const PlanOptions& options)
        : local_(local), options_(options), local_addresses_(local.addresses.begin(), local.addresses.end()),
          by_age_(oldest_first(nodes)), claims_(by_age_),
          // An address inside the pods' range is nobody's node address: it would only serve to have the
          // podCIDR of whoever owns it refused.
          address_owners_(by_age_, [&](const IpAddress& address) {
              return is_inside_any(options.cluster_cidrs, address);
          })
    {
    }

    Plan plan()
    {
        const auto self = std::ranges::find(by_age_, options_.node_name, &NodeClaim::name);
        if (self != by_age_.end())
            claim_own(**self);
        for (const NodeClaim* node : by_age_)
            judge(*node);
        plan_.routes = claims_.routes(routes_);
        std::ranges::sort(plan_.gateway_pod_cidrs);
        std::ranges::stable_sort(plan_.verdicts, {}, &Verdict::node);
        plan_.guarded = guarded_by(plan_, local_, options_);
        return std::move(plan_);
    }

private:
    void claim_own(const NodeClaim& self)
    {
        for (const auto& cidr : self.pod_cidrs)
            if (Claims::Claim& claim = claims_.at(cidr);
                !check_own(self, cidr) && !claims_.find_overlap(claim))
                claims_.grant(claim, self);
    }

    void judge(const NodeClaim& node)
    {
        const bool is_self = node.name == options_.node_name;
        for (const Unreadable& bad : node.bad_pod_cidrs())
            refuse(node, bad.text, Reason::bad_pod_cidr, bad.error);
        if (node.pod_cidrs.empty() && node.bad_pod_cidrs().empty())
            return conclude(node, "", is_self ? NodeState::self : NodeState::pending, Reason::no_pod_cidr,
                            "");
        for (const auto& cidr : node.pod_cidrs) {
            if (is_self)
                judge_own(node, cidr);
            else
                judge_other(node, cidr);
        }
    }

    void judge_own(const NodeClaim& node, const IpPrefix& cidr)
    {
        const std::string text = cidr.to_string();
        if (const auto refusal = check_own(node, cidr))
            return refuse(node, text, refusal->first, refusal->second);
        const IpPrefix* earlier = overlapping(plan_.own_pod_cidrs, cidr);
        if (earlier != nullptr && *earlier != cidr)
            return refuse(node, text, Reason::overlaps_own_pod_cidr, "this node has " + earlier->to_string());
        if (earlier == nullptr)
            plan_.own_pod_cidrs.push_back(cidr);
        conclude(node, text, NodeState::self, Reason::none, "");
    }

    void judge_other(const NodeClaim& node, const IpPrefix& cidr)
    {
        Claims::Claim& claim = claims_.at(cidr);
        if (const auto refusal = check_destination(node, claim))
            return refuse(node, cidr.to_string(), refusal->first, refusal->second);
        claims_.grant(claim, node);

        const auto next_hop = std::ranges::find(node.internal_ips, cidr.family(), &IpAddress::family);
        if (next_hop == node.internal_ips.end())
            return conclude_without_address(node, cidr);
        if (const auto refusal = check_next_hop(node, *next_hop))
            return refuse(node, cidr.to_string(), refusal->first, refusal->second);
        const OnLinkNetwork* network = network_of(*next_hop);
        if (network == nullptr)
            return judge_off_link(node, cidr, *next_hop);
        if (is_edge(*next_hop, network->network))
            return refuse(node, cidr.to_string(), Reason::next_hop_not_unicast,
                          next_hop->to_string() + " is the first or last address of " +
                              network->network.to_string() + " on " + network->link_name);
        if (routes_ >= options_.most_routes)
            return refuse(node, cidr.to_string(), Reason::too_many_routes,
                          "there are " + std::to_string(options_.most_routes) + " routes to older nodes");

        claim.gateway = *next_hop;
        claim.link = network->link;
        ++routes_;
    }

    void judge_off_link(const NodeClaim& node, const IpPrefix& cidr, const IpAddress& next_hop)
    {
        const std::string text = cidr.to_string();
        const std::string detail = next_hop.to_string() + " is on no network of this machine";
        if (options_.off_link == OffLink::skip)
            return refuse(node, text, Reason::next_hop_off_link, detail + known_networks());
        const auto gateway = std::ranges::find(local_.gateways, cidr.family(),
                                               [](const DefaultGateway& g) { return g.address.family(); });
        if (gateway == local_.gateways.end())
            return conclude(node, text, NodeState::pending, Reason::no_default_gateway,
                            detail + ", which has no default route of family " +
                                std::string(to_string(cidr.family())) + " through a gateway");
        plan_.gateway_pod_cidrs.push_back(cidr);
        conclude(node, text, NodeState::gateway, Reason::none,
                 detail + "; the default route through " + gateway->address.to_string() + " leads there");
    }

    using Refusal = std::optional<std::pair<Reason, std::string>>;

    Refusal check_destination(const NodeClaim& node, const Claims::Claim& claim) const
    {
        const IpPrefix& cidr = claim.prefix;
        if (auto range = check_range(cidr))
            return range;
        if (const auto grant = claims_.find_overlap(claim))
            return overlap(grant->prefix, grant->holder->name);
        if (auto local = check_networks(cidr))
            return local;
        if (auto local = check_local(cidr))
            return local;
        return check_addresses(node, cidr);
    }

    // The own range is guarded by a route as well, and the addresses in it are given to pods.
    Refusal check_own(const NodeClaim& self, const IpPrefix& cidr) const
    {
        if (auto range = check_range(cidr))
            return range;
        if (auto local = check_networks(cidr, Whose::own))
            return local;
        if (auto local = check_far_ends(cidr))
            return local;
        return check_addresses(self, cidr);
    }

    // What a podCIDR has to be, whoever has it.
    Refusal check_range(const IpPrefix& cidr) const
    {
        if (const IpPrefix* reserved = overlapping(reserved_networks(), cidr))
            return refusal(Reason::pod_cidr_not_unicast,
                           "it overlaps the reserved network " + reserved->to_string());
        if (!has_usual_length(cidr))
            return refusal(Reason::pod_cidr_length, "its length is /" + std::to_string(cidr.length()));
        if (!options_.cluster_cidrs.empty() &&
            std::ranges::none_of(options_.cluster_cidrs, [&](const IpPrefix& c) { return c.contains(cidr); }))
            return refusal(Reason::outside_cluster_cidr, "it lies in none of the cluster CIDRs");
        if (const IpPrefix* service = overlapping(options_.service_cidrs, cidr))
            return refusal(Reason::overlaps_service_cidr,
                           "it overlaps the service range " + service->to_string());
        return {};
    }

    Refusal overlap(const IpPrefix& theirs, const std::string& owner) const
    {
        if (owner == options_.node_name)
            return refusal(Reason::overlaps_own_pod_cidr, "this node has " + theirs.to_string());
        return refusal(Reason::overlaps_node, "the older node " + owner + " has " + theirs.to_string());
    }

    enum class Whose { other, own };

    // Only an operator who named the range with --cluster-cidr may have pods inside a larger local network.
    // The own range is the one that the pod bridge has. A route to a single address in it is a pod's, where a
    // plugin connects pods without a bridge, or an IPv6 address of this machine.
    Refusal check_networks(const IpPrefix& cidr, Whose whose = Whose::other) const
    {
        const bool is_declared = !options_.cluster_cidrs.empty();
        const auto is_for_own_pods = [](const OnLinkNetwork& local) {
            return local.is_pod_bridge || local.network.length() == local.network.network().bits();
        };
        for (const OnLinkNetwork& local : local_.networks)
            if (local.network.overlaps(cidr) && !(is_declared && local.network.length() < cidr.length()) &&
                !(whose == Whose::own && is_for_own_pods(local)))
                return refusal(Reason::overlaps_local_network, "it overlaps " + local.network.to_string() +
                                                                   ", a network of this machine on " +
                                                                   local.link_name);
        return {};
    }

    Refusal check_local(const IpPrefix& cidr) const
    {
        for (const IpAddress& address : local_.addresses)
            if (cidr.contains(address))
                return refusal(Reason::overlaps_local_network,
                               "it holds " + address.to_string() + ", an address of this machine");
        return check_far_ends(cidr);
    }

    // Addresses that this machine itself cannot do without.
    Refusal check_far_ends(const IpPrefix& cidr) const
    {
        for (const DefaultGateway& gateway : local_.gateways)
            if (cidr.contains(gateway.address))
                return refusal(Reason::overlaps_local_network, "it holds " + gateway.address.to_string() +
                                                                   ", this machine's default gateway");
        if (const IpAddress* server = inside(options_.api_servers, cidr))
            return refusal(Reason::covers_api_server,
                           "it holds " + server->to_string() + ", the API server's address");
        return {};
    }

    // A range that holds addresses of nodes would take their traffic away. Of a younger node's address, the
    // range has the older right: otherwise a newcomer could have anybody's podCIDR refused.
    Refusal check_addresses(const NodeClaim& node, const IpPrefix& cidr) const
    {
        const auto* const held = address_owners_.find_in(
            cidr, [&](const NodeClaim& owner) { return &owner == &node || is_older(owner, node); });
        if (held == nullptr)
            return {};
        return refusal(Reason::covers_node_address,
                       "it holds " + held->address.to_string() + ", the address of node " + held->node->name);
    }

    Refusal check_next_hop(const NodeClaim& node, const IpAddress& next_hop) const
    {
        if (!next_hop.is_host_unicast())
            return refusal(Reason::next_hop_not_unicast,
                           next_hop.to_string() + " is no address that a host can have");
        if (local_addresses_.contains(next_hop))
            return refusal(Reason::next_hop_is_local,
                           next_hop.to_string() + " is an address of this machine");
        if (std::ranges::find(local_.gateways, next_hop, &DefaultGateway::address) != local_.gateways.end())
            return refusal(Reason::next_hop_is_gateway,
                           next_hop.to_string() + " is this machine's default gateway");
        if (is_inside_any(options_.cluster_cidrs, next_hop))
            return refusal(Reason::next_hop_in_pod_cidr, next_hop.to_string() + " is inside a cluster CIDR");
        if (const auto grant = claims_.find(next_hop))
            return refusal(Reason::next_hop_in_pod_cidr, next_hop.to_string() + " is inside " +
                                                             grant->prefix.to_string() + " of node " +
                                                             grant->holder->name);
        const NodeClaim* owner = address_owners_.find(next_hop);
        if (owner != nullptr && owner != &node)
            return refusal(Reason::next_hop_of_other_node,
                           next_hop.to_string() + " is also the address of the older node " + owner->name);
        return {};
    }

    static Refusal refusal(Reason reason, std::string detail) { return std::pair(reason, std::move(detail)); }

    // The most specific network that holds the address; never the bridge of this machine's own pods.
    const OnLinkNetwork* network_of(const IpAddress& address) const
    {
        const OnLinkNetwork* best = nullptr;
        for (const OnLinkNetwork& local : local_.networks)
            if (!local.is_pod_bridge && local.network.contains(address) &&
                (best == nullptr || local.network.length() > best->network.length()))
                best = &local;
        return best;
    }

    std::string known_networks() const
    {
        std::string text;
        for (const OnLinkNetwork& local : local_.networks)
            if (!local.is_pod_bridge)
                text += (text.empty() ? "; it has " : ", ") + local.network.to_string() + " on " +
                        local.link_name;
        return text;
    }

    void conclude_without_address(const NodeClaim& node, const IpPrefix& cidr)
    {
        if (!node.bad_internal_ips().empty())
            return refuse(node, cidr.to_string(), Reason::bad_internal_ip,
                          node.bad_internal_ips().front().error);
        conclude(node, cidr.to_string(), NodeState::pending, Reason::no_internal_ip,
                 "it has no InternalIP of family " + std::string(to_string(cidr.family())));
    }

    void refuse(const NodeClaim& node, const std::string& destination, Reason reason, std::string detail)
    {
        conclude(node, destination, NodeState::refused, reason, std::move(detail));
    }

    void conclude(const NodeClaim& node, const std::string& destination, NodeState state, Reason reason,
                  std::string detail)
    {
        plan_.verdicts.push_back({node.name, destination, state, reason, std::move(detail)});
    }

    const LocalFacts& local_;
    const PlanOptions& options_;
    std::set<IpAddress> local_addresses_;
    std::vector<const NodeClaim*> by_age_;
    Claims claims_; // podCIDRs that passed, of nodes judged so far
    AddressOwners address_owners_;
    std::size_t routes_ = 0; // so far
    Plan plan_;
};

} // namespace

std::string_view LocalFacts::link_name(netlink::IfIndex link) const noexcept
{
    const auto found = std::ranges::find(networks, link, &OnLinkNetwork::link);
    return found == networks.end() ? std::string_view() : found->link_name;
}

std::string_view to_string(NodeState state) noexcept
{
    constexpr std::array<std::string_view, 5> names = {"routed", "self", "gateway", "pending", "refused"};
    return names[static_cast<std::size_t>(state)];
}

std::string_view to_string(Reason reason) noexcept
{
    return text_of(reason).code;
}

std::string_view remedy(Reason reason) noexcept
{
    return text_of(reason).remedy;
}

const PlannedRoute* Plan::find(const IpPrefix& destination) const
{
    const auto route =
        search(routes, [&](const PlannedRoute& planned) { return planned.destination < destination; });
    return route != routes.end() && route->destination == destination ? &*route : nullptr;
}

bool Plan::guards(const IpPrefix& destination) const
{
    return std::ranges::binary_search(guarded, destination);
}

std::vector<IpPrefix> guarded_by(const Plan& plan, const LocalFacts& local, const PlanOptions& options)
{
    std::vector<IpPrefix> guarded = plan.own_pod_cidrs;
    const auto is_meant_elsewhere = [&](const IpPrefix& cluster) {
        return options.off_link == OffLink::gateway || inside(options.api_servers, cluster) != nullptr ||
               std::ranges::any_of(local.gateways, [&](const DefaultGateway& gateway) {
                   return cluster.contains(gateway.address);
               });
    };
    for (const IpPrefix& cluster : options.cluster_cidrs)
        if (has_usual_length(cluster) && overlapping(reserved_networks(), cluster) == nullptr &&
            !is_meant_elsewhere(cluster) && plan.find(cluster) == nullptr)
            guarded.push_back(cluster);
    std::ranges::sort(guarded);
    const auto twice = std::ranges::unique(guarded);
    guarded.erase(twice.begin(), twice.end());
    return guarded;
}

Plan plan_routes(const std::vector<NodeRef>& nodes, const LocalFacts& local, const PlanOptions& options)
{
    return Planner(nodes, local, options).plan();
}

std::map<NodeState, std::size_t> count_states(const Plan& plan)
{
    std::map<NodeState, std::size_t> counts = {{NodeState::routed, plan.routes.size()},
                                               {NodeState::self, 0},
                                               {NodeState::gateway, 0},
                                               {NodeState::pending, 0},
                                               {NodeState::refused, 0}};
    for (const Verdict& verdict : plan.verdicts)
        ++counts[verdict.state];
    return counts;
}

} // namespace routelet::controller
