#include "cni/reservations.h"

namespace routelet::cni {
namespace {

constexpr const char* index_folder = "by-id";

std::string index_name(const AttachmentId& id)
{
    return std::string(index_folder) + "/" + id.container + ":" + id.interface; // neither part holds a ':'
}

std::string_view trim(std::string_view text) noexcept
{
    constexpr std::string_view blank = " \t\r\n";
    const std::size_t first = text.find_first_not_of(blank);
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

// The addresses that the index lists for the attachment, reserved or not; empty when there is no index file,
// or one that is damaged and so may not list all.
Result<std::optional<std::vector<IpAddress>>> indexed_addresses(const StateDirectory& state,
                                                                const AttachmentId& id)
{
    using Addresses = std::optional<std::vector<IpAddress>>;
    const Result<std::optional<std::string>> content = state.read(index_name(id));
    if (!content)
        return content.error();
    // Every line of ours ends, so one that does not was cut.
    if (!content->has_value() || (*content)->empty() || (*content)->back() != '\n')
        return Addresses{};

    std::vector<IpAddress> addresses;
    for (std::string_view rest = **content; !rest.empty();) {
        const std::size_t end = rest.find('\n');
        const Result<IpAddress> address = IpAddress::parse(rest.substr(0, end));
        if (!address)
            return Addresses{};
        addresses.push_back(*address);
        rest.remove_prefix(end + 1);
    }
    return Addresses(std::move(addresses));
}

} // namespace

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

bool Reservation::is_of(const AttachmentId& id) const noexcept
{
    return owner && owner->container == id.container &&
           (owner->interface == id.interface || owner->interface.empty());
}

Result<Reservation> reservation_of(const StateDirectory& state, const IpAddress& address)
{
    const Result<std::optional<std::string>> content = state.read(address.to_string());
    if (!content)
        return content.error();
    if (!content->has_value())
        return Reservation{};
    return Reservation{true, parse_reservation(**content)};
}

Result<std::vector<IpAddress>> listed_addresses(const StateDirectory& state)
{
    const Result<std::vector<std::string>> names = state.list();
    if (!names)
        return names.error();
    std::vector<IpAddress> addresses;
    for (const std::string& name : *names)
        if (const Result<IpAddress> address = IpAddress::parse(name); address && address->to_string() == name)
            addresses.push_back(*address);
    return addresses;
}

Result<bool> has_index(const StateDirectory& state, const AttachmentId& id)
{
    return state.has(index_name(id));
}

std::optional<std::chrono::seconds> index_age(const StateDirectory& state, const AttachmentId& id)
{
    return state.age(index_name(id));
}

Result<std::vector<IpAddress>> held_addresses(const StateDirectory& state, const AttachmentId& id)
{
    const Result<std::optional<std::vector<IpAddress>>> index = indexed_addresses(state, id);
    if (!index)
        return index.error();
    const Result<std::vector<IpAddress>> candidates =
        index->has_value() ? Result<std::vector<IpAddress>>(**index) : listed_addresses(state);
    if (!candidates)
        return candidates.error();

    std::vector<IpAddress> held;
    for (const IpAddress& address : *candidates) {
        const Result<Reservation> reservation = reservation_of(state, address);
        if (!reservation)
            return reservation.error();
        if (reservation->is_of(id))
            held.push_back(address);
    }
    return held;
}

std::optional<AttachmentId> attachment_of_index(const std::string& file)
{
    const std::size_t colon = file.find(':');
    if (colon == std::string::npos)
        return std::nullopt;
    AttachmentId id{file.substr(0, colon), file.substr(colon + 1)};
    if (!is_container_id(id.container) || !is_interface_name(id.interface))
        return std::nullopt;
    return id;
}

Result<std::vector<AttachmentId>> indexed_attachments(const std::filesystem::path& folder)
{
    const Result<std::vector<std::string>> names = list_unlocked(folder / index_folder);
    if (!names)
        return names.error();
    std::vector<AttachmentId> found;
    for (const std::string& name : *names)
        if (auto id = attachment_of_index(name))
            found.push_back(std::move(*id));
    return found;
}

Result<> write_index(const StateDirectory& state, const AttachmentId& id,
                     const std::vector<IpAddress>& addresses)
{
    std::string lines;
    for (const IpAddress& address : addresses)
        lines += address.to_string() + "\n";
    return state.write(index_name(id), lines);
}

Result<> remove_index(const StateDirectory& state, const AttachmentId& id)
{
    return state.remove(index_name(id));
}

Result<> write_reservation(const StateDirectory& state, const IpAddress& address, const AttachmentId& id)
{
    return state.write(address.to_string(), reservation_text(id));
}

Result<> remove_reservation(const StateDirectory& state, const IpAddress& address)
{
    return state.remove(address.to_string());
}

} // namespace routelet::cni
