#include "netlink/attributes.h"

#include <libmnl/libmnl.h>

#include <algorithm>
#include <map>
#include <vector>

namespace routelet::netlink {
namespace {

const nlattr* front(std::span<const std::uint8_t> bytes) noexcept
{
    return reinterpret_cast<const nlattr*>(bytes.data());
}

bool has_whole_attribute(std::span<const std::uint8_t> bytes) noexcept
{
    return mnl_attr_ok(front(bytes), static_cast<int>(bytes.size()));
}

// The padding of the last attribute may be missing, so what is left may be less than what it would skip.
std::span<const std::uint8_t> after_front(std::span<const std::uint8_t> bytes) noexcept
{
    const std::size_t skipped = MNL_ALIGN(mnl_attr_get_len(front(bytes)));
    return bytes.subspan(std::min(skipped, bytes.size()));
}

// Requires a whole attribute.
std::span<const std::uint8_t> content_of_front(std::span<const std::uint8_t> bytes) noexcept
{
    return bytes.subspan(MNL_ATTR_HDRLEN, mnl_attr_get_payload_len(front(bytes)));
}

bool nest_includes(std::span<const std::uint8_t> found, std::span<const std::uint8_t> wanted)
{
    const auto inside = Attributes::parse(found);
    const auto wanted_inside = Attributes::parse(wanted);
    return inside && wanted_inside && inside->include(*wanted_inside);
}

} // namespace

Error malformed(std::string_view what)
{
    return make_error(boost::system::errc::bad_message, std::string(what));
}

std::span<const std::uint8_t> after_header(std::span<const std::uint8_t> payload, std::size_t header_size)
{
    return payload.subspan(std::min<std::size_t>(MNL_ALIGN(header_size), payload.size()));
}

std::optional<Attributes> Attributes::parse(std::span<const std::uint8_t> bytes)
{
    for (auto rest = bytes; !rest.empty(); rest = after_front(rest))
        if (!has_whole_attribute(rest))
            return std::nullopt;
    return Attributes(bytes);
}

std::optional<std::span<const std::uint8_t>> Attributes::find(std::uint16_t type) const noexcept
{
    for (auto rest = bytes_; !rest.empty(); rest = after_front(rest))
        if (mnl_attr_get_type(front(rest)) == type)
            return content_of_front(rest);
    return std::nullopt;
}

bool Attributes::read(std::uint16_t type, std::uint8_t& value) const noexcept
{
    const auto found = find(type);
    if (found && found->size() == sizeof value)
        value = found->front();
    return !found || found->size() == sizeof value;
}

bool Attributes::read(std::uint16_t type, std::uint32_t& value) const noexcept
{
    const auto found = find(type);
    if (found && found->size() == sizeof value)
        std::memcpy(&value, found->data(), sizeof value);
    return !found || found->size() == sizeof value;
}

bool Attributes::read(std::uint16_t type, IfIndex& value) const noexcept
{
    auto number = static_cast<std::uint32_t>(to_int(value));
    const bool well_formed = read(type, number);
    value = IfIndex{static_cast<int>(number)};
    return well_formed;
}

bool Attributes::read(std::uint16_t type, std::string& value) const
{
    if (const auto found = find(type))
        value.assign(found->begin(), std::ranges::find(*found, std::uint8_t{0}));
    return true;
}

bool Attributes::read(std::uint16_t type, int af, std::optional<IpAddress>& value) const
{
    const auto found = find(type);
    if (!found)
        return true;
    const auto address = IpAddress::from_bytes(*found);
    if (!address || address->af() != af)
        return false;
    value = *address;
    return true;
}

bool Attributes::read(std::uint16_t type, Attributes& nested) const
{
    const auto found = find(type);
    if (!found)
        return true;
    const auto inside = parse(*found);
    if (inside)
        nested = *inside;
    return inside.has_value();
}

void Attributes::for_each(
    const std::function<void(std::uint16_t type, std::span<const std::uint8_t> content)>& take) const
{
    for (auto rest = bytes_; !rest.empty(); rest = after_front(rest))
        take(mnl_attr_get_type(front(rest)), content_of_front(rest));
}

bool Attributes::include(const Attributes& wanted) const
{
    std::map<std::uint16_t, std::vector<std::span<const std::uint8_t>>> found;
    for_each([&](std::uint16_t type, auto content) { found[type].push_back(content); });

    std::map<std::uint16_t, std::size_t> seen;
    for (auto rest = wanted.bytes_; !rest.empty(); rest = after_front(rest)) {
        const std::uint16_t type = mnl_attr_get_type(front(rest));
        const std::size_t nth = seen[type]++;
        if (nth >= found[type].size())
            return false;
        const bool is_nest = (front(rest)->nla_type & NLA_F_NESTED) != 0;
        if (!(is_nest ? nest_includes(found[type][nth], content_of_front(rest))
                      : std::ranges::equal(found[type][nth], content_of_front(rest))))
            return false;
    }
    return std::ranges::all_of(seen, [&](const auto& type_and_count) {
        return found[type_and_count.first].size() == type_and_count.second;
    });
}

} // namespace routelet::netlink
