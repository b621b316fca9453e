// What must hold in a random run after each step.
#include "test/kernel/random_run.h"

#include <algorithm>
#include <sstream>
#include <utility>

namespace routelet::test::random_run {
using namespace routelet::controller;
using netlink::IfIndex;
using netlink::Route;
using netlink::RouteProtocol;

namespace {

bool has_metric_of_ours(const std::string& line)
{
    const std::string_view mark = " metric ";
    const auto place = line.find(mark);
    return place != std::string::npos &&
           ours.has(static_cast<std::uint32_t>(std::stoul(line.substr(place + mark.size()))));
}

} // namespace

bool RandomRun::reconcile(std::string_view cause)
{
    if (is_listed_) {
        const bool held = brake_.holds();
        const Machine now = Machine::look(hand_.socket());
        brake_.see(now.own, wanted_routes(told_, now, character_.plan_options(), pod_bridge));
        holds_ += !held && brake_.holds() ? 1 : 0;
    }
    is_due_ = false;
    const bool ok = keeper_->reconcile(cause);
    brake_.note_end();
    last_reconciled_ok_ = ok;
    return ok;
}

// Our routes as they should be now. `prevented`: those that are missing because somebody else's is in their
// place.
WantedWays RandomRun::expected(const Machine& now, std::set<IpPrefix>& prevented) const
{
    WantedWays ways;
    const WantedWays wanted = wanted_routes(told_, now, character_.plan_options(), pod_bridge);
    for (const auto& [destination, way] : wanted) {
        const auto is_taken = [&](std::uint32_t metric) {
            return std::ranges::any_of(now.foreign, [&](const Route& route) {
                return route.destination == destination && route.metric == metric;
            });
        };
        const Route* before = find_route(base_.own, destination);
        const bool stays_or_is_replaced =
            before != nullptr && (way_of(*before) == way || !is_taken(before->metric));
        if (!stays_or_is_replaced && is_taken(ours.metric_of(way.gateway)))
            prevented.insert(destination);
        else
            ways.emplace(destination, way);
    }
    if (brake_.holds())
        for (const Route& route : base_.own)
            if (!wanted.contains(route.destination) && find_route(base_.own, route.destination) == &route)
                if (const auto way = way_of(route)) // of several the first is held
                    ways.emplace(route.destination, *way);
    return ways;
}

// Empty when all is as it should be.
std::string RandomRun::wrong_now(const Machine& now) const
{
    std::ostringstream wrong;
    if (!is_listed_) {
        if (now.own != base_.own)
            wrong << "routes were changed before the first list\n";
        return wrong.str();
    }
    std::set<IpPrefix> prevented;
    WantedWays missing = expected(now, prevented);
    const std::size_t count = missing.size();
    for (const Route& route : now.own) {
        const auto found = missing.find(route.destination);
        const auto way = way_of(route);
        const bool is_kept = brake_.holds() && std::ranges::find(base_.own, route) != base_.own.end();
        if (found != missing.end() && way && found->second == *way)
            missing.erase(found);
        else if (!is_kept)
            wrong << "must not be there: " << route << " dev " << netlink::to_int(route.oif) << '\n';
    }
    for (const auto& [destination, way] : missing)
        wrong << "missing: " << destination << ' ' << way << '\n';
    if (now.foreign != base_.foreign) {
        wrong << "somebody else's routes were changed; now they are\n";
        for (const Route& route : now.foreign)
            wrong << "  " << route << '\n';
    }

    std::set<IpPrefix> failed;
    for (const auto& [destination, error] : keeper_->reconciler().failures())
        failed.insert(destination);
    if (failed != prevented) {
        wrong << "failures of";
        for (const auto& destination : failed)
            wrong << ' ' << destination;
        wrong << ", where those prevented are";
        for (const auto& destination : prevented)
            wrong << ' ' << destination;
        wrong << '\n';
    }
    if (last_reconciled_ok_ && *last_reconciled_ok_ != (prevented.empty() && !brake_.holds()))
        wrong << "reconcile() said " << *last_reconciled_ok_ << " of " << count << " routes\n";
    return wrong.str();
}

void RandomRun::skip_recorded()
{
    while (!need(recorder_.read()).empty())
        continue;
}

// What the kernel announced since the agent began to act: of a route that was right nothing, and of one that
// stays no removal.
std::string RandomRun::wrong_on_the_way(const WantedWays& wanted)
{
    std::ostringstream wrong;
    std::set<IpPrefix> renewed;
    for (auto events = need(recorder_.read()); !events.empty(); events = need(recorder_.read()))
        for (const auto& event : events) {
            REQUIRE_FALSE(std::holds_alternative<netlink::Overrun>(event));
            const auto* change = std::get_if<netlink::RouteChanged>(&event);
            if (change == nullptr || !ours.owns(change->route))
                continue;
            ++route_events_;
            const auto stays = wanted.find(change->route.destination);
            const Route* before = find_route(base_.own, change->route.destination);
            if (stays == wanted.end() || before == nullptr)
                continue;
            const auto several = std::ranges::count(base_.own, before->destination, &Route::destination) > 1;
            const bool was_right = way_of(*before) == stays->second;
            if (several) {
                if (was_right && change->removed && way_of(change->route) == stays->second &&
                    change->route.metric == before->metric)
                    wrong << "removed though right: " << change->route << '\n';
            } else if (was_right) {
                wrong << "touched though right: " << change->route << '\n';
            } else if (!change->removed) {
                renewed.insert(change->route.destination);
            } else if (!renewed.contains(change->route.destination) ||
                       change->route.metric != before->metric) {
                wrong << "removed: " << change->route << '\n'; // before the right one was there
            }
        }
    return wrong.str();
}

// The agent's retries, and its full check: no notification tells what a dump has missed.
void RandomRun::overcome_trouble()
{
    const bool goes_on = std::exchange(kernel_.is_troubled, false);
    for (int i = 0; last_reconciled_ok_ == false && i < 3; ++i) {
        keeper_->drain();
        reconcile("retry");
    }
    keeper_->drain();
    keeper_->reconciler().distrust_mirror();
    reconcile("check");
    kernel_.is_troubled = goes_on;
}

// Lets the agent act on what it heard, and nothing else, until all is as it should be.
void RandomRun::settle()
{
    skip_recorded();
    base_ = Machine::look(hand_.socket());
    last_reconciled_ok_.reset();
    kernel_.had_trouble = false;
    const auto deadline = Clock::now() + 2s;
    Machine now;
    for (;;) {
        const bool matters = keeper_->drain();
        if (matters || is_due_)
            reconcile(is_due_ ? "node" : "kernel");
        if (kernel_.had_trouble)
            overcome_trouble();
        now = Machine::look(hand_.socket());
        const std::string wrong = wrong_now(now);
        if (wrong.empty() && !keeper_->drain())
            break;
        if (Clock::now() > deadline)
            FAIL(story() << "wrong:\n" << wrong);
        keeper_->await(5ms);
    }
    most_routes_ = std::max(most_routes_, now.own.size());
    std::set<IpPrefix> prevented;
    const std::string wrong =
        is_listed_ && !kernel_.had_trouble ? wrong_on_the_way(expected(now, prevented)) : "";
    if (!wrong.empty())
        FAIL(story() << "wrong on the way:\n" << wrong);
}

// A fresh dump tells the agent nothing that it has not heard.
void RandomRun::check_that_nothing_is_left_to_do()
{
    if (!is_listed_ || kernel_.is_troubled)
        return;
    skip_recorded();
    keeper_->drain();
    base_ = Machine::look(hand_.socket());
    reconcile("kernel");
    if (chance_.one_in(4)) {
        keeper_->reconciler().distrust_mirror();
        reconcile("check");
    }
    for (auto events = need(recorder_.read()); !events.empty(); events = need(recorder_.read()))
        for (const auto& event : events)
            if (const auto* change = std::get_if<netlink::RouteChanged>(&event))
                if (ours.owns(change->route))
                    FAIL(story() << "not at rest: " << change->route);
}

// ip(8) sees what our own decoder sees.
void RandomRun::compare_with_ip()
{
    std::istringstream lines(output("ip -4 route show; ip -6 route show"));
    std::multiset<std::string> shown;
    for (std::string line; std::getline(lines, line);)
        if (line.find(" proto 82 ") != std::string::npos && has_metric_of_ours(line))
            shown.insert(line.substr(0, line.find(" dev ")).substr(0, line.find(" proto ")));
    std::multiset<std::string> seen;
    for (const Route& route : Machine::look(hand_.socket()).own) {
        std::ostringstream text;
        if (route.is_multipath)
            text << route.destination << " proto "; // the next hops have lines of their own
        else
            text << route;
        seen.insert(text.str().substr(0, text.str().find(" proto ")));
    }
    CHECK(seen == shown);
}

} // namespace routelet::test::random_run
