#include "cni/resting.h"

#include "base/rfc3339.h"

namespace routelet::cni {
namespace {

constexpr std::size_t file_limit = 1U << 20U; // bytes: some 25,000 lines
constexpr std::size_t few_lines = 64;         // are not worth a cut

} // namespace

void RestingAddresses::note_freed(const StateDirectory& state, const IpAddress& address, Time now)
{
    (void)state.append(file_name, to_rfc3339(now) + " " + address.to_string() + "\n"); // only a wish
}

RestingAddresses RestingAddresses::read(const StateDirectory& state, std::chrono::seconds rest, Time now)
{
    const Result<std::optional<std::string>> content = state.read(file_name, file_limit);
    if (!content || !content->has_value())
        return {};
    RestingAddresses resting = parse(**content, rest, now);
    if (resting.lines_ > few_lines && resting.places_.size() < resting.lines_ / 2)
        (void)state.write(file_name, resting.kept_); // the next one tries again
    return resting;
}

RestingAddresses RestingAddresses::parse(std::string_view lines, std::chrono::seconds rest, Time now)
{
    RestingAddresses resting;
    while (!lines.empty()) {
        const std::string_view line = lines.substr(0, lines.find('\n'));
        lines.remove_prefix(std::min(line.size() + 1, lines.size()));
        const std::size_t place = resting.lines_++;

        const std::size_t blank = line.find(' ');
        if (blank == std::string_view::npos)
            continue;
        const std::optional<Time> freed = parse_rfc3339(line.substr(0, blank));
        const Result<IpAddress> address = IpAddress::parse(line.substr(blank + 1));
        if (!freed || !address || *freed > now || *freed <= now - rest)
            continue;
        resting.places_[*address] = place;
        resting.kept_.append(line).append("\n");
    }
    return resting;
}

std::set<IpAddress> RestingAddresses::addresses() const
{
    std::set<IpAddress> found;
    for (const auto& [address, place] : places_)
        found.insert(address);
    return found;
}

std::optional<std::size_t> RestingAddresses::place(const IpAddress& address) const
{
    const auto found = places_.find(address);
    return found == places_.end() ? std::nullopt : std::optional(found->second);
}

} // namespace routelet::cni
