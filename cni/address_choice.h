#pragma once
#include "cni/ipam.h"
#include "cni/report.h"
#include "cni/resting.h"
#include "cni/state_directory.h"

#include <optional>
#include <utility>
#include <vector>

namespace routelet::cni {

// What a choice of addresses is made from.
struct ChoiceInput {
    const StateDirectory& state;
    const StateDirectory* imported; // another plugin's folder, whose addresses are taken; may be null
    const AttachmentId& id;
    std::vector<IpAddress> before; // reserved for the attachment already
    const ReserveOptions& options;
    const Report& report;
};

// One address for each set, chosen before anything is written for the attachment. What the kernel shows to be
// in use although its reservation is lost gets that back on the way.
class AddressChoice {
public:
    explicit AddressChoice(ChoiceInput input);

    // Chooses from the set, which is the number-th of the configuration.
    Result<> add(const RangeSet& set, std::size_t number);

    // Writes the choice down, in the order that makes a kill harmless at any point.
    Result<> commit() const;

    const std::vector<PodAddress>& addresses() const noexcept { return addresses_; }

private:
    bool is_chosen(const IpAddress& address) const;
    Result<IpAddress> choose(const RangeSet& set, std::size_t number);
    Result<IpAddress> take_wanted(const IpAddress& address) const;
    Result<IpAddress> next_free(const RangeSet& set, std::size_t number);
    Result<std::optional<IpAddress>> find_rested(const RangeSet& set, const IpAddress& start,
                                                 std::vector<std::pair<std::size_t, IpAddress>>& resting);
    Result<std::optional<IpAddress>> find_damaged(const RangeSet& set) const;
    Result<bool> has_file(const IpAddress& address) const;
    Result<bool> is_in_use(const IpAddress& address) const;
    Result<> restore(const IpAddress& address, const AttachmentId& owner) const;

    ChoiceInput input_;
    std::optional<RestingAddresses> resting_; // read when first needed
    std::vector<PodAddress> addresses_;
    std::vector<std::pair<std::size_t, IpAddress>> pointers_; // of which set to which address
};

// The name of the file with the address that was given last from the number-th set, and what it says: an
// address of the set's, or anything.
std::string pointer_name(std::size_t set);
IpAddress pointed_at(std::string_view content);

} // namespace routelet::cni
