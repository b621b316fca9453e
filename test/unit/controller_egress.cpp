#include "controller/egress.h"
#include "test/support/catch.h"
#include "test/support/nodes.h"

using namespace routelet;
using namespace routelet::controller;
using namespace routelet::test;
using std::chrono::milliseconds;
using std::chrono::seconds;
namespace errc = boost::system::errc;

namespace {

Verdict verdict(const std::string& node, const std::string& pods, NodeState state)
{
    return {.node = node, .destination = pods, .state = state, .reason = Reason::none, .detail = ""};
}

PlannedRoute route(const IpPrefix& pods, const IpAddress& gateway)
{
    return {.destination = pods, .gateway = gateway, .link = netlink::IfIndex{2}, .node = named("some")};
}

// node01 with two families, and node02 that it routes to.
const Plan plan = {.routes = {route("10.244.2.0/24"_net, "192.168.1.12"_ip),
                              route("fd00:10:244:2::/64"_net, "fd00:1::12"_ip)},
                   .own_pod_cidrs = {"10.244.1.0/24"_net, "fd00:10:244:1::/64"_net},
                   .verdicts = {verdict("node01", "10.244.1.0/24", NodeState::self),
                                verdict("node01", "fd00:10:244:1::/64", NodeState::self)}};

using Ranges = std::vector<IpRange>;

bool is_exempt(const EgressSets& sets, const IpAddress& address)
{
    return std::ranges::any_of(sets.exempt, [&](const IpRange& range) {
        return range.first.family() == address.family() && range.first <= address && address <= range.last;
    });
}

} // namespace

TEST_CASE("own pods are the sources; pods, next hops and multicast are exempt", "[egress]")
{
    const auto sets = plan_egress(plan, {}, {});

    REQUIRE(sets.has_value());
    CHECK(sets->pods == merged({"10.244.1.0/24"_net, "fd00:10:244:1::/64"_net}));
    CHECK(sets->exempt ==
          merged({"10.244.1.0/24"_net, "10.244.2.0/24"_net, "192.168.1.12/32"_net, "224.0.0.0/4"_net,
                  "fd00:10:244:1::/64"_net, "fd00:10:244:2::/64"_net, "fd00:1::12/128"_net, "ff00::/8"_net}));
}

TEST_CASE("there is nothing to write before the own podCIDR is known", "[egress]")
{
    CHECK(plan_egress({}, {}, {}) == std::nullopt);
    Plan others = plan;
    others.own_pod_cidrs.clear();
    CHECK(plan_egress(others, {}, {}) == std::nullopt);
}

TEST_CASE("cluster CIDRs and what the operator named are exempt", "[egress]")
{
    const EgressOptions options = {.masquerade = true,
                                   .cluster_cidrs = {"10.244.0.0/16"_net},
                                   .exempt = {"100.64.0.0/10"_net, "240.0.0.0/4"_net}};
    const auto sets = plan_egress(plan, {}, options);

    REQUIRE(sets.has_value());
    CHECK(is_exempt(*sets, "10.244.200.1"_ip));
    CHECK(is_exempt(*sets, "100.127.255.255"_ip));
    CHECK(is_exempt(*sets, "255.255.255.255"_ip));
    CHECK_FALSE(is_exempt(*sets, "100.128.0.0"_ip));
}

TEST_CASE("a Node that is refused or pending has nothing exempt, whatever it claims", "[egress]")
{
    const auto without = plan_egress(plan, {}, {});
    Plan hostile = plan;
    hostile.verdicts.push_back(verdict("node66", "0.0.0.0/0", NodeState::refused));
    hostile.verdicts.push_back(verdict("node67", "8.8.8.0/24", NodeState::pending));

    CHECK(plan_egress(hostile, {}, {}) == without);
}

TEST_CASE("pods that are left to the gateway see our pods' addresses, their nodes do not",
          "[egress][off-link]")
{
    Plan far = plan;
    far.gateway_pod_cidrs = {"10.244.7.0/24"_net, "fd00:10:244:7::/64"_net};
    Verdict left = verdict("node07", "10.244.7.0/24", NodeState::gateway);
    left.detail = "192.168.2.17 is on no network of this machine";
    far.verdicts.push_back(left);

    const auto sets = plan_egress(far, {}, {});

    REQUIRE(sets.has_value());
    CHECK(is_exempt(*sets, "10.244.7.2"_ip));
    CHECK(is_exempt(*sets, "fd00:10:244:7::2"_ip));
    CHECK_FALSE(is_exempt(*sets, "192.168.2.17"_ip));
}

// The plan of an empty list has no routes, but those in the kernel still carry packets.
TEST_CASE("while a withdrawal waits, the routes that are still there stay exempt", "[egress]")
{
    Plan empty = plan;
    empty.routes.clear();
    const OwnRoute left{.way = {.gateway = "192.168.1.12"_ip, .link = netlink::IfIndex{2}}, .metric = 8468};

    const auto sets = plan_egress(empty, {{"10.244.2.0/24"_net, left}}, {});

    REQUIRE(sets.has_value());
    CHECK(is_exempt(*sets, "10.244.2.9"_ip));
    CHECK(is_exempt(*sets, "192.168.1.12"_ip));
    CHECK_FALSE(is_exempt(*sets, "fd00:1::12"_ip));
}

namespace {

const EgressSets three_nodes = {.pods = merged({"10.244.1.0/24"_net}),
                                .exempt = merged({"10.244.0.0/22"_net})};
const EgressSets four_nodes = {.pods = merged({"10.244.1.0/24"_net}),
                               .exempt = merged({"10.244.0.0/21"_net})};

// The kernel as a recorder.
class RecordedTable : public MasqueradeTable {
public:
    std::optional<EgressSets> held;
    std::optional<Error> refusal; // of everything
    std::vector<std::string> calls;

    Result<std::string> difference(const EgressSets& sets) override
    {
        calls.emplace_back("read");
        if (refusal)
            return *refusal;
        return std::string(held == sets ? "" : "something is different");
    }
    Result<> write(const EgressSets& sets) override
    {
        calls.emplace_back("write");
        if (refusal)
            return *refusal;
        held = sets;
        return {};
    }
    Result<std::size_t> change(const EgressSets& from, const EgressSets& to) override
    {
        calls.emplace_back("change");
        if (refusal)
            return *refusal;
        if (held != from)
            return make_error(errc::no_such_file_or_directory, "removing elements");
        held = to;
        return std::size_t{1};
    }
    Result<bool> remove() override
    {
        calls.emplace_back("remove");
        if (refusal)
            return *refusal;
        return std::exchange(held, std::nullopt).has_value();
    }
};

struct Fixture {
    RecordedTable table;
    std::vector<std::string> lines;
    Log log{LogFormat::text, LogLevel::debug, [this](const std::string& line) {
                lines.push_back(line);
                return true;
            }};
    Egress egress{table, log, true};
    Egress::Clock::time_point now = Egress::Clock::now();

    std::vector<std::string> act()
    {
        table.calls.clear();
        egress.act({"kernel", Egress::Clock::now()}, now);
        return table.calls;
    }
    // As the timer does: when it is due.
    std::vector<std::string> act_when_due()
    {
        REQUIRE(egress.due().has_value());
        now = *egress.due();
        return act();
    }
    // Somebody takes it all away.
    std::vector<std::string> flush()
    {
        table.held.reset();
        egress.doubt("nft (pid 4711)");
        return act();
    }
    std::vector<std::string> codes() const
    {
        std::vector<std::string> codes;
        for (const Finding& finding : egress.findings())
            codes.push_back(finding.code);
        return codes;
    }
    std::size_t logged(const std::string& event) const
    {
        return static_cast<std::size_t>(std::ranges::count_if(lines, [&](const std::string& line) {
            return line.find(" event=" + event + " ") != std::string::npos;
        }));
    }
};

using Calls = std::vector<std::string>;
using Codes = std::vector<std::string>;

} // namespace

TEST_CASE_METHOD(Fixture, "nothing is read or written before it is known what to write", "[egress]")
{
    egress.want(std::nullopt);
    egress.doubt();
    CHECK(act().empty());
    CHECK_FALSE(egress.due().has_value());
}

TEST_CASE_METHOD(Fixture,
                 "a table that an earlier run left is kept when it fits, and written anew when it does not",
                 "[egress]")
{
    SECTION("it fits")
    {
        table.held = three_nodes;
        egress.want(three_nodes);
        CHECK(act() == Calls{"read"});
        CHECK_THAT(lines.back(), has_text("masquerade-ready") && has_text("kept=true"));
    }
    SECTION("it does not")
    {
        table.held = four_nodes;
        egress.want(three_nodes);
        CHECK(act() == Calls{"read", "write"});
        CHECK_THAT(lines.back(), has_text("masquerade-ready") && has_text("kept=false"));
    }
    CHECK(table.held == three_nodes);
    CHECK(act().empty());
}

TEST_CASE_METHOD(Fixture, "what nodes change is changed, not written anew; while it is not known, it stays",
                 "[egress]")
{
    egress.want(three_nodes);
    act();

    egress.want(four_nodes);
    CHECK(act() == Calls{"change"});
    egress.want(std::nullopt); // this machine's Node is away for a moment
    CHECK(act().empty());
    CHECK(table.held == four_nodes);
    CHECK(logged("masquerade-updated") == 1);
}

TEST_CASE_METHOD(Fixture, "what somebody else changed is written anew at once, and told with who it was",
                 "[egress]")
{
    egress.want(three_nodes);
    act();

    CHECK(flush() == Calls{"read", "write"});
    CHECK(table.held == three_nodes);
    CHECK_THAT(lines.back(), has_text("event=masquerade-restored") && has_text("by=\"nft (pid 4711)\"") &&
                                 has_text("found=\"something is different\""));
}

TEST_CASE_METHOD(Fixture, "a doubt without a reason costs a reading, no writing, no line", "[egress]")
{
    egress.want(three_nodes);
    act();
    const auto lines_before = lines.size();

    egress.doubt();
    CHECK(act() == Calls{"read"});
    CHECK(lines.size() == lines_before);
}

TEST_CASE_METHOD(Fixture, "nodes and somebody else may change it at the same time", "[egress]")
{
    egress.want(three_nodes);
    act();

    SECTION("and what somebody else did is undone by itself")
    {
        egress.want(four_nodes);
        egress.doubt();
        CHECK(act() == Calls{"read", "change"});
    }
    SECTION("and it is gone when that is noticed")
    {
        egress.want(four_nodes);
        CHECK(flush() == Calls{"read", "write"});
    }
    SECTION("and it is gone before that is noticed")
    {
        table.held.reset();
        egress.want(four_nodes);
        CHECK(act() == Calls{"change", "write"});
    }
    CHECK(table.held == four_nodes);
}

TEST_CASE_METHOD(Fixture, "somebody who fights is given way to, longer and longer, until it is quiet",
                 "[egress]")
{
    egress.want(three_nodes);
    act();
    for (int i = 0; i < 4; ++i)
        CHECK(flush() == Calls{"read", "write"}); // the first ones at once
    CHECK(codes() == Codes{"masquerade-fight"});

    std::vector<seconds> pauses;
    for (int i = 0; i < 7; ++i) {
        const auto flushed = now;
        CHECK(flush().empty());
        CHECK(act_when_due() == Calls{"read", "write"});
        pauses.push_back(std::chrono::duration_cast<seconds>(now - flushed));
    }
    CHECK(pauses == std::vector<seconds>{seconds(1), seconds(2), seconds(4), seconds(8), seconds(16),
                                         seconds(30), seconds(30)});
    CHECK(logged("masquerade-fight") == 1);

    const auto last = now;
    CHECK(act_when_due().empty());
    CHECK(now - last == seconds(60));
    CHECK(codes().empty());
    CHECK(logged("masquerade-recovered") == 1);
    CHECK(flush() == Calls{"read", "write"}); // at once again
}

TEST_CASE_METHOD(Fixture, "restorations that are far apart are no fight", "[egress]")
{
    egress.want(three_nodes);
    act();
    for (int i = 0; i < 10; ++i) {
        CHECK(flush() == Calls{"read", "write"});
        now += seconds(61);
    }
    CHECK(codes().empty());
}

TEST_CASE_METHOD(Fixture, "lost notifications cost one reading a second at most", "[egress]")
{
    egress.want(three_nodes);
    act();
    now += milliseconds(100);
    egress.doubt_after_loss();
    CHECK(act().empty());
    egress.doubt_after_loss();
    CHECK(act_when_due() == Calls{"read"});
    CHECK(act().empty());
    now += seconds(2);
    egress.doubt_after_loss();
    CHECK(act() == Calls{"read"});
}

TEST_CASE_METHOD(Fixture, "a failure is a finding, told once, tried again, and told when it is over",
                 "[egress]")
{
    const auto [code, finding] = GENERATE(Catch::Generators::table<errc::errc_t, std::string>(
        {{errc::protocol_not_supported, "masquerade-unavailable"},
         {errc::operation_not_supported, "masquerade-unavailable"},
         {errc::operation_not_permitted, "masquerade-failed"}}));
    table.refusal = make_error(code, "reading");
    egress.want(three_nodes);

    act();
    CHECK(codes() == Codes{finding});
    CHECK_FALSE(egress.findings().front().remedy.empty());
    std::vector<seconds> pauses;
    for (int i = 0; i < 8; ++i) {
        const auto before = now;
        CHECK(act().empty()); // too early
        act_when_due();
        pauses.push_back(std::chrono::duration_cast<seconds>(now - before));
    }
    CHECK(pauses == std::vector<seconds>{seconds(1), seconds(2), seconds(4), seconds(8), seconds(16),
                                         seconds(32), seconds(60), seconds(60)});
    CHECK(logged(finding) == 1);

    table.refusal.reset();
    act_when_due();
    CHECK(codes().empty());
    CHECK(table.held == three_nodes);
    CHECK(logged("masquerade-recovered") == 1);
    CHECK_FALSE(egress.due().has_value());
}

TEST_CASE("a module that is missing shows when the table is written", "[egress]")
{
    struct NoMasq : Fixture {
        struct Table : RecordedTable {
            Result<> write(const EgressSets&) override
            {
                return make_error(errc::no_such_file_or_directory, "adding a rule");
            }
        } without_masq;
        Egress egress{without_masq, log, true};
    } fixture;
    fixture.egress.want(three_nodes);
    fixture.egress.act({"start", fixture.now}, fixture.now);

    REQUIRE(fixture.egress.findings().size() == 1);
    CHECK(fixture.egress.findings().front().code == "masquerade-unavailable");
}

TEST_CASE_METHOD(Fixture, "without masquerade an earlier run's table is removed, and that is all", "[egress]")
{
    Egress off(table, log, false);
    const auto act_off = [&] {
        table.calls.clear();
        off.act({"start", now}, now);
        return table.calls;
    };
    table.held = three_nodes;

    SECTION("it is there")
    {
        CHECK(act_off() == Calls{"remove"});
        CHECK_FALSE(table.held.has_value());
        CHECK(logged("masquerade-removed") == 1);
    }
    SECTION("there is none")
    {
        table.held.reset();
        CHECK(act_off() == Calls{"remove"});
        CHECK(lines.empty());
    }
    SECTION("it cannot be removed at first")
    {
        table.refusal = make_error(errc::operation_not_permitted, "removing");
        CHECK(act_off() == Calls{"remove"});
        CHECK(off.findings().front().code == "masquerade-failed");
        table.refusal.reset();
        now = off.due().value();
        CHECK(act_off() == Calls{"remove"});
        CHECK(off.findings().empty());
    }
    off.want(three_nodes);
    off.doubt();
    CHECK(act_off().empty());
    CHECK_FALSE(off.due().has_value());
}
