#include "controller/address_hold.h"
#include "test/support/catch.h"
#include "test/unit/recorded_kernel.h"

#include <thread>

using namespace routelet;
using namespace routelet::controller;
using namespace routelet::test;
using namespace routelet::test::recorded;
using std::chrono::seconds;

namespace {

using Strings = std::vector<std::string>;

k8s::Node at(const std::string& number, const Strings& addresses)
{
    k8s::Node some = node(number);
    some.internal_ips = addresses;
    return some;
}

// What counted of node02 until now: its own address, in both families.
const NodeRef known = NodeClaim::of(at("2", {"192.168.1.12", "fd00::12"}));
const AddressHold::Clock::time_point start(seconds(1000));

struct HoldFixture {
    explicit HoldFixture(seconds time = seconds(60)) : hold(log, burst, time) {}

    Strings events;
    Log log{LogFormat::text, LogLevel::info, [this](const std::string& line) {
                const auto begin = line.find("event=");
                events.push_back(line.substr(begin, line.find(" detail=") - begin));
                return true;
            }};
    LogBurst burst{log};
    AddressHold hold;

    Strings admitted(const k8s::Node& node, AddressHold::Clock::time_point now = start)
    {
        return hold.admit(node, known, now).value_or(node).internal_ips;
    }
};

} // namespace

TEST_CASE("another address of a known node waits, and the one before counts", "[address-hold]")
{
    struct Row {
        std::string what;
        Strings says;
        Strings counts;
    };
    const auto row = GENERATE(values<Row>({
        {"the same", {"192.168.1.12", "fd00::12"}, {"192.168.1.12", "fd00::12"}},
        {"another IPv4 address", {"192.168.1.99", "fd00::12"}, {"192.168.1.12", "fd00::12"}},
        {"another IPv6 address", {"192.168.1.12", "fd00::99"}, {"192.168.1.12", "fd00::12"}},
        {"another order of the families", {"fd00::12", "192.168.1.12"}, {"fd00::12", "192.168.1.12"}},
        {"one more, behind it", {"192.168.1.12", "192.168.1.99"}, {"192.168.1.12", "192.168.1.99"}},
        {"one more, in front", {"192.168.1.99", "192.168.1.12"}, {"192.168.1.12", "fd00::12"}},
        {"none any more", {}, {}},
    }));
    CAPTURE(row.what);
    HoldFixture f;
    CHECK(f.admitted(at("2", row.says)) == row.counts);
    CHECK(f.hold.due().has_value() == (row.counts != row.says));
}

TEST_CASE("without a time to wait, another address counts at once", "[address-hold]")
{
    HoldFixture f(seconds(0));
    CHECK(f.admitted(at("2", {"192.168.1.99"})) == Strings{"192.168.1.99"});
    CHECK(f.hold.due() == std::nullopt);
}

TEST_CASE("an address has waited once its time is over since it was first said", "[address-hold]")
{
    HoldFixture f;
    const k8s::Node moved = at("2", {"192.168.1.99"});
    (void)f.admitted(moved);
    k8s::Node later = moved;
    later.pod_cidrs = {"10.244.77.0/24"};
    CHECK(f.hold.admit(later, known, start + seconds(50))->pod_cidrs == later.pod_cidrs); // all else counts

    CHECK(f.events == Strings{"event=node-address-held node=node02 address=192.168.1.99 "
                              "counts=192.168.1.12 hold_s=60"});
    CHECK(f.hold.due() == start + seconds(60));
    CHECK(f.hold.take_due(start + seconds(59)).empty());
    CHECK(f.hold.take_due(start + seconds(60)) == std::vector{later});
    CHECK(f.hold.due() == std::nullopt);
}

TEST_CASE("each other address waits its own time", "[address-hold]")
{
    HoldFixture f;
    (void)f.admitted(at("2", {"192.168.1.98"}));
    (void)f.admitted(at("2", {"192.168.1.99"}), start + seconds(50));
    CHECK(f.events.size() == 2);
    CHECK(f.hold.due() == start + seconds(110));
}

TEST_CASE("a node that says its address again has nothing to wait for", "[address-hold]")
{
    HoldFixture f;
    (void)f.admitted(at("2", {"192.168.1.99"}));
    CHECK(f.admitted(at("2", {"192.168.1.12"})) == Strings{"192.168.1.12"});
    CHECK(f.events.back() == "event=node-address-back node=node02 not=192.168.1.99");
    CHECK(f.hold.due() == std::nullopt);
}

TEST_CASE("a node that was made anew has its new address at once", "[address-hold]")
{
    HoldFixture f;
    (void)f.admitted(at("2", {"192.168.1.99"}));

    SECTION("under the same name")
    {
        k8s::Node anew = at("2", {"192.168.1.98"});
        anew.created = "2026-02-02T00:00:00Z";
        CHECK(f.admitted(anew) == Strings{"192.168.1.98"});
    }
    SECTION("after it was gone")
    {
        CHECK_FALSE(f.hold.admit(at("2", {"192.168.1.98"}), nullptr, start));
    }
    SECTION("after its deletion was told")
    {
        f.hold.forget("node02");
    }
    CHECK(f.hold.due() == std::nullopt); // what the node before said does not count any more
}

TEST_CASE("a route follows a node's new address after the time that it has to wait",
          "[reconcile][address-hold]")
{
    Reconciler::Options options;
    options.address_hold = seconds(1);
    Fixture f(options);
    replace_nodes(f.reconciler, {node("1"), node("2")});
    REQUIRE(f.reconcile("start"));
    const IpPrefix pods = "10.244.2.0/24"_net;
    const k8s::Node moved = at("2", {"192.168.1.99"});
    const auto until = [&] { return f.reconciler.due().value(); };

    SECTION("said by an event")
    {
        CHECK(f.reconciler.upsert_node(moved));
        CHECK(f.reconcile());
        CHECK(f.kernel.batches.size() == 1); // that of the start
        std::this_thread::sleep_until(until());
        CHECK(f.reconcile("retry"));
        CHECK(f.kernel.our_routes().at(pods) == "192.168.1.99"_ip);
        CHECK(f.reconciler.due() == std::nullopt);
    }
    SECTION("said by a list")
    {
        CHECK(replace_nodes(f.reconciler, {node("1"), moved}));
        CHECK(f.reconcile());
        CHECK(f.kernel.our_routes().at(pods) == "192.168.1.12"_ip);
        std::this_thread::sleep_until(until());
        CHECK(f.reconcile("retry"));
        CHECK(f.kernel.our_routes().at(pods) == "192.168.1.99"_ip);
    }
    SECTION("but not in the middle of a list, which began before")
    {
        CHECK(f.reconciler.upsert_node(moved));
        const auto due = until();
        f.reconciler.begin_nodes();
        f.reconciler.list_node(node("1"));
        f.reconciler.list_node(moved);
        CHECK(f.reconciler.due() == std::nullopt);
        std::this_thread::sleep_until(due);
        CHECK(f.reconcile("kernel"));
        CHECK(f.kernel.our_routes().at(pods) == "192.168.1.12"_ip);
        CHECK(f.reconciler.end_nodes());
        CHECK(f.reconcile("node"));
        CHECK(f.kernel.our_routes().at(pods) == "192.168.1.99"_ip);
    }
    SECTION("unless the node is gone by then")
    {
        CHECK(f.reconciler.upsert_node(moved));
        const auto due = until();
        CHECK(replace_nodes(f.reconciler, {node("1")}));
        std::this_thread::sleep_until(due);
        (void)f.reconcile("retry");
        CHECK_FALSE(f.kernel.our_routes().contains(pods));
    }
}
