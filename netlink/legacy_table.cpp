#include "netlink/legacy_table.h"

#include "base/file.h"
#include "base/unique_fd.h"
#include "netlink/attributes.h"

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/netfilter/xt_state.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <map>
#include <optional>
#include <sstream>

namespace routelet::netlink {
namespace {

namespace errc = boost::system::errc;
using Bytes = std::span<const std::uint8_t>;
using Target = LegacyRule::Target;

constexpr const char* what = "a legacy table";

// The answers of both families differ in their rules only.
static_assert(sizeof(ipt_getinfo) == sizeof(ip6t_getinfo));
static_assert(offsetof(ipt_get_entries, entrytable) == offsetof(ip6t_get_entries, entrytable));

struct V4 {
    using Entry = ipt_entry;
    static const ipt_ip& conditions(const Entry& entry) { return entry.ip; }
    static constexpr unsigned go_to = IPT_F_GOTO;
};

struct V6 {
    using Entry = ip6t_entry;
    static const ip6t_ip6& conditions(const Entry& entry) { return entry.ipv6; }
    static constexpr unsigned go_to = IP6T_F_GOTO;
};

// A match or a target: their headers are the same.
static_assert(sizeof(xt_entry_match) == sizeof(xt_entry_target));

struct Extension {
    std::string name;
    std::uint8_t revision = 0;
    Bytes data;
    std::size_t size = 0; // bytes, with the header
};

template <std::size_t size>
std::string text_of(const char (&text)[size])
{
    return {text, ::strnlen(text, size)};
}

// As read_header, for those that end with an array of any length, of which there can be no optional.
template <class Header>
bool read_into(Header& header, Bytes bytes)
{
    if (bytes.size() < sizeof header)
        return false;
    std::memcpy(&header, bytes.data(), sizeof header);
    return true;
}

// What `bytes` begin with.
std::optional<Extension> read_extension(Bytes bytes)
{
    xt_entry_match header;
    if (!read_into(header, bytes))
        return std::nullopt;
    const std::size_t size = header.u.user.match_size;
    if (size < sizeof header || size > bytes.size())
        return std::nullopt;
    return Extension{text_of(header.u.user.name), header.u.user.revision,
                     bytes.subspan(sizeof header, size - sizeof header), size};
}

// --- conditions

// Whether none of these states is that of a packet which begins a connection.
bool are_of_known_connections(std::uint32_t states)
{
    return (states & ~static_cast<std::uint32_t>(XT_CONNTRACK_STATE_BIT(IP_CT_ESTABLISHED) |
                                                 XT_CONNTRACK_STATE_BIT(IP_CT_RELATED))) == 0;
}

template <class Info>
bool is_conntrack_for_known_connections(Bytes data)
{
    const auto info = read_header<Info>(data);
    return info && (info->match_flags & XT_CONNTRACK_STATE) != 0 &&
           (info->invert_flags & XT_CONNTRACK_STATE) == 0 && are_of_known_connections(info->state_mask);
}

bool is_for_known_connections(const Extension& match)
{
    if (match.name == "state" && match.revision == 0) {
        const auto info = read_header<xt_state_info>(match.data);
        return info && are_of_known_connections(info->statemask);
    }
    if (match.name != "conntrack" && match.name != "state")
        return false;
    switch (match.revision) {
    case 1:
        return is_conntrack_for_known_connections<xt_conntrack_mtinfo1>(match.data);
    case 2:
        return is_conntrack_for_known_connections<xt_conntrack_mtinfo2>(match.data);
    case 3:
        return is_conntrack_for_known_connections<xt_conntrack_mtinfo3>(match.data);
    default:
        return false;
    }
}

bool is_for_marked(const Extension& match)
{
    const auto info = read_header<xt_mark_mtinfo1>(match.data);
    return match.name == "mark" && match.revision == 1 && info && (info->mark == 0) == (info->invert != 0);
}

template <class Address>
bool is_any_address(const Address& mask)
{
    return std::ranges::all_of(std::as_bytes(std::span(&mask, 1)),
                               [](std::byte b) { return b == std::byte{}; });
}

LinkPattern pattern_of(const char (&name)[IFNAMSIZ], const unsigned char (&mask)[IFNAMSIZ], bool is_inverted)
{
    LinkPattern pattern{.is_inverted = is_inverted};
    static_assert(sizeof name == sizeof pattern.name);
    std::memcpy(pattern.name.data(), name, sizeof name);
    std::memcpy(pattern.mask.data(), mask, sizeof mask);
    return pattern;
}

template <class Family>
LegacyRule rule_with_conditions(const typename Family::Entry& entry)
{
    constexpr unsigned of_links = IPT_INV_VIA_IN | IPT_INV_VIA_OUT;
    static_assert(IPT_INV_VIA_IN == IP6T_INV_VIA_IN && IPT_INV_VIA_OUT == IP6T_INV_VIA_OUT);
    const auto& conditions = Family::conditions(entry);
    LegacyRule rule{.in = pattern_of(conditions.iniface, conditions.iniface_mask,
                                     (conditions.invflags & IPT_INV_VIA_IN) != 0),
                    .out = pattern_of(conditions.outiface, conditions.outiface_mask,
                                      (conditions.invflags & IPT_INV_VIA_OUT) != 0)};
    rule.has_more_conditions = conditions.proto != 0 || (conditions.flags & ~Family::go_to) != 0 ||
                               (conditions.invflags & ~of_links) != 0 || !is_any_address(conditions.smsk) ||
                               !is_any_address(conditions.dmsk);
    return rule;
}

// False when they do not fill their place.
bool add_matches(LegacyRule& rule, Bytes matches)
{
    while (!matches.empty()) {
        const auto match = read_extension(matches);
        if (!match)
            return false;
        matches = matches.subspan(match->size);
        rule.has_more_conditions |= match->name != "comment";
        rule.is_for_known_connections |= is_for_known_connections(*match);
        rule.is_for_marked |= is_for_marked(*match);
    }
    return true;
}

// --- targets

Target target_named(const std::string& name)
{
    constexpr std::array<std::string_view, 5> passing = {"LOG", "NFLOG", "ULOG", "TCPMSS", "SET"};
    if (name == "REJECT")
        return Target::drop;
    return std::ranges::find(passing, name) != passing.end() ? Target::pass : Target::other;
}

Target target_of_verdict(int verdict)
{
    switch (verdict) {
    case -NF_ACCEPT - 1:
        return Target::accept;
    case -NF_DROP - 1:
        return Target::drop;
    case XT_RETURN:
        return Target::leave;
    default:
        return Target::other;
    }
}

// --- entries

struct Entry {
    LegacyRule rule{};                 // its `chain`: where in the entries that begins
    std::optional<std::string> head{}; // no rule, but what stands before a chain that somebody made: its name
    std::size_t end = 0;               // where the next entry is
};

// `go_to`: whether a jump does not come back.
bool add_target(Entry& entry, const Extension& target, bool go_to)
{
    if (target.name == XT_ERROR_TARGET) {
        const auto name = read_header<std::array<char, XT_FUNCTION_MAXNAMELEN>>(target.data);
        if (name)
            entry.head = std::string(name->data(), ::strnlen(name->data(), name->size()));
        return name.has_value();
    }
    if (target.name != XT_STANDARD_TARGET) {
        entry.rule.target = target_named(target.name);
        return true;
    }
    const auto verdict = read_header<int>(target.data);
    if (!verdict)
        return false;
    if (*verdict < 0) {
        entry.rule.target = target_of_verdict(*verdict);
    } else if (static_cast<std::size_t>(*verdict) != entry.end) { // to the next one is no jump
        entry.rule.target = go_to ? Target::go_to : Target::jump;
        entry.rule.chain = static_cast<std::size_t>(*verdict);
    }
    return true;
}

template <class Family>
std::optional<Entry> read_entry(Bytes entries, std::size_t offset)
{
    const Bytes rest = entries.subspan(offset);
    typename Family::Entry raw;
    if (!read_into(raw, rest) || raw.target_offset < sizeof raw || raw.next_offset < raw.target_offset ||
        raw.next_offset > rest.size())
        return std::nullopt;
    Entry entry{.rule = rule_with_conditions<Family>(raw), .end = offset + raw.next_offset};
    const auto target = read_extension(rest.first(raw.next_offset).subspan(raw.target_offset));
    const bool go_to = (Family::conditions(raw).flags & Family::go_to) != 0;
    if (!add_matches(entry.rule, rest.first(raw.target_offset).subspan(sizeof raw)) || !target ||
        !add_target(entry, *target, go_to))
        return std::nullopt;
    return entry;
}

// --- the table

// Puts entries, one after the other, into chains. What the kernel has made itself begins at a hook and ends
// with a policy; the others follow, each behind its head.
class Assembly {
public:
    explicit Assembly(const ipt_getinfo& info) : info_(info) {}

    bool add(Entry entry, std::size_t offset)
    {
        begin_hooks_at(offset);
        if (entry.head)
            begin(std::move(*entry.head), entry.end);
        else if (is_forward_ && offset == info_.underflow[NF_INET_FORWARD])
            return take_policy(entry.rule);
        else if (!is_in_chain_)
            return false;
        else
            table_.chains.back().rules.push_back(entry.rule);
        return true;
    }
    // Nothing when the table is not whole.
    std::optional<LegacyTable> finish() &&
    {
        if (!has_policy_)
            return std::nullopt;
        for (LegacyChain& chain : table_.chains)
            for (LegacyRule& rule : chain.rules)
                if (rule.target == Target::jump || rule.target == Target::go_to) {
                    const auto found = beginnings_.find(rule.chain);
                    if (found == beginnings_.end())
                        return std::nullopt;
                    rule.chain = found->second;
                }
        return std::move(table_);
    }

private:
    void begin_hooks_at(std::size_t offset)
    {
        for (unsigned hook = 0; hook < NF_INET_NUMHOOKS; ++hook)
            if ((info_.valid_hooks & 1U << hook) != 0 && info_.hook_entry[hook] == offset) {
                begin(hook == NF_INET_FORWARD ? "FORWARD" : "", offset);
                is_forward_ = hook == NF_INET_FORWARD;
                if (is_forward_)
                    table_.forward = table_.chains.size() - 1;
            }
    }
    void begin(std::string name, std::size_t first_rule)
    {
        beginnings_[first_rule] = table_.chains.size();
        table_.chains.push_back({.name = std::move(name)});
        is_in_chain_ = true;
        is_forward_ = false;
    }
    bool take_policy(const LegacyRule& rule)
    {
        table_.drops = rule.target == Target::drop;
        has_policy_ = table_.drops || rule.target == Target::accept;
        is_in_chain_ = is_forward_ = false;
        return has_policy_;
    }

    const ipt_getinfo& info_;
    LegacyTable table_;
    std::map<std::size_t, std::size_t> beginnings_; // where a chain's first rule is: its place
    bool is_in_chain_ = false;
    bool is_forward_ = false;
    bool has_policy_ = false;
};

template <class Family>
std::optional<LegacyTable> parse(const ipt_getinfo& info, Bytes entries)
{
    Assembly assembly(info);
    std::size_t number = 0;
    for (std::size_t offset = 0; offset < entries.size(); ++number) {
        auto entry = read_entry<Family>(entries, offset);
        if (!entry)
            return std::nullopt;
        const std::size_t end = entry->end;
        if (!assembly.add(std::move(*entry), offset))
            return std::nullopt;
        offset = end;
    }
    if (number != info.num_entries)
        return std::nullopt;
    return std::move(assembly).finish();
}

// --- asking

constexpr std::size_t largest = 16U << 20U; // bytes of entries: some 100,000 rules
constexpr int tries = 50;                   // while somebody changes it

struct Asked {
    IpFamily family;
    std::string table;
    UniqueFd socket;

    std::string text() const
    {
        return std::string("reading the legacy table ") + table + " of " + std::string(to_string(family));
    }
    // getsockopt(2) with a struct whose beginning names the table, and which is filled.
    Result<> ask(int option, std::span<std::uint8_t> answer) const
    {
        auto size = static_cast<socklen_t>(answer.size());
        const int level = family == IpFamily::v4 ? IPPROTO_IP : IPPROTO_IPV6;
        std::ranges::copy(table, answer.begin());
        if (::getsockopt(socket.fd(), level, option, answer.data(), &size) != 0)
            return last_errno(text());
        if (size != answer.size())
            return malformed(what).within(text());
        return {};
    }
    Result<std::vector<std::uint8_t>> info() const
    {
        static_assert(IPT_SO_GET_INFO == IP6T_SO_GET_INFO);
        std::vector<std::uint8_t> answer(sizeof(ipt_getinfo));
        if (const auto asked = ask(IPT_SO_GET_INFO, answer); !asked)
            return asked.error();
        return answer;
    }
    // With the header before them.
    Result<std::vector<std::uint8_t>> entries(std::uint32_t size) const
    {
        static_assert(IPT_SO_GET_ENTRIES == IP6T_SO_GET_ENTRIES);
        static_assert(offsetof(ipt_get_entries, size) == offsetof(ip6t_get_entries, size));
        std::vector<std::uint8_t> answer(offsetof(ipt_get_entries, entrytable) + size);
        std::memcpy(answer.data() + offsetof(ipt_get_entries, size), &size, sizeof size);
        if (const auto asked = ask(IPT_SO_GET_ENTRIES, answer); !asked)
            return asked.error();
        return answer;
    }
};

// The two answers are of one table only when what the first says holds before and after the second; and not
// even then if somebody has changed it twice meanwhile, and the second time back: then they do not fit each
// other.
Result<LegacyTable> read_table(const Asked& asked)
{
    Error error = make_error(errc::resource_unavailable_try_again, asked.text());
    for (int tried = 0; tried < tries; ++tried) {
        const auto before = asked.info();
        if (!before)
            return before.error();
        const std::uint32_t size = read_header<ipt_getinfo>(*before)->size;
        if (size > largest)
            return make_error(errc::file_too_large, asked.text());
        const auto entries = asked.entries(size);
        if (!entries && entries.error().code == errc::resource_unavailable_try_again)
            continue; // it has another size by now
        if (!entries)
            return entries.error();
        const auto after = asked.info();
        if (!after)
            return after.error();
        if (*before != *after)
            continue;
        auto table = parse_legacy_table(asked.family, *before,
                                        Bytes(*entries).subspan(offsetof(ipt_get_entries, entrytable)));
        if (table)
            return table;
        error = table.error().within(asked.text());
    }
    return error;
}

// None where the kernel has no such tables.
Result<std::vector<std::string>> tables_in(const std::filesystem::path& file)
{
    const Result<std::string> content = read_file(file);
    if (!content && content.error().code == errc::no_such_file_or_directory)
        return std::vector<std::string>{};
    if (!content)
        return content.error();
    std::istringstream words(*content);
    return std::vector<std::string>(std::istream_iterator<std::string>(words), {});
}

} // namespace

bool LinkPattern::matches(std::string_view link) const noexcept
{
    for (std::size_t i = 0; i < name.size(); ++i)
        if (((name[i] ^ (i < link.size() ? link[i] : '\0')) & mask[i]) != 0)
            return is_inverted;
    return !is_inverted;
}

Result<LegacyTable> parse_legacy_table(IpFamily family, std::span<const std::uint8_t> info,
                                       std::span<const std::uint8_t> entries)
{
    const auto header = read_header<ipt_getinfo>(info);
    if (!header)
        return malformed(what);
    auto table = family == IpFamily::v4 ? parse<V4>(*header, entries) : parse<V6>(*header, entries);
    if (!table)
        return malformed(what);
    table->family = family;
    table->name = text_of(header->name);
    return std::move(*table);
}

Result<std::vector<LegacyTable>> list_legacy_tables(IpFamily family, const std::filesystem::path& net)
{
    const auto there = tables_in(net / (family == IpFamily::v4 ? "ip_tables_names" : "ip6_tables_names"));
    if (!there)
        return there.error();
    std::vector<LegacyTable> tables;
    for (const char* name : {"mangle", "filter", "security"}) {
        if (std::ranges::find(*there, name) == there->end())
            continue;
        const int domain = family == IpFamily::v4 ? AF_INET : AF_INET6;
        const Asked asked{family, name, UniqueFd(::socket(domain, SOCK_DGRAM | SOCK_CLOEXEC, 0))};
        if (!asked.socket)
            return last_errno(asked.text());
        auto table = read_table(asked);
        if (!table)
            return table.error();
        tables.push_back(std::move(*table));
    }
    return tables;
}

} // namespace routelet::netlink
