#include "cni/address_choice.h"

#include "cni/error.h"
#include "cni/living.h"
#include "cni/reservations.h"

#include <algorithm>

namespace routelet::cni {
namespace {

Error taken(const IpAddress& address, const std::string& by)
{
    return failure(ErrorCode::invalid_config,
                   "the requested address " + address.to_string() + " is taken by " + by);
}

} // namespace

std::string pointer_name(std::size_t set)
{
    return "last_reserved_ip." + std::to_string(set);
}

IpAddress pointed_at(std::string_view content)
{
    while (!content.empty() && std::string_view(" \t\r\n").find(content.back()) != std::string_view::npos)
        content.remove_suffix(1);
    const Result<IpAddress> address = IpAddress::parse(content);
    return address ? *address : IpAddress{}; // which is in no range: the turn begins anew
}

AddressChoice::AddressChoice(ChoiceInput input) : input_(std::move(input)) {}

Result<> AddressChoice::add(const RangeSet& set, std::size_t number)
{
    const Result<IpAddress> address = choose(set, number);
    if (!address)
        return address.error();
    const AddressRange& range = *set.range_offering(*address);
    addresses_.push_back({*address, range.subnet().length(), range.gateway()});
    return {};
}

Result<> AddressChoice::commit() const
{
    for (const IpAddress& address : input_.before)
        if (!is_chosen(address))
            if (auto removed = remove_reservation(input_.state, address); !removed)
                return removed;
    for (const auto& [number, address] : pointers_)
        if (auto written = input_.state.overwrite(pointer_name(number), address.to_string()); !written)
            return written;

    std::vector<IpAddress> chosen;
    for (const PodAddress& pod : addresses_)
        chosen.push_back(pod.address);
    if (auto written = write_index(input_.state, input_.id, chosen); !written)
        return written;
    for (const IpAddress& address : chosen)
        if (auto written = write_reservation(input_.state, address, input_.id); !written)
            return written;
    return {};
}

bool AddressChoice::is_chosen(const IpAddress& address) const
{
    return std::ranges::find(addresses_, address, &PodAddress::address) != addresses_.end();
}

Result<IpAddress> AddressChoice::choose(const RangeSet& set, std::size_t number)
{
    for (const IpAddress& address : input_.options.wanted)
        if (set.range_offering(address) != nullptr)
            return take_wanted(address);
    for (const IpAddress& address : input_.before)
        if (set.range_offering(address) != nullptr)
            return address;
    return next_free(set, number);
}

Result<IpAddress> AddressChoice::take_wanted(const IpAddress& address) const
{
    for (const StateDirectory* state : {&input_.state, input_.imported}) {
        if (state == nullptr)
            continue;
        const Result<Reservation> reservation = reservation_of(*state, address);
        if (!reservation)
            return reservation.error();
        if (reservation->owner && !reservation->is_of(input_.id))
            return taken(address, "container " + reservation->owner->container);
    }
    const Result<bool> in_use = is_in_use(address);
    if (!in_use)
        return in_use.error();
    if (*in_use)
        return taken(address, "an interface of this node: ip link show " + living_name(address));
    return address;
}

// Round robin; then the one that has rested longest, and last one whose file names nobody.
Result<IpAddress> AddressChoice::next_free(const RangeSet& set, std::size_t number)
{
    const Result<std::optional<std::string>> pointer = input_.state.read(pointer_name(number));
    if (!pointer)
        return pointer.error();
    std::vector<std::pair<std::size_t, IpAddress>> resting;
    Result<std::optional<IpAddress>> found =
        find_rested(set, set.after(pointed_at(pointer->value_or(""))), resting);
    std::ranges::sort(resting);
    for (const auto& [place, address] : resting) {
        if (!found || found->has_value())
            break;
        const Result<bool> in_use = is_in_use(address);
        if (!in_use)
            return in_use.error();
        if (!*in_use)
            *found = address;
    }
    if (found && !found->has_value())
        found = find_damaged(set);
    if (!found)
        return found.error();
    if (!found->has_value())
        return failure(ErrorCode::addresses_exhausted,
                       "no address is free in " + set.to_string() +
                           "; delete pods on this node, or give it a larger podCIDR");
    pointers_.emplace_back(number, **found);
    return **found;
}

// The first from `start` on that nobody has, and that does not rest; those that do are put into `resting`.
// Of a taken one the file is not read.
Result<std::optional<IpAddress>>
AddressChoice::find_rested(const RangeSet& set, const IpAddress& start,
                           std::vector<std::pair<std::size_t, IpAddress>>& resting)
{
    if (!resting_)
        resting_ =
            RestingAddresses::read(input_.state, input_.options.cooldown, std::chrono::system_clock::now());
    IpAddress address = start;
    do {
        const Result<bool> exists = has_file(address);
        if (!exists)
            return exists.error();
        if (const auto place = *exists ? std::nullopt : resting_->place(address)) {
            resting.emplace_back(*place, address);
        } else if (!*exists) {
            const Result<bool> in_use = is_in_use(address);
            if (!in_use)
                return in_use.error();
            if (!*in_use)
                return std::optional(address);
        }
        address = set.after(address);
    } while (address != start);
    return std::optional<IpAddress>{};
}

// One whose reservation is there and names nobody, for the kernel does not show it in use either. The file is
// set aside.
Result<std::optional<IpAddress>> AddressChoice::find_damaged(const RangeSet& set) const
{
    const IpAddress start = set.after(IpAddress{});
    IpAddress address = start;
    do {
        const Result<Reservation> reservation = reservation_of(input_.state, address);
        if (!reservation && !is_no_plain_file(reservation.error())) // in the way of one address, not of all
            return reservation.error();
        if (reservation && reservation->is_damaged()) {
            const Result<std::string> aside = input_.state.set_aside(address.to_string());
            if (!aside)
                return aside.error();
            input_.report(LogLine(LogLevel::warn, "reservation-damaged")
                              .with("address", address)
                              .with("kept_as", *aside));
            const Result<bool> in_use = is_in_use(address);
            if (!in_use)
                return in_use.error();
            if (!*in_use)
                return std::optional(address);
        }
        address = set.after(address);
    } while (address != start);
    return std::optional<IpAddress>{};
}

Result<bool> AddressChoice::has_file(const IpAddress& address) const
{
    const std::string name = address.to_string();
    Result<bool> exists = input_.state.has(name);
    if (!exists || *exists || input_.imported == nullptr)
        return exists;
    return input_.imported->has(name);
}

// Whether the kernel shows the address with another attachment; that gets its reservation back, which was
// lost.
Result<bool> AddressChoice::is_in_use(const IpAddress& address) const
{
    if (!input_.options.living)
        return false;
    const Result<std::optional<LivingPod>> living = input_.options.living(address);
    if (!living)
        return living.error();
    if (!living->has_value() || (*living)->id == input_.id)
        return false;
    if ((*living)->id)
        if (auto restored = restore(address, *(*living)->id); !restored)
            return restored.error();
    return true;
}

Result<> AddressChoice::restore(const IpAddress& address, const AttachmentId& owner) const
{
    Result<std::vector<IpAddress>> held = held_addresses(input_.state, owner);
    if (!held)
        return held.error();
    std::vector<IpAddress> addresses = std::move(*held);
    if (std::ranges::find(addresses, address) == addresses.end())
        addresses.push_back(address);
    if (auto written = write_index(input_.state, owner, addresses); !written)
        return written;
    if (auto written = write_reservation(input_.state, address, owner); !written)
        return written;
    input_.report(LogLine(LogLevel::warn, "reservation-restored")
                      .with("address", address)
                      .with("container", owner.container)
                      .with("interface", owner.interface));
    return {};
}

} // namespace routelet::cni
