#include "controller/masquerade_table.h"
#include "netlink/nftables_monitor.h"
#include "test/support/catch.h"
#include "test/support/netns_fixture.h"

#include <sys/socket.h>

#include <chrono>

using namespace routelet;
using namespace routelet::controller;
using namespace routelet::netlink;
using namespace routelet::test;

namespace {

const EgressSets some_sets = {.pods = merged({"10.244.1.0/24"_net, "fd00:10:244:1::/64"_net}),
                              .exempt = merged({"10.244.0.0/16"_net, "192.168.1.12/32"_net, "224.0.0.0/4"_net,
                                                "fd00:10:244::/56"_net, "ff00::/8"_net})};

// What 5,000 nodes can be at worst: nothing adjacent to anything.
EgressSets scattered_nodes(std::size_t count)
{
    std::vector<IpPrefix> exempt = {"224.0.0.0/4"_net, "ff00::/8"_net};
    for (std::size_t i = 0; i < count; ++i) {
        exempt.push_back(IpPrefix::of("10.0.0.0"_ip.plus(i * 512), 24));
        exempt.push_back(IpPrefix::of("172.16.0.1"_ip.plus(i * 2), 32));
        exempt.push_back(IpPrefix::of("fd00::"_ip.plus(i * 131072), 112));
        exempt.push_back(IpPrefix::of("fd01::1"_ip.plus(i * 2), 128));
    }
    return {.pods = some_sets.pods, .exempt = merged(exempt)};
}

class EgressFixture : public NetnsFixture {
public:
    NftMasqueradeTable table;

    std::string listed() const { return output("nft list ruleset"); }
    std::string elements_of(const std::string& set) const
    {
        return output("nft -j list set inet routelet " + set +
                      " | jq --compact-output '.nftables[1].set.elem'");
    }
    std::string difference(const EgressSets& sets) { return need(table.difference(sets)); }
    NftMonitor monitor() { return need(NftMonitor::open(masquerade_table_name)); }
    NftNews news(NftMonitor& monitor) { return need(monitor.read(table.port().value_or(0))); }
};

} // namespace

TEST_CASE_METHOD(EgressFixture, "the table is what nft(8) shows of it", "[kernel][egress]")
{
    need(table.write(some_sets));

    CHECK(listed() == R"(table inet routelet {
	set pods4 {
		type ipv4_addr
		flags interval
		elements = { 10.244.1.0/24 }
	}

	set pods6 {
		type ipv6_addr
		flags interval
		elements = { fd00:10:244:1::/64 }
	}

	set exempt4 {
		type ipv4_addr
		flags interval
		elements = { 10.244.0.0/16, 192.168.1.12,
			     224.0.0.0/4 }
	}

	set exempt6 {
		type ipv6_addr
		flags interval
		elements = { fd00:10:244::/56,
			     ff00::/8 }
	}

	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		meta mark & 0x00004000 == 0x00004000 return
		ip saddr @pods4 ip daddr != @exempt4 masquerade fully-random
		ip6 saddr @pods6 ip6 daddr != @exempt6 masquerade fully-random
	}
}
)");
    CHECK(difference(some_sets).empty());
}

TEST_CASE_METHOD(EgressFixture,
                 "whatever somebody changes in the table is a difference, and writing mends it",
                 "[kernel][egress]")
{
    need(table.write(some_sets));
    const std::string before = listed();
    const auto [command, found] = GENERATE(Catch::Generators::table<std::string, std::string>({
        {"nft flush ruleset", "the table is missing"},
        {"nft delete table inet routelet", "the table is missing"},
        {"nft add table inet routelet '{ flags dormant; }'", "the table is dormant or has foreign flags"},
        {"nft flush chain inet routelet postrouting", "rule 1 of chain postrouting is missing"},
        {"nft add rule inet routelet postrouting accept", "rule 4 of chain postrouting is foreign"},
        {"nft insert rule inet routelet postrouting accept", "rule 1 of chain postrouting is different"},
        {"nft replace rule inet routelet postrouting handle $(nft -a list table inet routelet | sed -n "
         "'s/.*exempt4 masq.*handle //p') ip saddr @pods4 ip daddr != @exempt4 masquerade",
         "rule 2 of chain postrouting is different"},
        {"nft add chain inet routelet mine", "it has a foreign chain"},
        {"nft add chain inet routelet postrouting '{ policy drop; }'",
         "chain postrouting is missing or different"},
        {"nft add set inet routelet mine '{ type ipv4_addr; }'", "it has a foreign set"},
        {"nft add element inet routelet exempt4 '{ 8.8.8.0/24 }'",
         "set exempt4: 0 elements are missing, 2 are foreign"},
        {"nft delete element inet routelet exempt6 '{ ff00::/8 }'",
         "set exempt6: 1 elements are missing, 0 are foreign"},
        {"nft flush set inet routelet pods4", "set pods4: 2 elements are missing, 0 are foreign"},
    }));
    CAPTURE(command);
    run(command);

    CHECK(difference(some_sets) == found);
    need(table.write(some_sets));
    CHECK(difference(some_sets).empty());
    CHECK(listed() == before);
}

TEST_CASE_METHOD(EgressFixture, "a change touches the elements that differ and nothing else",
                 "[kernel][egress]")
{
    need(table.write(some_sets));
    EgressSets joined = some_sets;
    joined.exempt = merged({"10.244.0.0/16"_net, "192.168.1.12/32"_net, "192.168.1.13/32"_net,
                            "192.168.7.7/32"_net, "224.0.0.0/4"_net, "fd00:10:244::/56"_net, "ff00::/8"_net});
    const std::string rules = output("nft -a list chain inet routelet postrouting");

    CHECK(need(table.change(some_sets, joined)) == 3); // .12 gives way to .12-.13, and .7.7 is new
    CHECK(difference(joined).empty());
    CHECK(elements_of("exempt4") ==
          R"([{"prefix":{"addr":"10.244.0.0","len":16}},{"prefix":{"addr":"192.168.1.12","len":31}},)"
          R"("192.168.7.7",{"prefix":{"addr":"224.0.0.0","len":4}}])"
          "\n");
    CHECK(output("nft -a list chain inet routelet postrouting") == rules); // handles and all

    CHECK(need(table.change(joined, some_sets)) == 3);
    CHECK(difference(some_sets).empty());
}

TEST_CASE_METHOD(EgressFixture, "an interval may reach the top of the address space, and leave it again",
                 "[kernel][egress]")
{
    EgressSets top = some_sets;
    top.exempt = merged({"240.0.0.0/4"_net, "224.0.0.0/4"_net, "8000::/1"_net});
    EgressSets everything = some_sets;
    everything.exempt = merged({"0.0.0.0/0"_net, "::/0"_net});

    need(table.write(top));
    CHECK(difference(top).empty());
    CHECK(elements_of("exempt4") == "[{\"prefix\":{\"addr\":\"224.0.0.0\",\"len\":3}}]\n");
    for (const auto& [from, to] : {std::pair(top, some_sets), {some_sets, everything}, {everything, top}}) {
        need(table.change(from, to));
        CHECK(difference(to).empty());
    }
}

TEST_CASE_METHOD(EgressFixture, "a change that does not fit what is there is refused, and changes nothing",
                 "[kernel][egress]")
{
    need(table.write(some_sets));
    EgressSets other = some_sets;
    other.exempt = merged({"1.1.1.0/24"_net, "2.2.2.0/24"_net});

    const auto changed = table.change(other, {.pods = other.pods, .exempt = merged({"3.3.3.0/24"_net})});

    REQUIRE_FALSE(changed);
    CHECK(changed.error().code == boost::system::errc::no_such_file_or_directory);
    CHECK_THAT(changed.error().text(), has_text("removing elements of nftables set exempt4"));
    CHECK(difference(some_sets).empty());
}

TEST_CASE_METHOD(EgressFixture, "other people's tables are not touched, even when they have our name",
                 "[kernel][egress]")
{
    run("nft add table ip routelet && nft add chain ip routelet postrouting '{ type nat hook postrouting "
        "priority "
        "srcnat; }' && nft add rule ip routelet postrouting counter && nft add table inet routelet2");
    const std::string theirs = listed();

    need(table.write(some_sets));
    need(table.write(some_sets));
    CHECK(difference(some_sets).empty());
    CHECK(need(table.remove()));

    CHECK(listed() == theirs);
}

TEST_CASE_METHOD(EgressFixture, "removing tells whether there was a table", "[kernel][egress]")
{
    CHECK_FALSE(need(NftMasqueradeTable().remove()));
    need(table.write(some_sets));
    CHECK(need(NftMasqueradeTable().remove()));
    CHECK(listed().empty());
    CHECK_FALSE(need(NftMasqueradeTable().remove()));
}

TEST_CASE_METHOD(EgressFixture, "other people's changes are news, with their name; our own are not",
                 "[kernel][egress]")
{
    NftMonitor watching = monitor();
    need(table.write(some_sets));
    need(table.change(some_sets, {.pods = some_sets.pods, .exempt = {}}));
    CHECK_FALSE(news(watching).changed);

    run("nft add rule inet routelet postrouting counter");
    const NftNews added = news(watching);
    CHECK(added.changed);
    CHECK_THAT(added.by, has_text("nft (pid "));
    CHECK_FALSE(news(watching).changed);

    run("nft flush ruleset");
    CHECK(news(watching).changed);
}

TEST_CASE_METHOD(EgressFixture, "what happens in other tables is no news", "[kernel][egress]")
{
    need(table.write(some_sets));
    NftMonitor watching = monitor();

    run("nft add table inet routelet2 && nft add table ip routelet && nft add chain ip routelet postrouting "
        "&& "
        "nft add table inet route && nft add set inet route s '{ type ipv4_addr; }' && nft add element inet "
        "route s "
        "'{ 1.2.3.4 }' && nft delete table inet routelet2");

    CHECK_FALSE(news(watching).changed);
}

TEST_CASE_METHOD(EgressFixture, "a monitor that is not read in time says that it lost something, and goes on",
                 "[kernel][egress]")
{
    need(table.write(some_sets));
    NftMonitor watching = monitor();
    const int small = 65536; // bytes
    REQUIRE(::setsockopt(watching.fd(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small) == 0);

    NftMasqueradeTable somebody_else;
    need(somebody_else.write(scattered_nodes(2000)));
    CHECK(news(watching).overrun);

    need(somebody_else.write(some_sets));
    const NftNews later = news(watching);
    CHECK(later.changed);
    CHECK_FALSE(later.overrun);
}

TEST_CASE_METHOD(EgressFixture, "5,000 nodes of two families are written, compared and changed",
                 "[kernel][egress]")
{
    using Clock = std::chrono::steady_clock;
    const auto timed = [](const char* what, auto action) {
        const auto started = Clock::now();
        action();
        const std::chrono::duration<double, std::milli> took = Clock::now() - started;
        WARN(what << ": " << took.count() << " ms");
        return took;
    };
    const EgressSets all = scattered_nodes(5000);
    const EgressSets one_more = scattered_nodes(5001);

    timed("writing 20,000 intervals", [&] { need(table.write(all)); });
    timed("reading them back", [&] { CHECK(difference(all).empty()); });
    CHECK(timed("a node joins", [&] { CHECK(need(table.change(all, one_more)) == 4); }).count() < 1000);
    CHECK(difference(one_more).empty());
    timed("a node leaves", [&] { CHECK(need(table.change(one_more, all)) == 4); });
    timed("writing them over", [&] { need(table.write(all)); });
    CHECK(difference(all).empty());
}

TEST_CASE_METHOD(EgressFixture, "what is written for certain rules is not written to others",
                 "[kernel][egress]")
{
    Socket netfilter = need(Socket::open_netfilter());
    const NftTable bridged{
        .name = "t", .family = NftFamily::bridge, .chains = {{.name = "c", .type = "", .rules = {}}}};
    const std::uint32_t before = need(rules_generation(netfilter));
    run("nft add table inet other");
    const std::uint32_t now = need(rules_generation(netfilter));
    CHECK(now != before);

    const auto late = netfilter.execute_atomically(replace_table(bridged), before);
    REQUIRE_FALSE(late.has_value());
    CHECK(late.error().code == boost::system::errc::resource_unavailable_try_again);
    CHECK_FALSE(need(has_table(netfilter, bridged.id())));

    need(netfilter.execute_atomically(replace_table(bridged), now));
    CHECK(need(difference_of_table(netfilter, bridged)) == "");
    CHECK_FALSE(need(has_table(netfilter, "t"))); // of family inet
    CHECK_THAT(output("nft list tables"), has_text("table bridge t"));
    CHECK(need(rules_generation(netfilter)) != now);
}
