#pragma once
#include "controller/difference.h"
#include "controller/kernel.h"
#include "controller/plan.h"

#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace routelet::controller {

// The kernel's routes, links and addresses as a dump and the notifications since then tell them.
//
// Notifications do not tell everything (IPv4 routes vanish silently with their link or address, a replaced
// route is not announced as removed), so some of them only say that a fresh dump is needed.
class KernelMirror {
public:
    KernelMirror(RouteIdentity identity, std::string pod_bridge)
        : identity_(identity), pod_bridge_(std::move(pod_bridge))
    {
    }

    enum class Effect {
        none,      // nothing that routing depends on
        changed,   // the mirror knows the new state
        needs_dump // something changed that only a dump can tell
    };

    void reset(const KernelState& state);
    Effect apply(const netlink::KernelEvent& event);

    // After a change of ours that the kernel accepted.
    void applied(const RouteChange& change);

    // Destinations whose routes notifications have changed since the last call, ours or others'; in no order,
    // and maybe several times. A dump forgets them: after it nothing is known to be as it was.
    std::vector<IpPrefix> take_touched() { return std::exchange(touched_, {}); }

    // Recomputed only when something changed that they depend on: then another object than before.
    const LocalFacts& local_facts();

    const OwnRoutes& own_routes() const noexcept { return own_; }
    // Makes room for so many routes of ours; never less than there is, which would move them all.
    void make_room(std::size_t own_routes)
    {
        if (own_routes > own_.max_load())
            own_.reserve(own_routes);
    }
    std::size_t guards() const noexcept { return guards_; } // that are among own_routes()
    // Routes of ours beside those, of the same destination and behind them, which somebody else has set: of a
    // higher metric, or of the same (IPv4 has that: ip route prepend, append). What REPLACE replaces and what
    // packets take is the first.
    const std::vector<netlink::Route>& surplus_routes() const noexcept { return surplus_; }
    // Whether somebody else has a route to exactly this destination at the metric of ours. REPLACE of ours
    // could hit his.
    bool is_shared(const IpPrefix& destination) const;
    // Whether this is, or was, in the way of a route of ours: to the same destination at the same metric.
    bool displaces_ours(const netlink::Route& foreign) const;
    // A route of somebody else's to exactly this destination, or nullptr. What wins is the lowest metric.
    const netlink::Route* foreign_route(const IpPrefix& destination) const;
    // All that `use` may want to know: routes of somebody else's, by destination.
    void for_each_foreign(const std::function<void(const netlink::Route&)>& use) const;
    // "eth0", or "if7" for a link that is not known.
    std::string link_name(netlink::IfIndex link) const;
    // net.ipv4.conf.<link>.forwarding; false for a link that is not known.
    bool forwards_ipv4(netlink::IfIndex link) const;
    // What this node's pods' packets come in by, and are not passed on from (IPv4): the pods' bridge, and the
    // host's ends of complete attachments that have none.
    std::vector<netlink::IfIndex> pod_links_not_forwarding() const;

private:
    // Destination, metric, and the way: two links may be on one network, with a connected route each, and
    // somebody may have set several routes by hand.
    using Key = std::tuple<IpPrefix, std::uint32_t, netlink::IfIndex, std::optional<IpAddress>, std::uint8_t>;
    static Key key_of(const netlink::Route& route)
    {
        return {route.destination, route.metric, route.oif, route.gateway, route.type};
    }

    Effect apply(const netlink::RouteChanged& event);
    Effect apply(const netlink::LinkChanged& event);
    Effect apply(const netlink::AddressChanged& event);
    Effect apply(const netlink::ForwardingChanged& event);
    bool is_of_pods(const netlink::Link& link) const;
    bool leads_to_pod(const netlink::Route& route) const;
    bool matters(const netlink::Route& foreign) const;
    bool may_be_second(const netlink::RouteChanged& event) const;
    bool has_other_way(const netlink::Route& route) const;
    bool store(const netlink::Route& route);
    void store_dumped(const netlink::Route& route);
    bool store_own(const netlink::Route& route);
    bool store_foreign(const netlink::Route& route);
    bool forget(const netlink::Route& route);
    bool forget_own(const netlink::Route& route);
    bool forget_foreign(const netlink::Route& route);
    void count(const Way& way, bool added);
    void count_through(netlink::IfIndex link, bool added);
    bool carries_traffic(netlink::IfIndex link) const;
    LocalFacts make_local_facts() const;

    RouteIdentity identity_;
    std::string pod_bridge_;
    OwnRoutes own_;
    std::size_t guards_ = 0;
    std::vector<netlink::Route> surplus_;
    std::map<Key, netlink::Route> foreign_;
    std::map<netlink::IfIndex, std::size_t> through_; // how many routes go through each link
    std::map<netlink::IfIndex, netlink::Link> links_;
    std::vector<netlink::InterfaceAddress> addresses_;
    std::vector<IpPrefix> touched_;
    LocalFacts facts_;
    bool facts_changed_ = true;
};

} // namespace routelet::controller
