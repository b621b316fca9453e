// When an address is given to somebody again.
#include "base/rfc3339.h"
#include "cni/error.h"
#include "cni/resting.h"
#include "test/unit/cni_ipam_store.h"

using namespace routelet;
using namespace routelet::cni;
using namespace routelet::test;

namespace {

using Time = RestingAddresses::Time;
using std::chrono::seconds;

std::string freed_line(const IpAddress& address, seconds ago)
{
    return to_rfc3339(std::chrono::system_clock::now() - ago) + " " + address.to_string() + "\n";
}

std::size_t lines_of(const std::string& text)
{
    return static_cast<std::size_t>(std::ranges::count(text, '\n'));
}

} // namespace

TEST_CASE("an address that was freed just now is given out when nothing else is free", "[cni][ipam]")
{
    const Store state;
    const RangeSet set = whole("10.244.1.0/29"_net); // .2 to .6
    state.give(pod(1), set);
    need(state.store.release(pod(1)));
    for (int i = 3; i <= 6; ++i) // the turn comes round to .2, which rests
        state.give(pod(i), set);
    state.put("last_reserved_ip.0", "10.244.1.6");
    need(state.store.release(pod(4)));
    need(state.store.release(pod(3)));

    CHECK(state.give(pod(7), set) == "10.244.1.2"_ip); // the one that was freed first
    CHECK(state.give(pod(8), set) == "10.244.1.4"_ip);
    CHECK(state.give(pod(9), set) == "10.244.1.3"_ip);
    CHECK(has_code(state.store.reserve(pod(10), {set}).error(), ErrorCode::addresses_exhausted));
}

TEST_CASE("a range begins and ends with the addresses that it names, and the turn goes on at its start",
          "[cni][ipam]")
{
    const Store state;
    const auto range = [](const IpPrefix& subnet, const IpAddress& first, const IpAddress& last) {
        return need(AddressRange::make(subnet, {.first = first, .last = last, .gateway = std::nullopt}));
    };
    const RangeSet set = need(RangeSet::make({range("10.1.0.0/24"_net, "10.1.0.10"_ip, "10.1.0.11"_ip),
                                              range("10.2.0.0/24"_net, "10.2.0.254"_ip, "10.2.0.255"_ip)}));
    std::vector<IpAddress> given;
    for (int i = 0; i < 3; ++i)
        given.push_back(state.give(pod(i), set));
    CHECK(given == std::vector<IpAddress>{"10.1.0.10"_ip, "10.1.0.11"_ip, "10.2.0.254"_ip});
    CHECK_FALSE(state.store.reserve(pod(3), {set}).has_value());
    need(state.store.release(pod(0)));
    CHECK(state.give(pod(3), set) == "10.1.0.10"_ip);
}

TEST_CASE("each set has a turn of its own, also two of a family", "[cni][ipam]")
{
    const Store state;
    const std::vector<RangeSet> sets = {whole("10.1.0.0/24"_net), whole("10.2.0.0/24"_net),
                                        whole("fd00::/64"_net)};
    need(state.store.reserve(pod(1), {sets[0]}));
    const auto given = need(state.store.reserve(pod(2), sets));
    REQUIRE(given.size() == 3);
    CHECK(given[0].address == "10.1.0.3"_ip);
    CHECK(given[1].address == "10.2.0.2"_ip);
    CHECK(given[2].address == "fd00::2"_ip);
    need(state.store.release(pod(2)));
    CHECK(state.files() == std::set<std::string>{"10.1.0.2"});
}

TEST_CASE("a freed address rests for as long as was asked", "[cni][ipam]")
{
    const Store state;
    const RangeSet set = whole("10.244.1.0/24"_net);
    const auto [ago, cooldown, next] = GENERATE(table<int, int, const char*>({
        {59, 60, "10.244.1.3"},
        {60, 60, "10.244.1.2"},
        {10, 5, "10.244.1.2"},
        {0, 0, "10.244.1.2"},    // not at all
        {-100, 60, "10.244.1.2"} // the clock was set back since
    }));
    CAPTURE(ago, cooldown);
    state.put("freed", freed_line("10.244.1.2"_ip, seconds(ago)));
    const auto given = need(state.store.reserve(pod(1), {set}, {.cooldown = seconds(cooldown)}));
    CHECK(given[0].address.to_string() == next);
}

TEST_CASE("an address that is asked for by name need not rest", "[cni][ipam]")
{
    const Store state;
    const RangeSet set = whole("10.244.1.0/24"_net);
    state.put("freed", freed_line("10.244.1.77"_ip, seconds(1)));
    CHECK(need(state.store.reserve(pod(1), {set}, {.wanted = {"10.244.1.77"_ip}}))[0].address ==
          "10.244.1.77"_ip);
}

TEST_CASE("who rests is written for people", "[cni][ipam]")
{
    const Store state;
    state.give(pod(1), whole("10.244.1.0/24"_net));
    const auto before = std::chrono::floor<seconds>(std::chrono::system_clock::now());
    need(state.store.release(pod(1)));
    const std::string text = need(read_file(state.folder / "freed"));
    CHECK_THAT(text, has_text("Z 10.244.1.2\n"));
    CHECK(parse_rfc3339(text.substr(0, text.find(' '))).value() >= before);
}

TEST_CASE("lines that are none are passed over", "[cni][ipam]")
{
    const Time now = *parse_rfc3339("2026-01-02T03:04:05Z");
    const auto resting = RestingAddresses::parse(
        "\n \nx\n2026-01-02T03:04:00Z\n2026-01-02T03:04:00Z x\n"
        "x 10.244.1.4\n2026-01-02T03:04:01Z 10.244.1.5\n"
        "2026-01-02T03:03:00Z 10.244.1.7\n0001-01-01T00:00:00Z 10.244.1.8\n2026-01-02T03:04:02Z fd00::6",
        seconds(60), now);
    CHECK(resting.place("10.244.1.5"_ip) < resting.place("fd00::6"_ip)); // the last without its end
    CHECK(resting.place("10.244.1.5"_ip).has_value());
    CHECK_FALSE(resting.place("10.244.1.4"_ip).has_value());
    CHECK_FALSE(resting.place("10.244.1.7"_ip).has_value());
    CHECK_FALSE(resting.place("10.244.1.8"_ip).has_value());
}

TEST_CASE("the list of freed addresses is cut when most have rested", "[cni][ipam]")
{
    const Store state;
    std::string lines;
    for (int i = 0; i < 1000; ++i)
        lines += freed_line("10.244.1.9"_ip, seconds(1000));
    for (int i = 0; i < 10; ++i)
        lines += freed_line("10.244.2.0"_ip.plus(static_cast<std::uint64_t>(i)), seconds(1));
    state.put("freed", lines);
    state.give(pod(1), whole("10.244.1.0/24"_net));
    CHECK(lines_of(need(read_file(state.folder / "freed"))) == 10);
}

TEST_CASE("an address is freed also where its rest cannot be written down", "[cni][ipam]")
{
    const Store state;
    const RangeSet set = whole("10.244.1.0/24"_net);
    state.give(pod(1), set);
    std::filesystem::create_directory(state.folder / "freed");
    need(state.store.release(pod(1)));
    CHECK(state.files().empty());
    CHECK(state.give(pod(2), set) == "10.244.1.3"_ip);
}
