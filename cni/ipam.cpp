#include "cni/ipam.h"

#include "cni/address_choice.h"
#include "cni/error.h"
#include "cni/reservations.h"
#include "cni/resting.h"

namespace routelet::cni {
namespace {

// Frees in `state`, and notes what was freed in `notes`, which may be null. Returns whether there was any.
Result<bool> release_held(const StateDirectory& state, const AttachmentId& id, const StateDirectory* notes)
{
    const Result<std::vector<IpAddress>> held = held_addresses(state, id);
    if (!held)
        return held.error();
    for (const IpAddress& address : *held) {
        if (notes != nullptr)
            RestingAddresses::note_freed(*notes, address, std::chrono::system_clock::now());
        if (auto removed = remove_reservation(state, address); !removed)
            return removed.error();
    }
    // Last, so that a kill before this leaves the way back.
    if (auto removed = remove_index(state, id); !removed)
        return removed.error();
    return !held->empty();
}

// Without the lock: a torn view can only be wrong about an address that changes right now.
Result<bool> is_free(const std::filesystem::path& file)
{
    const Result<std::optional<std::string>> content = read_unlocked(file);
    if (content)
        return !content->has_value() || !parse_reservation(**content).has_value();
    if (is_no_plain_file(content.error()))
        return false;
    return content.error();
}

bool has_entry(const std::filesystem::path& file)
{
    std::error_code ignored; // STATUS is not the one to judge another plugin's folder
    return std::filesystem::exists(std::filesystem::symlink_status(file, ignored));
}

Result<std::vector<IpAddress>> held_or_none(const std::optional<StateDirectory>& state,
                                            const AttachmentId& id)
{
    return state ? held_addresses(*state, id) : Result<std::vector<IpAddress>>(std::vector<IpAddress>{});
}

} // namespace

std::vector<IpAddress> addresses_of(const std::vector<PodAddress>& reserved)
{
    std::vector<IpAddress> addresses;
    for (const PodAddress& pod : reserved)
        addresses.push_back(pod.address);
    return addresses;
}

Result<std::optional<StateDirectory>> AddressStore::open_imported() const
{
    std::error_code different; // when one of them does not exist
    if (imported_.empty() || std::filesystem::equivalent(imported_, directory_, different))
        return std::optional<StateDirectory>{}; // its lock, which we hold, would be waited for in vain
    return StateDirectory::open_existing(imported_);
}

Result<std::vector<PodAddress>> AddressStore::reserve(const AttachmentId& id,
                                                      const std::vector<RangeSet>& sets,
                                                      const ReserveOptions& options) const
{
    const Result<StateDirectory> state = StateDirectory::open(directory_);
    if (!state)
        return state.error();
    const Result<std::optional<StateDirectory>> imported = open_imported();
    if (!imported)
        return imported.error();
    // A new pod has no index, and nothing is worth a search for it.
    const Result<bool> is_known = has_index(*state, id);
    if (!is_known)
        return is_known.error();
    Result<std::vector<IpAddress>> before =
        *is_known ? held_addresses(*state, id) : Result<std::vector<IpAddress>>(std::vector<IpAddress>{});
    if (!before)
        return before.error();

    AddressChoice choice({.state = *state,
                          .imported = imported->has_value() ? &**imported : nullptr,
                          .id = id,
                          .before = std::move(*before),
                          .options = options,
                          .report = report_});
    for (std::size_t number = 0; number < sets.size(); ++number)
        if (auto added = choice.add(sets[number], number); !added)
            return added.error();
    if (auto committed = choice.commit(); !committed) {
        // The first failure is the one to tell; a DEL frees what this could not.
        (void)release_held(*state, id, nullptr);
        return committed.error();
    }
    return choice.addresses();
}

Result<> AddressStore::release(const AttachmentId& id) const
{
    const Result<std::optional<StateDirectory>> state = StateDirectory::open_existing(directory_);
    if (!state)
        return state.error();
    const StateDirectory* ours = state->has_value() ? &**state : nullptr;
    const Result<bool> freed = ours != nullptr ? release_held(*ours, id, ours) : Result<bool>(false);
    if (!freed)
        return freed.error();
    if (*freed)
        return {};
    const Result<std::optional<StateDirectory>> imported = open_imported();
    if (!imported)
        return imported.error();
    if (imported->has_value())
        if (const Result<bool> there = release_held(**imported, id, ours); !there)
            return there.error();
    return {};
}

Result<std::vector<IpAddress>> AddressStore::release_if(const AttachmentId& id, std::chrono::seconds at_least,
                                                        const IsGone& is_gone) const
{
    using Addresses = std::vector<IpAddress>;
    const Result<std::optional<StateDirectory>> state =
        StateDirectory::open_existing(directory_, std::chrono::milliseconds(0));
    if (!state)
        return state.error();
    if (!state->has_value() || index_age(**state, id).value_or(std::chrono::seconds(-1)) < at_least)
        return Addresses{};
    Result<Addresses> held = held_addresses(**state, id);
    if (!held)
        return held;
    const Result<bool> gone = is_gone(*held);
    if (!gone)
        return gone.error();
    if (!*gone)
        return Addresses{};
    if (const Result<bool> freed = release_held(**state, id, &**state); !freed)
        return freed.error();
    return held;
}

Result<std::vector<IpAddress>> AddressStore::reserved(const AttachmentId& id) const
{
    const Result<std::optional<StateDirectory>> state = StateDirectory::open_existing(directory_);
    if (!state)
        return state.error();
    Result<std::vector<IpAddress>> held = held_or_none(*state, id);
    if (!held || !held->empty())
        return held;
    const Result<std::optional<StateDirectory>> imported = open_imported();
    if (!imported)
        return imported.error();
    return held_or_none(*imported, id);
}

Result<bool> AddressStore::has_imported(const AttachmentId& id) const
{
    const Result<std::optional<StateDirectory>> imported = open_imported();
    if (!imported)
        return imported.error();
    const Result<std::vector<IpAddress>> held = held_or_none(*imported, id);
    return held ? Result<bool>(!held->empty()) : held.error();
}

Result<std::set<AttachmentId>> AddressStore::attachments(std::chrono::seconds at_least) const
{
    std::set<AttachmentId> found;
    const Result<std::optional<StateDirectory>> opened = StateDirectory::open_existing(directory_);
    if (!opened)
        return opened.error();
    if (!opened->has_value())
        return found;
    const StateDirectory& state = **opened;

    const Result<std::vector<IpAddress>> addresses = listed_addresses(state);
    if (!addresses)
        return addresses.error();
    for (const IpAddress& address : *addresses) {
        const Result<Reservation> reservation = reservation_of(state, address);
        if (!reservation)
            return reservation.error();
        if (reservation->owner && state.age(address.to_string()) >= at_least)
            found.insert(*reservation->owner);
    }
    const Result<std::vector<std::string>> names = state.list("by-id");
    if (!names)
        return names.error();
    for (const std::string& name : *names)
        if (auto id = attachment_of_index(name); id && state.age("by-id/" + name) >= at_least)
            found.insert(std::move(*id));
    return found;
}

Result<> AddressStore::check_capacity(const std::vector<RangeSet>& sets) const
{
    if (auto usable = check_usable(directory_); !usable)
        return usable;
    if (is_of_earlier_boot(directory_))
        return {}; // the next ADD empties it
    const bool has_import = !imported_.empty() && !is_of_earlier_boot(imported_);
    for (std::size_t number = 0; number < sets.size(); ++number) {
        const RangeSet& set = sets[number];
        const auto pointer = read_unlocked(directory_ / pointer_name(number));
        const IpAddress start = set.after(pointed_at(pointer ? pointer->value_or("") : ""));
        IpAddress address = start;
        bool has_room = false;
        do {
            const Result<bool> free = is_free(directory_ / address.to_string());
            if (!free)
                return free.error();
            has_room = *free && !(has_import && has_entry(imported_ / address.to_string()));
            address = set.after(address);
        } while (!has_room && address != start);
        if (!has_room)
            return failure(ErrorCode::addresses_exhausted, "no address is free in " + set.to_string());
    }
    return {};
}

} // namespace routelet::cni
