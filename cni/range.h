#pragma once
#include "base/ip.h"
#include "base/result.h"

#include <optional>
#include <vector>

namespace routelet::cni {

// Addresses of one subnet that pods may get: first to last, both included, without the subnet's own address,
// its IPv4 broadcast address, and the gateway (the bridge).
//
// Invariant: first, last and gateway lie in the subnet, first <= last, the subnet has room for a pod
// (at most /30 or /126).
class AddressRange {
public:
    struct Bounds {
        std::optional<IpAddress> first;   // the subnet's second address by default, after its own
        std::optional<IpAddress> last;    // the subnet's last, before the IPv4 broadcast address
        std::optional<IpAddress> gateway; // the subnet's first after its own
    };
    // Fails with invalid_config, saying which bound does not fit.
    static Result<AddressRange> make(const IpPrefix& subnet, const Bounds& bounds);

    const IpPrefix& subnet() const noexcept { return subnet_; }
    const IpAddress& first() const noexcept { return first_; }
    const IpAddress& last() const noexcept { return last_; }
    const IpAddress& gateway() const noexcept { return gateway_; }

    bool spans(const IpAddress& address) const noexcept;  // between first and last
    bool offers(const IpAddress& address) const noexcept; // a pod may have it
    bool overlaps(const AddressRange& other) const noexcept;

    std::string to_string() const; // "10.244.1.1-10.244.1.254"

private:
    AddressRange() = default;
    IpPrefix subnet_;
    IpAddress first_;
    IpAddress last_;
    IpAddress gateway_;
};

// Ranges that are used up one after the other; an attachment gets one address of each set.
//
// Invariant: at least one range, all of one family, none overlapping another.
class RangeSet {
public:
    static Result<RangeSet> make(std::vector<AddressRange> ranges);

    const std::vector<AddressRange>& ranges() const noexcept { return ranges_; }
    IpFamily family() const noexcept { return ranges_.front().subnet().family(); }
    // The range that offers this address, or null.
    const AddressRange* range_offering(const IpAddress& address) const noexcept;
    bool overlaps(const RangeSet& other) const noexcept;

    // The address offered after this one, from the start again after the end. An address that is in no
    // range, such as 0.0.0.0, is followed by the first.
    IpAddress after(const IpAddress& address) const noexcept;

    std::string to_string() const;

private:
    explicit RangeSet(std::vector<AddressRange> ranges) : ranges_(std::move(ranges)) {}
    IpAddress step(const IpAddress& address) const noexcept;
    std::vector<AddressRange> ranges_;
};

} // namespace routelet::cni
