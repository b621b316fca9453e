#include "cni/ipam.h"

#include "cni/error.h"
#include "cni/state_directory.h"

#include <algorithm>

namespace routelet::cni {
namespace {

std::string index_name(const AttachmentId& id)
{
    return "by-id/" + id.container + ":" + id.interface; // neither part holds a ':'
}

std::string pointer_name(std::size_t set)
{
    return "last_reserved_ip." + std::to_string(set);
}

std::string_view trim(std::string_view text) noexcept
{
    constexpr std::string_view blank = " \t\r\n";
    const std::size_t first = text.find_first_not_of(blank);
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

bool belongs_to(const std::optional<AttachmentId>& owner, const AttachmentId& id) noexcept
{
    return owner && owner->container == id.container &&
           (owner->interface == id.interface || owner->interface.empty());
}

Result<std::optional<AttachmentId>> owner_of(const StateDirectory& state, const IpAddress& address)
{
    const Result<std::optional<std::string>> content = state.read(address.to_string());
    if (!content)
        return content.error();
    return content->has_value() ? parse_reservation(**content) : std::nullopt;
}

// The addresses that the index lists for the attachment, reserved or not; empty without an index file.
Result<std::optional<std::vector<IpAddress>>> indexed(const StateDirectory& state, const AttachmentId& id)
{
    const Result<std::optional<std::string>> content = state.read(index_name(id));
    if (!content)
        return content.error();
    if (!content->has_value())
        return std::optional<std::vector<IpAddress>>{};

    std::vector<IpAddress> addresses;
    for (std::string_view rest = **content; !rest.empty();) {
        const std::size_t end = rest.find('\n');
        if (const Result<IpAddress> address = IpAddress::parse(trim(rest.substr(0, end))))
            addresses.push_back(*address);
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
    return std::optional(std::move(addresses));
}

// All addresses that have a file, whatever is in it.
Result<std::vector<IpAddress>> listed(const StateDirectory& state)
{
    const Result<std::vector<std::string>> names = state.list();
    if (!names)
        return names.error();
    std::vector<IpAddress> addresses;
    for (const std::string& name : *names)
        if (const Result<IpAddress> address = IpAddress::parse(name))
            addresses.push_back(*address);
    return addresses;
}

// The addresses whose reservation names the attachment. Without an index file, as after host-local, every
// reservation is read.
Result<std::vector<IpAddress>> held_by(const StateDirectory& state, const AttachmentId& id)
{
    const Result<std::optional<std::vector<IpAddress>>> index = indexed(state, id);
    if (!index)
        return index.error();
    const Result<std::vector<IpAddress>> candidates =
        index->has_value() ? Result<std::vector<IpAddress>>(**index) : listed(state);
    if (!candidates)
        return candidates.error();

    std::vector<IpAddress> held;
    for (const IpAddress& address : *candidates) {
        const Result<std::optional<AttachmentId>> owner = owner_of(state, address);
        if (!owner)
            return owner.error();
        if (belongs_to(*owner, id))
            held.push_back(address);
    }
    return held;
}

Result<> release_held(const StateDirectory& state, const AttachmentId& id)
{
    const Result<std::vector<IpAddress>> held = held_by(state, id);
    if (!held)
        return held.error();
    for (const IpAddress& address : *held)
        if (auto removed = state.remove(address.to_string()); !removed)
            return removed;
    return state.remove(index_name(id)); // last, so that a kill before this leaves the way back
}

// One address for each set, chosen before anything is written.
class Choice {
public:
    Choice(const StateDirectory& state, const AttachmentId& id, std::vector<IpAddress> before,
           const std::vector<IpAddress>& wanted)
        : state_(state), id_(id), before_(std::move(before)), wanted_(wanted)
    {
    }

    Result<> add(const RangeSet& set, std::size_t number)
    {
        const Result<IpAddress> address = choose(set, number);
        if (!address)
            return address.error();
        const AddressRange& range = *set.range_offering(*address);
        addresses_.push_back({*address, range.subnet().length(), range.gateway()});
        return {};
    }

    // Writes the choice down, in the order that makes a kill harmless at any point.
    Result<> commit() const
    {
        for (const IpAddress& address : before_)
            if (!is_chosen(address))
                if (auto removed = state_.remove(address.to_string()); !removed)
                    return removed;
        for (const auto& [number, address] : pointers_)
            if (auto written = state_.write(pointer_name(number), address.to_string()); !written)
                return written;

        std::string lines;
        for (const PodAddress& pod : addresses_)
            lines += pod.address.to_string() + "\n";
        if (auto written = state_.write(index_name(id_), lines); !written)
            return written;
        for (const PodAddress& pod : addresses_)
            if (auto written = state_.write(pod.address.to_string(), reservation_text(id_)); !written)
                return written;
        return {};
    }

    const std::vector<PodAddress>& addresses() const noexcept { return addresses_; }

private:
    bool is_chosen(const IpAddress& address) const
    {
        return std::ranges::find(addresses_, address, &PodAddress::address) != addresses_.end();
    }

    Result<IpAddress> choose(const RangeSet& set, std::size_t number)
    {
        for (const IpAddress& address : wanted_)
            if (set.range_offering(address) != nullptr)
                return take_wanted(address);
        for (const IpAddress& address : before_)
            if (set.range_offering(address) != nullptr)
                return address;
        return next_free(set, number);
    }

    Result<IpAddress> take_wanted(const IpAddress& address) const
    {
        const Result<std::optional<AttachmentId>> owner = owner_of(state_, address);
        if (!owner)
            return owner.error();
        if (owner->has_value() && !belongs_to(*owner, id_))
            return failure(ErrorCode::invalid_config, "the requested address " + address.to_string() +
                                                          " is taken by container " + (*owner)->container);
        return address;
    }

    // Round robin, so that a freed address rests for as long as there are others.
    Result<IpAddress> next_free(const RangeSet& set, std::size_t number)
    {
        const Result<std::optional<std::string>> pointer = state_.read(pointer_name(number));
        if (!pointer)
            return pointer.error();
        const Result<IpAddress> last = IpAddress::parse(trim(pointer->value_or("")));
        const IpAddress start = set.after(last ? *last : IpAddress{});
        IpAddress address = start;
        do {
            const Result<std::optional<AttachmentId>> owner = owner_of(state_, address);
            if (!owner && !is_no_plain_file(owner.error())) // that is in the way of one address, not of all
                return owner.error();
            if (owner && !owner->has_value()) {
                pointers_.emplace_back(number, address);
                return address;
            }
            address = set.after(address);
        } while (address != start);
        return failure(ErrorCode::addresses_exhausted,
                       "no address is free in " + set.to_string() +
                           "; delete pods on this node, or give it a larger podCIDR");
    }

    const StateDirectory& state_;
    const AttachmentId& id_;
    std::vector<IpAddress> before_; // reserved for the attachment already
    const std::vector<IpAddress>& wanted_;
    std::vector<PodAddress> addresses_;
    std::vector<std::pair<std::size_t, IpAddress>> pointers_; // of which set to which address
};

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

} // namespace

Result<std::vector<PodAddress>> AddressStore::reserve(const AttachmentId& id,
                                                      const std::vector<RangeSet>& sets,
                                                      const std::vector<IpAddress>& wanted) const
{
    const Result<StateDirectory> state = StateDirectory::open(directory_);
    if (!state)
        return state.error();
    const Result<std::optional<std::vector<IpAddress>>> index = indexed(*state, id);
    if (!index)
        return index.error();
    const Result<std::vector<IpAddress>> before =
        index->has_value() ? held_by(*state, id) : Result<std::vector<IpAddress>>(std::vector<IpAddress>{});
    if (!before)
        return before.error();

    Choice choice(*state, id, *before, wanted);
    for (std::size_t number = 0; number < sets.size(); ++number)
        if (auto added = choice.add(sets[number], number); !added)
            return added.error();
    if (auto committed = choice.commit(); !committed) {
        (void)release_held(*state,
                           id); // the first failure is the one to tell; a DEL frees what this could not
        return committed.error();
    }
    return choice.addresses();
}

Result<> AddressStore::release(const AttachmentId& id) const
{
    const Result<std::optional<StateDirectory>> state = StateDirectory::open_existing(directory_);
    if (!state)
        return state.error();
    return state->has_value() ? release_held(**state, id) : Result<>{};
}

Result<std::vector<IpAddress>> AddressStore::reserved(const AttachmentId& id) const
{
    const Result<std::optional<StateDirectory>> state = StateDirectory::open_existing(directory_);
    if (!state)
        return state.error();
    return state->has_value() ? held_by(**state, id)
                              : Result<std::vector<IpAddress>>(std::vector<IpAddress>{});
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

    const Result<std::vector<IpAddress>> addresses = listed(state);
    if (!addresses)
        return addresses.error();
    for (const IpAddress& address : *addresses) {
        const Result<std::optional<AttachmentId>> owner = owner_of(state, address);
        if (!owner)
            return owner.error();
        if (owner->has_value() && state.age(address.to_string()) >= at_least)
            found.insert(**owner);
    }
    const Result<std::vector<std::string>> names = state.list("by-id");
    if (!names)
        return names.error();
    for (const std::string& name : *names) {
        const std::size_t colon = name.find(':');
        if (colon != std::string::npos && state.age("by-id/" + name) >= at_least)
            found.insert({name.substr(0, colon), name.substr(colon + 1)});
    }
    return found;
}

Result<> AddressStore::check_capacity(const std::vector<RangeSet>& sets) const
{
    if (auto usable = check_usable(directory_); !usable)
        return usable;
    if (is_of_earlier_boot(directory_))
        return {}; // the next ADD empties it
    for (std::size_t number = 0; number < sets.size(); ++number) {
        const RangeSet& set = sets[number];
        const auto pointer = read_unlocked(directory_ / pointer_name(number));
        const Result<IpAddress> last = IpAddress::parse(trim(pointer ? pointer->value_or("") : ""));
        const IpAddress start = set.after(last ? *last : IpAddress{});
        IpAddress address = start;
        bool has_room = false;
        do {
            const Result<bool> free = is_free(directory_ / address.to_string());
            if (!free)
                return free.error();
            has_room = *free;
            address = set.after(address);
        } while (!has_room && address != start);
        if (!has_room)
            return failure(ErrorCode::addresses_exhausted, "no address is free in " + set.to_string());
    }
    return {};
}

std::string reservation_text(const AttachmentId& id)
{
    return id.container + "\r\n" + id.interface;
}

std::optional<AttachmentId> parse_reservation(std::string_view content)
{
    const std::string_view text = trim(content);
    const std::size_t end = text.find_first_of("\r\n");
    const std::string_view container = trim(text.substr(0, end));
    const std::string_view interface = end == std::string_view::npos ? "" : trim(text.substr(end));
    if (!is_container_id(container) || (!interface.empty() && !is_interface_name(interface)))
        return std::nullopt;
    return AttachmentId{std::string(container), std::string(interface)};
}

} // namespace routelet::cni
