#include "controller/kernel_mirror.h"

#include "cni/living.h"

#include <linux/if.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <iterator>

namespace routelet::controller {
namespace {

bool is_default(const netlink::Route& route)
{
    return route.destination.length() == 0;
}

// Not the networks that every link has by itself: each pod's veth brings one.
bool is_of_interest(const netlink::Route& route)
{
    const IpAddress& network = route.destination.network();
    return route.table == RT_TABLE_MAIN && !network.is_link_local() && !network.is_multicast();
}

bool is_on_link(const netlink::Route& route)
{
    return route.type == RTN_UNICAST && !route.gateway && netlink::to_int(route.oif) != 0 &&
           !is_default(route);
}

// The flags that decide whether routes through a link live: administratively up, and carrier.
unsigned vital_flags(const netlink::Link& link)
{
    return link.flags & static_cast<unsigned>(IFF_UP | IFF_LOWER_UP);
}

} // namespace

void KernelMirror::reset(const KernelState& state)
{
    own_.clear();
    surplus_.clear();
    guards_ = 0;
    foreign_.clear();
    through_.clear();
    links_.clear();
    touched_.clear();
    facts_changed_ = true;
    for (const netlink::Link& link : state.links)
        links_.emplace(link.index, link);
    addresses_.clear();
    std::ranges::copy_if(state.addresses, std::back_inserter(addresses_),
                         [](const auto& address) { return !address.address.is_link_local(); });
    for (const netlink::Route& route : state.routes)
        if (!leads_to_pod(route))
            store_dumped(route);
}

// Of several of ours, packets take the one with the lowest metric; of those, the first.
void KernelMirror::store_dumped(const netlink::Route& route)
{
    const auto known = identity_.owns(route) ? own_.find(route.destination) : own_.end();
    if (known == own_.end()) {
        store(route);
    } else if (known->second.metric <= route.metric) {
        surplus_.push_back(route);
    } else {
        surplus_.push_back(to_kernel_route(route.destination, known->second, identity_));
        store(route);
    }
}

KernelMirror::Effect KernelMirror::apply(const netlink::KernelEvent& event)
{
    if (std::holds_alternative<netlink::Overrun>(event))
        return Effect::needs_dump;
    if (const auto* route = std::get_if<netlink::RouteChanged>(&event))
        return apply(*route);
    if (const auto* link = std::get_if<netlink::LinkChanged>(&event))
        return apply(*link);
    if (const auto* forwarding = std::get_if<netlink::ForwardingChanged>(&event))
        return apply(*forwarding);
    return apply(std::get<netlink::AddressChanged>(event));
}

KernelMirror::Effect KernelMirror::apply(const netlink::RouteChanged& event)
{
    if (leads_to_pod(event.route))
        return Effect::none;
    // Somebody else's route where ours is, or was: a replacement is announced as an addition only.
    const bool displaces = displaces_ours(event.route);
    const bool displaces_other = !event.removed && matters(event.route) && has_other_way(event.route);
    const bool is_second = may_be_second(event);
    const bool changed = event.removed ? forget(event.route) : store(event.route);
    if (displaces || is_second || (displaces_other && changed))
        return Effect::needs_dump;
    if (!changed || !(identity_.owns(event.route) || matters(event.route)))
        return Effect::none;
    touched_.push_back(event.route.destination);
    return Effect::changed;
}

// A route of ours where we know another: set in its place or beside it, which is announced alike.
bool KernelMirror::may_be_second(const netlink::RouteChanged& event) const
{
    if (event.removed || !identity_.owns(event.route))
        return false;
    const auto known = own_.find(event.route.destination);
    return known != own_.end() && known->second != OwnRoute::of(event.route);
}

bool KernelMirror::displaces_ours(const netlink::Route& foreign) const
{
    if (identity_.owns(foreign) || !identity_.has(foreign.metric))
        return false;
    const auto ours = own_.find(foreign.destination);
    return ours != own_.end() && ours->second.metric == foreign.metric;
}

// The same destination and metric by another way: both may exist, or one may have replaced the other.
bool KernelMirror::has_other_way(const netlink::Route& route) const
{
    auto entry = foreign_.lower_bound({route.destination, route.metric, netlink::IfIndex{}, {}, {}});
    for (; entry != foreign_.end(); ++entry) {
        const netlink::Route& other = entry->second;
        if (other.destination != route.destination || other.metric != route.metric)
            return false;
        if (key_of(other) != key_of(route))
            return true;
    }
    return false;
}

// To one address through a veth, as plugins make them that have no bridge. That is no network of this
// machine's: pods start and stop, and no plan depends on it.
bool KernelMirror::leads_to_pod(const netlink::Route& route) const
{
    if (!is_on_link(route) || route.destination.length() != route.destination.network().bits())
        return false;
    const auto link = links_.find(route.oif);
    return link != links_.end() && link->second.kind == "veth";
}

// A node with many routes of others, from a routing daemon say, has no work with most of them.
bool KernelMirror::matters(const netlink::Route& foreign) const
{
    return is_on_link(foreign) || is_default(foreign) || identity_.has(foreign.metric) ||
           own_.contains(foreign.destination);
}

// Each pod start and stop changes links; only those that routes or addresses hang on are worth a dump.
KernelMirror::Effect KernelMirror::apply(const netlink::LinkChanged& event)
{
    const auto known = links_.find(event.link.index);
    const bool vital = known == links_.end() || event.removed ||
                       vital_flags(known->second) != vital_flags(event.link) ||
                       known->second.name != event.link.name;
    const bool carries = carries_traffic(event.link.index);
    const bool has_other_mtu =
        !vital && carries && event.link.name != pod_bridge_ && known->second.mtu != event.link.mtu;
    facts_changed_ = facts_changed_ || (vital && carries) || has_other_mtu;
    if (event.removed)
        links_.erase(event.link.index);
    else
        links_.insert_or_assign(event.link.index, event.link);
    if (vital && carries)
        return Effect::needs_dump;
    return has_other_mtu ? Effect::changed : Effect::none;
}

KernelMirror::Effect KernelMirror::apply(const netlink::AddressChanged& event)
{
    if (event.address.address.is_link_local())
        return Effect::none;
    const auto same = [&](const netlink::InterfaceAddress& a) {
        return a.link == event.address.link && a.address == event.address.address &&
               a.length == event.address.length;
    };
    const bool known = std::ranges::any_of(addresses_, same);
    if (known == !event.removed)
        return Effect::none; // flags or lifetimes
    return Effect::needs_dump;
}

KernelMirror::Effect KernelMirror::apply(const netlink::ForwardingChanged& event)
{
    const auto known = links_.find(event.link);
    if (known == links_.end() || known->second.forwards_ipv4 == event.forwards)
        return Effect::none;
    known->second.forwards_ipv4 = event.forwards;
    return event.forwards ? Effect::none : Effect::changed;
}

void KernelMirror::applied(const RouteChange& change)
{
    if (change.kind == RouteChange::Kind::remove || change.kind == RouteChange::Kind::take_over)
        forget(change.route);
    else
        store(change.route);
}

const LocalFacts& KernelMirror::local_facts()
{
    if (std::exchange(facts_changed_, false))
        facts_ = make_local_facts();
    return facts_;
}

LocalFacts KernelMirror::make_local_facts() const
{
    LocalFacts facts;
    for (const netlink::InterfaceAddress& address : addresses_)
        facts.addresses.push_back(address.address);
    for (const auto& [key, route] : foreign_) {
        if (is_on_link(route)) {
            const std::string name = link_name(route.oif);
            const bool is_pod_bridge = name == pod_bridge_; // whose MTU is its pods'
            const auto link = links_.find(route.oif);
            facts.networks.push_back({.network = route.destination,
                                      .link = route.oif,
                                      .link_name = name,
                                      .is_pod_bridge = is_pod_bridge,
                                      .mtu = link == links_.end() || is_pod_bridge ? 0 : link->second.mtu});
        } else if (is_default(route) && route.gateway) {
            facts.gateways.push_back({*route.gateway, route.oif});
        }
    }
    return facts;
}

void KernelMirror::for_each_foreign(const std::function<void(const netlink::Route&)>& use) const
{
    for (const auto& [key, route] : foreign_)
        use(route);
}

const netlink::Route* KernelMirror::foreign_route(const IpPrefix& destination) const
{
    const auto found = foreign_.lower_bound({destination, 0, netlink::IfIndex{}, {}, {}});
    const bool is_there = found != foreign_.end() && found->second.destination == destination;
    return is_there ? &found->second : nullptr;
}

bool KernelMirror::is_shared(const IpPrefix& destination) const
{
    const auto ours = own_.find(destination);
    if (ours == own_.end())
        return false;
    const std::uint32_t metric = ours->second.metric;
    const auto found = foreign_.lower_bound({destination, metric, netlink::IfIndex{}, {}, {}});
    return found != foreign_.end() && found->second.destination == destination &&
           found->second.metric == metric;
}

std::string KernelMirror::link_name(netlink::IfIndex link) const
{
    const auto found = links_.find(link);
    return found != links_.end() ? found->second.name : "if" + std::to_string(netlink::to_int(link));
}

bool KernelMirror::forwards_ipv4(netlink::IfIndex link) const
{
    const auto found = links_.find(link);
    return found != links_.end() && found->second.forwards_ipv4;
}

bool KernelMirror::is_of_pods(const netlink::Link& link) const
{
    if (link.kind == "bridge")
        return !pod_bridge_.empty() && link.name == pod_bridge_;
    return link.kind == "veth" && link.master == netlink::IfIndex{} && cni::is_host_end(link);
}

std::vector<netlink::IfIndex> KernelMirror::pod_links_not_forwarding() const
{
    std::vector<netlink::IfIndex> found;
    for (const auto& [index, link] : links_)
        if (!link.forwards_ipv4 && is_of_pods(link))
            found.push_back(index);
    return found;
}

bool KernelMirror::store(const netlink::Route& route)
{
    if (!is_of_interest(route))
        return false;
    return identity_.owns(route) ? store_own(route) : store_foreign(route);
}

bool KernelMirror::store_own(const netlink::Route& route)
{
    const OwnRoute ours = OwnRoute::of(route);
    const auto [entry, inserted] = own_.try_emplace(route.destination, ours);
    if (!inserted) {
        if (entry->second == ours)
            return false;
        count(entry->second.way, false);
        entry->second = ours;
    }
    count(ours.way, true);
    return true;
}

bool KernelMirror::store_foreign(const netlink::Route& route)
{
    const auto [entry, inserted] = foreign_.try_emplace(key_of(route), route);
    if (!inserted && entry->second == route)
        return false;
    if (inserted)
        count_through(route.oif, true);
    entry->second = route;
    facts_changed_ = facts_changed_ || is_on_link(route) || is_default(route);
    return true;
}

bool KernelMirror::forget(const netlink::Route& route)
{
    if (!is_of_interest(route))
        return false;
    return identity_.owns(route) ? forget_own(route) : forget_foreign(route);
}

bool KernelMirror::forget_own(const netlink::Route& route)
{
    const OwnRoute gone = OwnRoute::of(route);
    const auto is_this = [&](const netlink::Route& known) {
        return known.destination == route.destination && OwnRoute::of(known) == gone;
    };
    if (std::erase_if(surplus_, is_this) > 0)
        return true;
    // A removal that is not of the route we know is old news: ours has replaced it since.
    const auto entry = own_.find(route.destination);
    if (entry == own_.end())
        return false;
    const OwnRoute& ours = entry->second;
    if (ours.metric != gone.metric || ours.way.gateway != gone.way.gateway ||
        ours.way.link != gone.way.link || ours.way.type != gone.way.type)
        return false;
    count(ours.way, false);
    own_.erase(entry);
    return true;
}

bool KernelMirror::forget_foreign(const netlink::Route& route)
{
    if (foreign_.erase(key_of(route)) == 0)
        return false;
    count_through(route.oif, false);
    facts_changed_ = facts_changed_ || is_on_link(route) || is_default(route);
    return true;
}

void KernelMirror::count(const Way& way, bool added)
{
    if (is_guard(way))
        added ? ++guards_ : --guards_;
    count_through(way.link, added);
}

void KernelMirror::count_through(netlink::IfIndex link, bool added)
{
    std::size_t& routes = through_[link];
    added ? ++routes : --routes;
    if (routes == 0)
        through_.erase(link);
}

bool KernelMirror::carries_traffic(netlink::IfIndex link) const
{
    return through_.contains(link) ||
           std::ranges::any_of(addresses_, [&](const auto& address) { return address.link == link; });
}

} // namespace routelet::controller
