#include "cni/spoof_check.h"

#include "base/join.h"
#include "cni/error.h"
#include "cni/living.h"
#include "cni/patience.h"
#include "netlink/neighbor.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <random>
#include <set>
#include <string_view>
#include <thread>

namespace routelet::cni {
namespace {

using netlink::NamedLink;
using netlink::NftElement;
using netlink::NftFamily;
using netlink::Socket;

const netlink::NftTableId on_bridge{spoof_check_table_name, NftFamily::bridge};

using Clock = std::chrono::steady_clock;

// Of many ADDs that start at once each makes what the others have read obsolete; they get through one by one.
// Differs from others' pauses, so that they do not meet again.
void pause_a_little()
{
    std::random_device random;
    std::this_thread::sleep_for(std::chrono::microseconds(500 + random() % 8000));
}

// An ADD sets the alias last; until then it may be about to write what is missing.
bool is_complete(const NamedLink& named)
{
    return !named.link.alias.empty();
}

std::vector<IpAddress> addresses_of(const NamedLink& named)
{
    std::vector<IpAddress> addresses;
    for (const std::string& name : named.further_names)
        if (const auto address = address_in(name))
            addresses.push_back(*address);
    return addresses;
}

std::optional<netlink::MacAddress> mac_of(const NamedLink& named)
{
    for (const IpAddress& address : addresses_of(named))
        if (const auto mac = mac_in(address))
            return mac;
    return std::nullopt;
}

PodSources sources_of(const std::vector<NamedLink>& ports)
{
    PodSources sources;
    for (const NamedLink& port : ports)
        for (const IpAddress& address : addresses_of(port))
            sources.add(port.link.name, address);
    return sources;
}

std::vector<NamedLink> in_group(const std::vector<NamedLink>& links, std::uint32_t group)
{
    std::vector<NamedLink> found;
    std::ranges::copy_if(links, std::back_inserter(found),
                         [group](const NamedLink& named) { return named.link.group == group; });
    return found;
}

// While reading, or before writing.
bool is_of_changes_meanwhile(const Error& error)
{
    return error.code == boost::system::errc::interrupted ||
           error.code == boost::system::errc::resource_unavailable_try_again;
}

bool is_absent(const Error& error)
{
    return error.code == boost::system::errc::no_such_file_or_directory;
}

// Nothing where the table is missing.
Result<std::optional<PodSources>> read_sources(Socket& netfilter)
{
    PodSources sources;
    for (auto [set, into] : {std::pair{pod_source_set(IpFamily::v4), &sources.ipv4},
                             std::pair{pod_source_set(IpFamily::v6), &sources.ipv6}}) {
        Result<std::vector<NftElement>> found = netlink::list_elements(netfilter, on_bridge, set);
        if (!found && is_absent(found.error()))
            return std::optional<PodSources>{};
        if (!found)
            return found.error();
        *into = std::move(*found);
    }
    return std::optional(std::move(sources));
}

// What of the elements is for a link of those names, or else what is not.
std::vector<NftElement> filter(const std::vector<NftElement>& elements, const std::set<std::string>& links,
                               bool is_among)
{
    std::vector<NftElement> found;
    std::ranges::copy_if(elements, std::back_inserter(found), [&](const NftElement& element) {
        return links.contains(link_in(element)) == is_among;
    });
    return found;
}

std::vector<NftElement> merge(const std::vector<NftElement>& a, const std::vector<NftElement>& b)
{
    std::vector<NftElement> all;
    std::ranges::set_union(a, b, std::back_inserter(all));
    return all;
}

template <class Function>
PodSources for_both(const PodSources& a, const PodSources& b, Function function)
{
    return {function(a.ipv4, b.ipv4), function(a.ipv6, b.ipv6)};
}

std::vector<netlink::Request> replace_both(const PodSources& sources)
{
    std::vector<netlink::Request> requests = netlink::replace_table(spoof_check_table(sources));
    std::ranges::move(netlink::replace_table(routed_spoof_check_table()), std::back_inserter(requests));
    return requests;
}

} // namespace

// What there is, and what there should be.
struct SpoofCheck::Found {
    std::uint32_t generation = 0;
    UnlockedPorts unlocked;
    std::string difference; // of the tables
    PodSources there;       // the elements that the table may have now
    PodSources kept;        // those of them that are not of links that are gone
    PodSources wanted;      // of all checked ports

    std::string text() const
    {
        std::string all = difference;
        if (unlocked.ports != 0)
            append_item(all, std::to_string(unlocked.ports) + " ports are not locked to their MAC address");
        return all;
    }
};

SpoofCheck::SpoofCheck()
    : netfilter_(
          {.what = "spoofCheck",
           .modules = "nf_tables, nft_meta_bridge and nft_fib_inet, of bridge filtering (NF_TABLES_BRIDGE)",
           .alternative = "do without (routelet run without --spoof-check)"})
{
}

// The rules' number before the links: who has changed either since makes the answer obsolete, because an ADD
// gives its link the names before it writes the elements.
Result<SpoofCheck::Found> SpoofCheck::look(Socket& host, std::string_view being_added)
{
    const auto netfilter = netfilter_.socket();
    if (!netfilter)
        return netfilter.error();
    Found found;
    const auto generation = netlink::rules_generation(**netfilter);
    if (!generation)
        return netfilter_.explained(generation.error());
    found.generation = *generation;
    const auto links = netlink::list_named_links(host);
    if (!links)
        return links.error();
    const std::vector<NamedLink> ports = in_group(*links, checked_port_group);
    found.wanted = sources_of(ports);
    const auto read = read_sources(**netfilter);
    if (!read)
        return netfilter_.explained(read.error());
    if (!*read && ports.empty() && in_group(*links, checked_route_group).empty())
        return found;

    auto unlocked = find_unlocked_ports(host, ports);
    if (!unlocked)
        return unlocked.error();
    found.unlocked = std::move(*unlocked);

    std::set<std::string> all;
    std::set<std::string> unfinished;
    for (const NamedLink& port : ports) {
        all.insert(port.link.name);
        if (!is_complete(port) && port.link.name != being_added)
            unfinished.insert(port.link.name);
    }
    // An unfinished one may have its elements or not.
    found.kept =
        for_both(found.wanted, read->value_or(PodSources{}), [&](const auto& wanted, const auto& there) {
            return merge(filter(wanted, unfinished, false), filter(there, unfinished, true));
        });
    found.there =
        for_both(found.kept, read->value_or(PodSources{}),
                 [&](const auto& kept, const auto& there) { return merge(kept, filter(there, all, false)); });
    auto difference = netlink::difference_of_table(**netfilter, spoof_check_table(found.there));
    if (difference && difference->empty())
        difference = netlink::difference_of_table(**netfilter, routed_spoof_check_table());
    if (!difference)
        return netfilter_.explained(difference.error());
    found.difference = std::move(*difference);
    return found;
}

Result<> SpoofCheck::admit(Socket& host, const std::string& link, const std::vector<IpAddress>& addresses)
{
    const auto netfilter = netfilter_.socket();
    if (!netfilter)
        return netfilter.error();
    PodSources sources;
    for (const IpAddress& address : addresses)
        sources.add(link, address);
    if ((*netfilter)->execute_atomically(change_spoof_check_table({}, sources)))
        return {};
    // There is no table yet, or it has some of them from before.
    const auto repaired = repair(host, link, patience_with_others);
    return repaired ? Result<>() : repaired.error();
}

Result<> SpoofCheck::admit_routed(Socket& host)
{
    const auto netfilter = netfilter_.socket();
    if (!netfilter)
        return netfilter.error();
    const auto is_there = netlink::has_table(**netfilter, spoof_check_table_name);
    if (!is_there)
        return netfilter_.explained(is_there.error());
    if (*is_there)
        return {};
    const auto repaired = repair(host, {}, patience_with_others);
    return repaired ? Result<>() : repaired.error();
}

Result<std::string> SpoofCheck::repair(Socket& host)
{
    return repair(host, {}, std::chrono::milliseconds(0));
}

Result<std::string> SpoofCheck::repair(Socket& host, std::string_view being_added,
                                       std::chrono::milliseconds patience)
{
    for (const auto deadline = Clock::now() + patience;; pause_a_little()) {
        Result<std::string> repaired = repair_once(host, being_added);
        if (repaired || !is_of_changes_meanwhile(repaired.error()))
            return repaired;
        if (Clock::now() >= deadline)
            return failure(ErrorCode::try_again_later,
                           "somebody changes nftables' rules all the time, so those against "
                           "spoofing could not be written; try again");
    }
}

Result<std::string> SpoofCheck::repair_once(Socket& host, std::string_view being_added)
{
    const Result<Found> found = look(host, being_added);
    if (!found)
        return found.error();
    if (auto locked = execute_on_pods(host, found->unlocked.remedy); !locked)
        return locked.error();
    const std::vector<netlink::Request> requests = found->difference.empty()
                                                       ? change_spoof_check_table(found->there, found->kept)
                                                       : replace_both(found->wanted);
    if (requests.empty())
        return found->text();
    const Result<> written = (*netfilter_.socket())->execute_atomically(requests, found->generation);
    return written ? Result<std::string>(found->text()) : netfilter_.explained(written.error());
}

Result<std::string> SpoofCheck::difference(Socket& host)
{
    const Result<Found> found = look(host, {});
    return found ? Result<std::string>(found->text()) : found.error();
}

bool is_checked(const netlink::Link& link) noexcept
{
    return link.group == checked_port_group || link.group == checked_route_group;
}

Result<UnlockedPorts> find_unlocked_ports(Socket& host, const std::vector<NamedLink>& links)
{
    UnlockedPorts found;
    if (links.empty())
        return found;
    const auto pinned = netlink::list_pinned_macs(host);
    if (!pinned)
        return pinned.error();
    for (const NamedLink& named : links) {
        const netlink::Link& link = named.link;
        const auto mac = mac_of(named);
        if (link.group != checked_port_group || link.master == netlink::IfIndex{} || !is_complete(named) ||
            !mac)
            continue;
        const netlink::PinnedMac its{link.index, *mac};
        if (link.is_locked && std::ranges::binary_search(*pinned, its))
            continue;
        ++found.ports;
        found.remedy.push_back(netlink::pin_mac(its));
        found.remedy.push_back(netlink::lock_port(link.index));
    }
    return found;
}

Result<> execute_on_pods(Socket& host, std::span<const netlink::Request> requests)
{
    for (Result<>& result : host.execute_all(requests))
        if (!result && result.error().code != boost::system::errc::no_such_device)
            return std::move(result);
    return {};
}

} // namespace routelet::cni
