#include "cni/range.h"

#include "base/join.h"
#include "cni/error.h"

#include <algorithm>

namespace routelet::cni {
namespace {

unsigned longest_length(IpFamily family) noexcept
{
    return family == IpFamily::v4 ? 30 : 126; // its own address, a gateway, a pod, and IPv4's broadcast
}

IpAddress default_last(const IpPrefix& subnet) noexcept
{
    if (subnet.family() == IpFamily::v6)
        return subnet.last();
    const IpAddress& network = subnet.network();
    const std::uint64_t size = std::uint64_t{1} << (32U - subnet.length());
    return network.plus(size - 2); // the one before the broadcast address
}

Result<> check_inside(const IpPrefix& subnet, const IpAddress& address, std::string_view key)
{
    if (!subnet.contains(address))
        return invalid_config("ipam: " + std::string(key) + " " + address.to_string() +
                              " is outside of subnet " + subnet.to_string());
    return {};
}

} // namespace

Result<AddressRange> AddressRange::make(const IpPrefix& subnet, const Bounds& bounds)
{
    if (subnet.length() > longest_length(subnet.family()))
        return invalid_config("ipam: subnet " + subnet.to_string() +
                              " is too small; the longest prefix is /" +
                              std::to_string(longest_length(subnet.family())));
    if (!subnet.network().plus(1).is_host_unicast())
        return invalid_config("ipam: subnet " + subnet.to_string() + " holds no addresses for hosts");

    AddressRange range;
    range.subnet_ = subnet;
    range.first_ = bounds.first.value_or(subnet.network().plus(1));
    range.last_ = bounds.last.value_or(default_last(subnet));
    range.gateway_ = bounds.gateway.value_or(subnet.network().plus(1));

    if (auto inside = check_inside(subnet, range.first_, "rangeStart"); !inside)
        return inside.error();
    if (auto inside = check_inside(subnet, range.last_, "rangeEnd"); !inside)
        return inside.error();
    if (auto inside = check_inside(subnet, range.gateway_, "gateway"); !inside)
        return inside.error();
    if (range.last_ < range.first_)
        return invalid_config("ipam: rangeStart " + range.first_.to_string() + " is after rangeEnd " +
                              range.last_.to_string());
    const bool is_broadcast = subnet.family() == IpFamily::v4 && range.gateway_ == subnet.last();
    if (range.gateway_ == subnet.network() || is_broadcast)
        return invalid_config("ipam: gateway " + range.gateway_.to_string() +
                              " is the network's own or broadcast address of subnet " + subnet.to_string());
    return range;
}

bool AddressRange::spans(const IpAddress& address) const noexcept
{
    return address.family() == subnet_.family() && first_ <= address && address <= last_;
}

bool AddressRange::offers(const IpAddress& address) const noexcept
{
    const bool is_broadcast = subnet_.family() == IpFamily::v4 && address == subnet_.last();
    return spans(address) && !is_broadcast && address != subnet_.network() && address != gateway_;
}

bool AddressRange::overlaps(const AddressRange& other) const noexcept
{
    return spans(other.first_) || other.spans(first_);
}

std::string AddressRange::to_string() const
{
    return first_.to_string() + "-" + last_.to_string();
}

Result<RangeSet> RangeSet::make(std::vector<AddressRange> ranges)
{
    if (ranges.empty())
        return invalid_config("ipam: a set of ranges is empty");
    for (std::size_t i = 0; i < ranges.size(); ++i) {
        if (ranges[i].subnet().family() != ranges.front().subnet().family())
            return invalid_config(
                "ipam: one set of ranges has both IPv4 and IPv6; give each family a set of its own");
        for (std::size_t j = 0; j < i; ++j)
            if (ranges[i].overlaps(ranges[j]))
                return invalid_config("ipam: ranges " + ranges[j].to_string() + " and " +
                                      ranges[i].to_string() + " overlap");
    }
    RangeSet set(std::move(ranges));
    // One turn visits the first address of a range that offers one, if any does.
    if (set.range_offering(set.after(IpAddress{})) == nullptr)
        return invalid_config("ipam: " + set.to_string() + " offers no address for a pod");
    return set;
}

const AddressRange* RangeSet::range_offering(const IpAddress& address) const noexcept
{
    const auto found = std::ranges::find_if(
        ranges_, [&address](const AddressRange& range) { return range.offers(address); });
    return found == ranges_.end() ? nullptr : &*found;
}

bool RangeSet::overlaps(const RangeSet& other) const noexcept
{
    return std::ranges::any_of(ranges_, [&other](const AddressRange& range) {
        return std::ranges::any_of(other.ranges_,
                                   [&range](const AddressRange& theirs) { return range.overlaps(theirs); });
    });
}

// The next address of the ranges, offered or not.
IpAddress RangeSet::step(const IpAddress& address) const noexcept
{
    const auto range = std::ranges::find_if(
        ranges_, [&address](const AddressRange& candidate) { return candidate.spans(address); });
    if (range == ranges_.end())
        return ranges_.front().first();
    if (address != range->last())
        return address.plus(1);
    const auto next = std::next(range);
    return next == ranges_.end() ? ranges_.front().first() : next->first();
}

IpAddress RangeSet::after(const IpAddress& address) const noexcept
{
    // At most three addresses of a range are not offered, so this many steps pass them all once.
    const std::size_t enough = 4 * ranges_.size() + 1;
    IpAddress next = step(address);
    for (std::size_t i = 0; i < enough && range_offering(next) == nullptr; ++i)
        next = step(next);
    return next;
}

std::string RangeSet::to_string() const
{
    return joined(ranges_, ", ", &AddressRange::to_string);
}

} // namespace routelet::cni
