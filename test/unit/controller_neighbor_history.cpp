#include "controller/neighbor_history.h"
#include "test/support/catch.h"

#include <linux/neighbour.h>

#include <string>
#include <vector>

using namespace routelet;
using namespace routelet::controller;
using namespace routelet::test;

namespace {

const netlink::IfIndex uplink{2};
const auto next_hop = "192.168.1.12"_ip;
const auto first = need(netlink::MacAddress::parse("0a:00:00:00:00:01"));
const auto second = need(netlink::MacAddress::parse("0a:00:00:00:00:02"));
constexpr NeighborHistory::Clock::time_point start{std::chrono::hours(1)};

netlink::NeighborChanged is_at(const netlink::MacAddress& mac, std::uint16_t state = NUD_REACHABLE)
{
    return {uplink, next_hop, {.state = state, .mac = mac}};
}

netlink::NeighborChanged fails(std::uint32_t port = 0)
{
    return {uplink, next_hop, {.state = NUD_FAILED}, port};
}

// "moved 0a:00:00:00:00:02 was 0a:00:00:00:00:01", or "nothing".
std::string text_of(const std::optional<NeighborNews>& news)
{
    if (!news)
        return "nothing";
    std::string text(to_string(news->what));
    if (news->mac)
        text += " " + news->mac->to_string();
    if (news->was)
        text += " was " + news->was->to_string();
    return news->untold == 0 ? text : text + " after " + std::to_string(news->untold);
}

} // namespace

TEST_CASE("of a neighbour only changes are told", "[neighbors]")
{
    struct Case {
        const char* what;
        std::vector<netlink::NeighborChanged> before;
        netlink::NeighborChanged now;
        std::string told;
    };
    const std::string one = first.to_string();
    const std::string two = second.to_string();
    const auto c = GENERATE_COPY(values<Case>({
        {"it answers for the first time", {}, is_at(first), "nothing"},
        {"it goes on answering", {is_at(first)}, is_at(first, NUD_STALE), "nothing"},
        {"nobody ever answered", {}, fails(), "silent"},
        {"it answers no more", {is_at(first)}, fails(), "silent " + one},
        {"it goes on not answering", {is_at(first), fails()}, fails(), "nothing"},
        {"it answers again", {is_at(first), fails(), fails()}, is_at(first), "answers " + one},
        {"it goes on answering after that", {fails(), is_at(first)}, is_at(first), "nothing"},
        {"another answers", {is_at(first)}, is_at(second), "moved " + two + " was " + one},
        {"it says itself that it moved",
         {is_at(first)},
         is_at(second, NUD_STALE),
         "moved " + two + " was " + one},
        {"somebody pins another",
         {is_at(first)},
         is_at(second, NUD_PERMANENT),
         "moved " + two + " was " + one},
        {"it was silent, and another answers",
         {is_at(first), fails()},
         is_at(second),
         "answers " + two + " was " + one},
        {"somebody removes it", {is_at(first)}, fails(4711), "removed " + one},
        {"it answers after that", {is_at(first), fails(4711)}, is_at(first), "nothing"},
        {"somebody removes a silent one", {fails()}, fails(4711), "nothing"},
        {"a link without MAC addresses", {}, {uplink, next_hop, {.state = NUD_REACHABLE}}, "nothing"},
    }));
    CAPTURE(c.what);
    NeighborHistory history;
    for (const auto& change : c.before)
        (void)history.note(change, start);
    CHECK(text_of(history.note(c.now, start)) == c.told);
}

TEST_CASE("neighbours are told apart by link and address", "[neighbors]")
{
    NeighborHistory history;
    (void)history.note(is_at(first), start);
    netlink::NeighborChanged other = is_at(second);
    other.link = netlink::IfIndex{3};
    CHECK(text_of(history.note(other, start)) == "nothing");
    other = is_at(second);
    other.address = "192.168.1.13"_ip;
    CHECK(text_of(history.note(other, start)) == "nothing");
    CHECK(history.size() == 3);

    history.forget_others([](netlink::IfIndex link, const IpAddress& address) {
        return link == uplink && address == next_hop;
    });
    CHECK(history.size() == 1);
    CHECK(text_of(history.note(is_at(second), start)) != "nothing");
}

TEST_CASE("a neighbour that changes all the time does not fill the history", "[neighbors]")
{
    NeighborHistory history;
    (void)history.note(is_at(first), start);
    std::size_t told = 0;
    for (int i = 0; i < 59; ++i)
        told += history.note(is_at(i % 2 == 0 ? second : first), start + std::chrono::seconds(i)) ? 1 : 0;
    CHECK(told == NeighborHistory::most_a_minute);
    const std::string after = " after " + std::to_string(59 - NeighborHistory::most_a_minute);
    CHECK(text_of(history.note(is_at(first), start + std::chrono::seconds(60))) ==
          "moved " + first.to_string() + " was " + second.to_string() + after);
    CHECK(text_of(history.note(is_at(second), start + std::chrono::seconds(61))) ==
          "moved " + second.to_string() + " was " + first.to_string());
}
