// The tables of iptables-legacy, as the real program makes them.
#include "netlink/legacy_table.h"

#include "test/support/catch.h"
#include "test/support/legacy_tables.h"
#include "test/support/netns_fixture.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <set>
#include <tuple>

using namespace routelet;
using namespace routelet::netlink;
using namespace routelet::test;
using Target = LegacyRule::Target;

namespace {

std::string listed(const NetnsFixture& netns)
{
    return netns.output(
        "cat /proc/thread-self/net/ip_tables_names /proc/thread-self/net/ip6_tables_names 2>/dev/null");
}

LegacyTable only_table(IpFamily family)
{
    const std::vector<LegacyTable> tables = need(list_legacy_tables(family));
    REQUIRE(tables.size() == 1);
    return tables[0];
}

struct Child {
    pid_t id;
    ~Child()
    {
        ::kill(-id, SIGKILL);
        ::waitpid(id, nullptr, 0);
    }
};

} // namespace

TEST_CASE_METHOD(NetnsFixture, "looking for legacy tables makes none", "[kernel][netlink][legacy]")
{
    if (!has_legacy_tables())
        return;
    CHECK(need(list_legacy_tables(IpFamily::v4)).empty());
    CHECK(need(list_legacy_tables(IpFamily::v6)).empty());
    CHECK(listed(*this).empty());
    run("iptables-legacy -S >/dev/null");
    CHECK(need(list_legacy_tables(IpFamily::v4)).size() == 1);
    CHECK(need(list_legacy_tables(IpFamily::v6)).empty());
    CHECK(listed(*this) == "filter\n");
    run("iptables-legacy -t nat -S >/dev/null"); // has no FORWARD
    CHECK(need(list_legacy_tables(IpFamily::v4)).size() == 1);
    run("iptables-legacy -t mangle -S >/dev/null");
    CHECK(need(list_legacy_tables(IpFamily::v4)).size() == 2);
}

TEST_CASE("a kernel that has no legacy tables has none to read", "[kernel][netlink][legacy]")
{
    CHECK(need(list_legacy_tables(IpFamily::v4, "/nonexistent")).empty());
}

TEST_CASE_METHOD(NetnsFixture, "rules of iptables-legacy are read as they were given, of both families",
                 "[kernel][netlink][legacy]")
{
    if (!has_legacy_tables())
        return;
    const auto [family, program, network] = GENERATE(
        std::tuple<IpFamily, std::string, std::string>{IpFamily::v4, "iptables-legacy", "10.244.0.0/16"},
        std::tuple<IpFamily, std::string, std::string>{IpFamily::v6, "ip6tables-legacy", "fd00:10::/32"});
    const auto give = [&, command = program](const std::string& words) { run(command + " " + words); };
    give("-P FORWARD DROP");
    give("-A INPUT -j ACCEPT");
    give("-N USER");
    give("-N OTHER");
    give("-A USER -m mark --mark 0x4000/0x4000 -j ACCEPT");
    give("-A FORWARD -m comment --comment words -j OTHER");
    give("-A FORWARD -g USER");
    give("-A FORWARD -i eth0 ! -o docker+ -j ACCEPT");
    give("-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT");
    give("-A FORWARD -m state --state ESTABLISHED -j ACCEPT");
    give("-A FORWARD -m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT");
    give("-A FORWARD -s " + network + " -j REJECT");
    give("-A FORWARD -p tcp --dport 80 -j LOG");
    give("-A FORWARD -m comment --comment words");
    give("-A FORWARD -j RETURN");

    const LegacyTable table = only_table(family);
    CHECK(table.family == family);
    CHECK(table.name == "filter");
    CHECK(table.drops);
    const std::vector<LegacyRule>& rules = table.chains.at(table.forward).rules;
    REQUIRE(rules.size() == 10);
    CHECK(rules[0].target == Target::jump);
    CHECK_FALSE(rules[0].has_more_conditions);
    CHECK(table.chains.at(rules[0].chain) == LegacyChain{"OTHER", {{.target = Target::leave}}});
    CHECK(rules[1].target == Target::go_to);
    CHECK(table.chains.at(rules[1].chain) ==
          LegacyChain{"USER",
                      {{.has_more_conditions = true, .is_for_marked = true, .target = Target::accept},
                       {.target = Target::leave}}});
    CHECK(rules[2].target == Target::accept);
    CHECK_FALSE(rules[2].has_more_conditions);
    CHECK((rules[2].in.matches("eth0") && !rules[2].in.matches("eth01") && !rules[2].in.matches("eth")));
    CHECK((rules[2].out.matches("eth0") && !rules[2].out.matches("docker0")));
    const LegacyRule for_known{
        .has_more_conditions = true, .is_for_known_connections = true, .target = Target::accept};
    CHECK(rules[3] == for_known);
    CHECK(rules[4] == for_known);
    CHECK(rules[5] == LegacyRule{.has_more_conditions = true, .target = Target::accept});
    CHECK(rules[6] == LegacyRule{.has_more_conditions = true, .target = Target::drop});
    CHECK(rules[7] == LegacyRule{.has_more_conditions = true, .target = Target::pass});
    CHECK(rules[8] == LegacyRule{.target = Target::pass});
    CHECK(rules[9] == LegacyRule{.target = Target::leave});
}

TEST_CASE_METHOD(NetnsFixture, "a legacy table that is changed all the time is read as it was at some time",
                 "[kernel][netlink][legacy]")
{
    if (!has_legacy_tables())
        return;
    run("iptables-legacy -P FORWARD DROP");
    // Two of the three are of one size, but have the policy at another place.
    const Child changer{::fork()};
    if (changer.id == 0) {
        ::setpgid(0, 0);
        ::execl("/bin/sh", "sh", "-c",
                "table() { printf '*filter\\n:INPUT ACCEPT\\n:FORWARD DROP\\n:OUTPUT ACCEPT\\n'; "
                "printf -- \"$1\"; echo COMMIT; }; "
                "while :; do table '-A FORWARD -j LOG\\n-A FORWARD -j LOG\\n'; table '-A OUTPUT -j LOG\\n-A "
                "OUTPUT -j LOG\\n'; "
                "table ''; done | iptables-legacy-restore",
                nullptr);
        ::_exit(127);
    }
    ::setpgid(changer.id, changer.id);
    std::set<std::size_t> seen;
    for (int i = 0; i < 20'000; ++i) {
        const LegacyTable table = only_table(IpFamily::v4);
        REQUIRE(table.drops);
        seen.insert(table.chains.at(table.forward).rules.size());
    }
    CHECK(seen == std::set<std::size_t>{0, 2});
}
