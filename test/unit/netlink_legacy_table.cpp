#include "netlink/legacy_table.h"

#include "test/support/catch.h"
#include "test/support/netlink_bytes.h"

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/netfilter/xt_state.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>

#include <cstddef>
#include <functional>

using namespace routelet;
using namespace routelet::netlink;
using namespace routelet::test;

namespace {

using Target = LegacyRule::Target;

template <class Struct>
Bytes bytes_of(const Struct& value)
{
    Bytes bytes(sizeof value);
    std::memcpy(bytes.data(), &value, sizeof value);
    return bytes;
}

// A match or a target, as long as the kernel makes it.
Bytes extension(const std::string& name, std::uint8_t revision, const Bytes& data)
{
    const std::size_t size = (sizeof(xt_entry_target) + data.size() + 7) / 8 * 8;
    xt_entry_target header{};
    header.u.user.target_size = static_cast<std::uint16_t>(size);
    header.u.user.revision = revision;
    std::ranges::copy(name, header.u.user.name);
    Bytes bytes = joined({bytes_of(header), data});
    bytes.resize(size);
    return bytes;
}
Bytes verdict(int value)
{
    return extension("", 0, bytes_of(value));
}
const Bytes accepts = verdict(-NF_ACCEPT - 1);
const Bytes drops = verdict(-NF_DROP - 1);
const Bytes leaves = verdict(XT_RETURN);
Bytes head(const std::string& name)
{
    Bytes text(name.begin(), name.end());
    text.resize(XT_FUNCTION_MAXNAMELEN);
    return extension("ERROR", 0, text);
}

template <class Entry>
Bytes entry(Entry conditions, const Bytes& matches, const Bytes& target)
{
    conditions.target_offset = static_cast<std::uint16_t>(sizeof conditions + matches.size());
    conditions.next_offset = static_cast<std::uint16_t>(conditions.target_offset + target.size());
    return joined({bytes_of(conditions), matches, target});
}
Bytes entry(const Bytes& target)
{
    return entry(ipt_entry{}, {}, target);
}
Bytes entry(const Bytes& match, const Bytes& target)
{
    return entry(ipt_entry{}, match, target);
}

Bytes conntrack(std::uint16_t states, std::uint16_t inverted = 0)
{
    xt_conntrack_mtinfo3 info{};
    info.match_flags = XT_CONNTRACK_STATE;
    info.invert_flags = inverted;
    info.state_mask = states;
    return extension("conntrack", 3, bytes_of(info));
}
Bytes mark(std::uint32_t value, std::uint32_t mask, std::uint8_t inverted = 0)
{
    return extension("mark", 1, bytes_of(xt_mark_mtinfo1{value, mask, inverted}));
}

constexpr std::uint16_t known =
    XT_CONNTRACK_STATE_BIT(IP_CT_ESTABLISHED) | XT_CONNTRACK_STATE_BIT(IP_CT_RELATED);
constexpr std::uint16_t of_new = XT_CONNTRACK_STATE_BIT(IP_CT_NEW);

struct Answer {
    ipt_getinfo info{};
    Bytes entries{};

    std::uint32_t size() const { return static_cast<std::uint32_t>(entries.size()); }
    void add(const Bytes& bytes)
    {
        entries.insert(entries.end(), bytes.begin(), bytes.end());
        ++info.num_entries;
    }
    void begin(unsigned hook)
    {
        info.valid_hooks |= 1U << hook;
        info.hook_entry[hook] = size();
    }
    void end(unsigned hook, const Bytes& policy)
    {
        info.underflow[hook] = size();
        add(entry(policy));
    }
    Result<LegacyTable> parse(IpFamily family = IpFamily::v4) const
    {
        const Bytes head = bytes_of(info);
        return parse_legacy_table(family, head, entries);
    }
};

// Table filter with these rules in FORWARD.
Answer filter_with(const std::vector<Bytes>& rules, const Bytes& policy = drops)
{
    Answer answer;
    std::ranges::copy(std::string("filter"), answer.info.name);
    answer.begin(NF_INET_LOCAL_IN);
    answer.end(NF_INET_LOCAL_IN, accepts);
    answer.begin(NF_INET_FORWARD);
    for (const Bytes& rule : rules)
        answer.add(rule);
    answer.end(NF_INET_FORWARD, policy);
    answer.begin(NF_INET_LOCAL_OUT);
    answer.end(NF_INET_LOCAL_OUT, accepts);
    return answer;
}

// With a chain USER that has one rule, before the last entry. The only rule of FORWARD leads to `there`.
Answer filter_with_chain(std::uint32_t there, bool go_to = false)
{
    ipt_entry jump{};
    jump.ip.flags = go_to ? IPT_F_GOTO : 0;
    Answer answer = filter_with({entry(jump, {}, verdict(static_cast<int>(there)))});
    answer.add(entry(head("USER")));
    answer.add(entry(mark(0x4000, 0x4000), accepts));
    answer.add(entry(leaves));
    answer.add(entry(head("ERROR")));
    return answer;
}
// Where the first rule of USER is.
std::uint32_t of_user()
{
    return filter_with({entry(accepts)}).size() + static_cast<std::uint32_t>(entry(head("USER")).size());
}
// Where the only rule of FORWARD is.
std::uint32_t of_first_rule()
{
    return static_cast<std::uint32_t>(entry(accepts).size());
}

LegacyRule only_rule(const Bytes& rule, IpFamily family = IpFamily::v4)
{
    Answer answer = filter_with({rule});
    if (family == IpFamily::v6) { // all entries have to be longer
        answer = {};
        answer.begin(NF_INET_FORWARD);
        answer.add(rule);
        answer.info.underflow[NF_INET_FORWARD] = answer.size();
        answer.add(entry(ip6t_entry{}, {}, accepts));
    }
    const LegacyTable table = need(answer.parse(family));
    REQUIRE(table.chains.at(table.forward).rules.size() == 1);
    return table.chains[table.forward].rules[0];
}

template <class Write>
void write_at(Bytes& bytes, std::size_t at, Write value)
{
    REQUIRE(at + sizeof value <= bytes.size());
    std::memcpy(bytes.data() + at, &value, sizeof value);
}

LinkPattern exactly(const std::string& name)
{
    LinkPattern pattern;
    std::ranges::copy(name, pattern.name.begin());
    std::fill_n(pattern.mask.begin(), name.size() + 1, '\xff');
    return pattern;
}

} // namespace

TEST_CASE("a legacy table has its policy, and the rules of FORWARD without it", "[netlink][legacy]")
{
    const LegacyTable table = need(filter_with({entry(accepts), entry(drops), entry(leaves)}).parse());
    CHECK(table.family == IpFamily::v4);
    CHECK(table.name == "filter");
    CHECK(table.to_string() == "FORWARD of iptables-legacy's table filter");
    CHECK(table.drops);
    CHECK(table.chains.at(table.forward) ==
          LegacyChain{"FORWARD",
                      {{.target = Target::accept}, {.target = Target::drop}, {.target = Target::leave}}});
    CHECK_FALSE(need(filter_with({}, accepts).parse()).drops);
}

TEST_CASE("a jump in a legacy table leads to a chain", "[netlink][legacy]")
{
    const bool go_to = GENERATE(false, true);
    const LegacyTable table = need(filter_with_chain(of_user(), go_to).parse());
    const LegacyRule rule = table.chains.at(table.forward).rules.at(0);
    CHECK(rule.target == (go_to ? Target::go_to : Target::jump));
    CHECK_FALSE(rule.has_more_conditions); // the mark of a jump that does not come back is none
    CHECK(table.chains.at(rule.chain) ==
          LegacyChain{"USER",
                      {{.has_more_conditions = true, .is_for_marked = true, .target = Target::accept},
                       {.target = Target::leave}}});
}

TEST_CASE("a rule of a legacy table without a target goes on with the next", "[netlink][legacy]")
{
    const auto next = static_cast<int>(of_first_rule() + entry(verdict(0)).size());
    CHECK(only_rule(entry(verdict(next))) == LegacyRule{.target = Target::pass});
}

TEST_CASE("targets of legacy tables are known by name, and others are told apart", "[netlink][legacy]")
{
    CHECK(only_rule(entry(extension("REJECT", 0, Bytes(8)))).target == Target::drop);
    for (const char* name : {"LOG", "NFLOG", "ULOG", "TCPMSS", "SET"})
        CHECK(only_rule(entry(extension(name, 0, Bytes(8)))).target == Target::pass);
    for (const char* name : {"MARK", "NFQUEUE", "ACCEPTED", "LOGGED"})
        CHECK(only_rule(entry(extension(name, 0, Bytes(8)))).target == Target::other);
    CHECK(only_rule(entry(verdict(-NF_QUEUE - 1))).target == Target::other);
}

TEST_CASE("what a rule of a legacy table asks for", "[netlink][legacy]")
{
    struct Case {
        std::string title;
        Bytes match;
        LegacyRule rule;
    };
    const LegacyRule more{.has_more_conditions = true, .target = Target::accept};
    LegacyRule for_known = more;
    for_known.is_for_known_connections = true;
    LegacyRule for_marked = more;
    for_marked.is_for_marked = true;
    xt_conntrack_mtinfo1 first{};
    first.match_flags = XT_CONNTRACK_STATE;
    first.state_mask = known;
    xt_conntrack_mtinfo2 second{};
    second.match_flags = XT_CONNTRACK_STATE;
    second.state_mask = known;
    const std::vector<Case> cases = {
        {"nothing", {}, {.target = Target::accept}},
        {"a comment", extension("comment", 0, Bytes(256, 'a')), {.target = Target::accept}},
        {"anything else", extension("addrtype", 1, Bytes(8)), more},
        {"known connections", conntrack(known), for_known},
        {"known connections, the first time", extension("conntrack", 1, bytes_of(first)), for_known},
        {"known connections, the second time", extension("conntrack", 2, bytes_of(second)), for_known},
        {"known connections, as it was once", extension("state", 0, bytes_of(xt_state_info{known})),
         for_known},
        {"new ones, as it was once", extension("state", 0, bytes_of(xt_state_info{of_new | known})), more},
        {"new ones", conntrack(of_new), more},
        {"new ones, too", conntrack(of_new | known), more},
        {"those without state", conntrack(XT_CONNTRACK_STATE_UNTRACKED), more},
        {"those whose destination was changed", conntrack(XT_CONNTRACK_STATE_DNAT), more},
        {"all but known connections", conntrack(known, XT_CONNTRACK_STATE), more},
        {"something else of connections", extension("conntrack", 3, bytes_of(xt_conntrack_mtinfo3{})), more},
        {"connections, in a way not known here", extension("conntrack", 9, bytes_of(first)), more},
        {"connections, cut off", extension("conntrack", 3, Bytes(8)), more},
        {"known connections and a mark",
         joined({conntrack(known), mark(1, 1)}),
         {.has_more_conditions = true,
          .is_for_known_connections = true,
          .is_for_marked = true,
          .target = Target::accept}},
        {"a mark", mark(0x4000, 0x4000), for_marked},
        {"no mark", mark(0, 0x4000), more},
        {"another mark", mark(0x4000, 0x4000, 1), more},
        {"any mark", mark(0, 0xffff, 1), for_marked},
        {"a mark, in a way not known here", extension("mark", 9, bytes_of(xt_mark_mtinfo1{1, 1, 0})), more},
    };
    for (const Case& c : cases) {
        CAPTURE(c.title);
        CHECK(only_rule(entry(c.match, accepts)) == c.rule);
    }
}

TEST_CASE("addresses, protocols and fragments are conditions of both families", "[netlink][legacy]")
{
    const std::vector<std::function<void(ipt_ip&)>> of_ipv4 = {
        [](auto& ip) { ip.smsk.s_addr = 0xffff; },
        [](auto& ip) { ip.dmsk.s_addr = 0xffff; },
        [](auto& ip) { ip.proto = 6; },
        [](auto& ip) { ip.flags = IPT_F_FRAG; },
        [](auto& ip) { ip.invflags = IPT_INV_SRCIP; },
        [](auto& ip) { ip.invflags = IPT_INV_PROTO; },
    };
    for (const auto& change : of_ipv4) {
        ipt_entry conditions{};
        change(conditions.ip);
        CHECK(only_rule(entry(conditions, {}, accepts)) ==
              LegacyRule{.has_more_conditions = true, .target = Target::accept});
    }
    const std::vector<std::function<void(ip6t_ip6&)>> of_ipv6 = {
        [](auto& ip) { ip.smsk.s6_addr[0] = 0xff; },
        [](auto& ip) { ip.dmsk.s6_addr[15] = 1; },
        [](auto& ip) { ip.flags = IP6T_F_PROTO; },
        [](auto& ip) { ip.flags = IP6T_F_TOS; },
    };
    for (const auto& change : of_ipv6) {
        ip6t_entry conditions{};
        change(conditions.ipv6);
        CHECK(only_rule(entry(conditions, {}, accepts), IpFamily::v6) ==
              LegacyRule{.has_more_conditions = true, .target = Target::accept});
    }
    CHECK(only_rule(entry(ip6t_entry{}, conntrack(known), drops), IpFamily::v6) ==
          LegacyRule{.has_more_conditions = true, .is_for_known_connections = true, .target = Target::drop});
}

TEST_CASE("a rule of a legacy table is for links by name", "[netlink][legacy]")
{
    ipt_entry conditions{};
    const LinkPattern docker0 = exactly("docker0");
    std::ranges::copy(docker0.name, conditions.ip.iniface);
    std::memcpy(conditions.ip.iniface_mask, docker0.mask.data(), docker0.mask.size());
    std::ranges::copy(docker0.name, conditions.ip.outiface);
    std::memcpy(conditions.ip.outiface_mask, docker0.mask.data(), docker0.mask.size());
    conditions.ip.invflags = IPT_INV_VIA_OUT;
    const LegacyRule rule = only_rule(entry(conditions, {}, accepts));
    LinkPattern another = docker0;
    another.is_inverted = true;
    CHECK(rule == LegacyRule{.in = docker0, .out = another, .target = Target::accept});

    CHECK(docker0.matches("docker0"));
    CHECK_FALSE(docker0.matches("docker01"));
    CHECK_FALSE(docker0.matches("docker"));
    CHECK_FALSE(another.matches("docker0"));
    CHECK(another.matches("eth0"));
    LinkPattern begins_so = docker0; // "docker0+"
    begins_so.mask[7] = 0;
    CHECK(begins_so.matches("docker01"));
    CHECK_FALSE(begins_so.matches("docker1"));
    CHECK(LinkPattern().matches("eth0"));
    CHECK(LinkPattern().is_any());
    CHECK_FALSE(begins_so.is_any());
}

TEST_CASE("bytes that are no legacy table are refused", "[netlink][legacy]")
{
    struct Lie {
        std::string title;
        std::function<void(Answer&)> tell;
    };
    const std::size_t target_offset = offsetof(ipt_entry, target_offset);
    const std::size_t next_offset = offsetof(ipt_entry, next_offset);
    const std::size_t rule = of_first_rule();
    const std::size_t user = of_user();
    const std::size_t match = user + sizeof(ipt_entry);
    const std::vector<Lie> lies = {
        {"an entry more", [](Answer& a) { ++a.info.num_entries; }},
        {"an entry less", [](Answer& a) { --a.info.num_entries; }},
        {"no chain FORWARD", [](Answer& a) { a.info.valid_hooks &= ~(1U << NF_INET_FORWARD); }},
        {"a chain FORWARD behind the end", [](Answer& a) { a.info.hook_entry[NF_INET_FORWARD] = 1U << 20U; }},
        {"a policy in another chain",
         [](Answer& a) { a.info.underflow[NF_INET_FORWARD] = a.info.underflow[NF_INET_LOCAL_OUT]; }},
        {"a policy that is none",
         [](Answer& a) {
             write_at(a.entries, a.info.underflow[NF_INET_FORWARD] + sizeof(ipt_entry) + 32, XT_RETURN);
         }},
        {"a policy that is a jump", [](Answer& a) { a.info.underflow[NF_INET_FORWARD] = of_first_rule(); }},
        {"rules before all chains", [](Answer& a) { a.info.valid_hooks &= ~(1U << NF_INET_LOCAL_IN); }},
        {"rules behind the policy", [](Answer& a) { a.info.valid_hooks &= ~(1U << NF_INET_LOCAL_OUT); }},
        {"a jump into a chain",
         [=](Answer& a) { write_at(a.entries, rule + sizeof(ipt_entry) + 32, int(user) + 1); }},
        {"a jump far away",
         [=](Answer& a) { write_at(a.entries, rule + sizeof(ipt_entry) + 32, 0x7fffffff); }},
        {"an entry of no size",
         [=](Answer& a) { write_at(a.entries, rule + next_offset, std::uint16_t(0)); }},
        {"an entry of all",
         [=](Answer& a) { write_at(a.entries, rule + next_offset, std::uint16_t(0xffff)); }},
        {"a target in the conditions",
         [=](Answer& a) { write_at(a.entries, rule + target_offset, std::uint16_t(8)); }},
        {"a target behind",
         [=](Answer& a) { write_at(a.entries, rule + target_offset, std::uint16_t(0xfff0)); }},
        {"a target of no size",
         [=](Answer& a) { write_at(a.entries, rule + sizeof(ipt_entry), std::uint16_t(0)); }},
        {"a target without verdict",
         [=](Answer& a) { write_at(a.entries, rule + sizeof(ipt_entry), std::uint16_t(32)); }},
        {"a target of all",
         [=](Answer& a) { write_at(a.entries, rule + sizeof(ipt_entry), std::uint16_t(0xffff)); }},
        {"a match of no size", [=](Answer& a) { write_at(a.entries, match, std::uint16_t(0)); }},
        {"a match into its target", [=](Answer& a) { write_at(a.entries, match, std::uint16_t(64)); }},
        {"an end without a name",
         [](Answer& a) {
             write_at(a.entries, a.entries.size() - sizeof(xt_error_target), std::uint16_t(40));
         }},
        {"a head without a name",
         [=](Answer& a) { write_at(a.entries, user - sizeof(xt_error_target), std::uint16_t(40)); }},
    };
    REQUIRE(filter_with_chain(of_user()).parse().has_value());
    for (const Lie& lie : lies) {
        CAPTURE(lie.title);
        Answer answer = filter_with_chain(of_user());
        lie.tell(answer);
        const auto table = answer.parse();
        REQUIRE_FALSE(table.has_value());
        CHECK(table.error().text() == "a legacy table: Bad message");
    }
}

TEST_CASE("no byte outside of a legacy table is read, whatever it says", "[netlink][legacy]")
{
    const Answer answer = filter_with_chain(of_user());
    const Bytes info = bytes_of(answer.info);
    for_every_truncation(answer.entries, [&](std::span<const std::uint8_t> part) {
        CHECK_FALSE(parse_legacy_table(IpFamily::v4, info, part).has_value());
        CHECK_FALSE(parse_legacy_table(IpFamily::v6, info, part).has_value());
    });
    for_every_truncation(info, [&](std::span<const std::uint8_t> part) {
        CHECK_FALSE(parse_legacy_table(IpFamily::v4, part, answer.entries).has_value());
    });
    const auto hold_together = [](const Result<LegacyTable>& table) {
        if (!table)
            return true;
        for (const LegacyChain& chain : table->chains)
            for (const LegacyRule& rule : chain.rules)
                if (rule.chain >= table->chains.size())
                    return false;
        return table->forward < table->chains.size();
    };
    for_every_damage(answer.entries, [&](std::span<const std::uint8_t> damaged) {
        CHECK(hold_together(parse_legacy_table(IpFamily::v4, info, damaged)));
        CHECK(hold_together(parse_legacy_table(IpFamily::v6, info, damaged)));
    });
    for_every_damage(info, [&](std::span<const std::uint8_t> damaged) {
        CHECK(hold_together(parse_legacy_table(IpFamily::v4, damaged, answer.entries)));
    });
}
