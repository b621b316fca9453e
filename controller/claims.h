#pragma once
// Private to the planner: what nodes claim, and who of them has it.
#include "controller/nearby_search.h"
#include "controller/plan.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <vector>

namespace routelet::controller {

// Who has which podCIDR. What is granted is disjoint.
//
// Built from all podCIDRs that are claimed: sorted, those that overlap one another stand together as a group,
// since prefixes are nested or apart. Nearly every group is a single claim, which is granted or not, and
// overlaps nothing. In the other groups what was granted is in an ordered map, where overlaps are found next
// door.
class Claims {
public:
    struct Claim {
        IpPrefix prefix;
        std::uint32_t group = 0;
        netlink::IfIndex link{};           // with `gateway`, once it has a route
        const NodeClaim* holder = nullptr; // once granted
        std::optional<IpAddress> gateway{};
    };

    explicit Claims(const std::vector<const NodeClaim*>& nodes)
    {
        claims_.reserve(nodes.size());
        for (const NodeClaim* node : nodes)
            for (const IpPrefix& prefix : node->pod_cidrs)
                claims_.push_back({.prefix = prefix});
        if (!std::ranges::is_sorted(claims_, {}, &Claim::prefix))
            std::ranges::sort(claims_, {}, &Claim::prefix);
        const auto twice = std::ranges::unique(claims_, {}, &Claim::prefix);
        claims_.erase(twice.begin(), twice.end());
        for (std::size_t i = 0; i < claims_.size(); ++i) {
            const bool is_apart = i == 0 || !group_of(claims_[i - 1]).contains(claims_[i].prefix);
            claims_[i].group = is_apart ? static_cast<std::uint32_t>(i) : claims_[i - 1].group;
        }
    }

    struct Grant {
        IpPrefix prefix;
        const NodeClaim* holder = nullptr;
    };

    // Requires: somebody claims `prefix`.
    Claim& at(const IpPrefix& prefix)
    {
        return *search_(claims_, [&](const Claim& claim) { return claim.prefix < prefix; });
    }
    // What was granted and overlaps this claim.
    std::optional<Grant> find_overlap(const Claim& claim) const
    {
        return is_alone(claim) ? granted(claim) : find_next_door(claim.prefix);
    }
    std::optional<Grant> find(const IpAddress& address) const
    {
        const IpPrefix host = IpPrefix::of(address, address.bits());
        const auto after =
            search_address_(claims_, [&](const Claim& claim) { return !(host < claim.prefix); });
        if (after == claims_.begin())
            return {};
        const Claim& claim = *std::prev(after);
        if (!is_alone(claim))
            return find_next_door(host);
        return claim.prefix.contains(address) ? granted(claim) : std::nullopt;
    }
    // Requires: it overlaps nothing that was granted.
    void grant(Claim& claim, const NodeClaim& holder)
    {
        claim.holder = &holder;
        if (!is_alone(claim))
            in_groups_.emplace(claim.prefix, &holder);
    }

    // By destination, of those that have one.
    std::vector<PlannedRoute> routes(std::size_t count) const
    {
        std::vector<PlannedRoute> routes;
        routes.reserve(count);
        for (const Claim& claim : claims_)
            if (claim.gateway)
                routes.push_back({.destination = claim.prefix,
                                  .gateway = *claim.gateway,
                                  .link = claim.link,
                                  .node = NodeRef(claim.holder)});
        return routes;
    }

private:
    // The prefix that holds all others of the claim's group: it sorts first.
    const IpPrefix& group_of(const Claim& claim) const { return claims_[claim.group].prefix; }
    bool is_alone(const Claim& claim) const
    {
        const auto position = static_cast<std::uint32_t>(&claim - claims_.data());
        const std::size_t next = std::size_t{position} + 1;
        return claim.group == position && (next == claims_.size() || claims_[next].group != position);
    }
    static std::optional<Grant> granted(const Claim& claim)
    {
        if (claim.holder == nullptr)
            return {};
        return Grant{claim.prefix, claim.holder};
    }
    std::optional<Grant> find_next_door(const IpPrefix& prefix) const
    {
        const auto next = in_groups_.lower_bound(prefix);
        if (next != in_groups_.end() && next->first.overlaps(prefix))
            return Grant{next->first, next->second};
        if (next != in_groups_.begin() && std::prev(next)->first.overlaps(prefix))
            return Grant{std::prev(next)->first, std::prev(next)->second};
        return {};
    }

    std::vector<Claim> claims_; // by prefix, each once
    NearbySearch search_;
    mutable NearbySearch search_address_;
    std::map<IpPrefix, const NodeClaim*> in_groups_;
};

// Which node has which address: of several that claim it, the oldest.
class AddressOwners {
public:
    struct Owner {
        IpAddress address;
        const NodeClaim* node = nullptr;
    };

    // An address that `is_void` says is nobody's.
    template <class Predicate>
    AddressOwners(const std::vector<const NodeClaim*>& oldest_first, Predicate is_void)
    {
        owners_.reserve(oldest_first.size());
        for (const NodeClaim* node : oldest_first)
            for (const IpAddress& address : node->internal_ips)
                if (!is_void(address))
                    owners_.push_back({address, node});
        if (!std::ranges::is_sorted(owners_, {}, &Owner::address))
            std::ranges::stable_sort(owners_, {}, &Owner::address);
        const auto younger = std::ranges::unique(owners_, {}, &Owner::address); // keeps the oldest
        owners_.erase(younger.begin(), younger.end());
    }

    const NodeClaim* find(const IpAddress& address) const // nullptr: nobody
    {
        const auto owner = search_(owners_, [&](const Owner& other) { return other.address < address; });
        return owner != owners_.end() && owner->address == address ? owner->node : nullptr;
    }
    // The first in `prefix` of which `is_it` is true, or nullptr.
    template <class Predicate>
    const Owner* find_in(const IpPrefix& prefix, Predicate is_it) const
    {
        auto owner =
            search_network_(owners_, [&](const Owner& other) { return other.address < prefix.network(); });
        for (; owner != owners_.end() && prefix.contains(owner->address); ++owner)
            if (is_it(*owner->node))
                return &*owner;
        return nullptr;
    }

private:
    std::vector<Owner> owners_; // by address
    mutable NearbySearch search_;
    mutable NearbySearch search_network_;
};

} // namespace routelet::controller
