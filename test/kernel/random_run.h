#pragma once
// A machine's network, its agent and the nodes that it is told of, and random things that happen to them:
// what test/kernel/random_routes runs.
#include "controller/kernel.h"
#include "controller/plan.h"
#include "test/kernel/network_by_hand.h"
#include "test/kernel/route_keeper.h"
#include "test/kernel/route_oracle.h"
#include "test/kernel/unreliable_kernel.h"
#include "test/support/catch.h"
#include "test/support/chance.h"
#include "test/support/netns_fixture.h"

#include <chrono>
#include <cstdint>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace routelet::test::random_run {

using namespace std::chrono_literals;
using Clock = controller::Cause::Clock;

inline const controller::RouteIdentity ours;
inline const std::string self = "node01";
inline const std::string pod_bridge = "v-net-0";

bool is_guard_type(const netlink::Route& route);
// nullopt for what no plan contains: several next hops, a blackhole, no gateway.
std::optional<WantedWay> way_of(const netlink::Route& route);
const netlink::Route* find_route(const std::vector<netlink::Route>& routes, const IpPrefix& destination);

// "More than half of the routes, and more than three, would be removed at once": then removals wait.
class Brake {
public:
    explicit Brake(std::chrono::seconds grace) : grace_(grace) {}

    // A reconciliation begins, with these routes there and those wanted.
    void see(const std::vector<netlink::Route>& own, const WantedWays& wanted)
    {
        std::size_t routes = 0;
        std::size_t unwanted = 0;
        std::set<IpPrefix> seen;
        for (const netlink::Route& route : own) {
            if (!seen.insert(route.destination).second || is_guard_type(route))
                continue;
            ++routes;
            unwanted += wanted.contains(route.destination) ? 0 : 1;
        }
        const bool is_mass = unwanted > 3 && (since_ || unwanted * 2 > routes);
        if (!is_mass) {
            since_.reset();
            return;
        }
        is_new_ = !since_;
        if (is_new_)
            since_ = Clock::now();
        // The moment itself is nothing to argue about.
        const auto left = *since_ + grace_ - Clock::now();
        if (left > 0s && left < 300ms)
            std::this_thread::sleep_for(left + 1ms);
        if (*since_ + grace_ <= Clock::now())
            since_.reset();
    }
    // The reconciliation is over: the agent counts from a moment before.
    void note_end()
    {
        if (since_ && std::exchange(is_new_, false))
            since_ = Clock::now();
    }
    bool holds() const noexcept { return since_.has_value(); }
    void wait() const
    {
        if (since_)
            std::this_thread::sleep_until(*since_ + grace_ + 1ms);
    }

private:
    std::chrono::seconds grace_;
    std::optional<Clock::time_point> since_;
    bool is_new_ = false;
};

// What differs from run to run.
struct Character {
    std::chrono::seconds grace;
    bool has_troubled_kernel; // a brake would depend on what the agent happened to see
    bool loses_notifications;
    bool keeps_addresses_on_down;
    std::vector<IpPrefix> cluster_cidrs;
    std::vector<IpPrefix> service_cidrs;

    static Character of(std::uint64_t seed)
    {
        const bool declared = seed % 3 == 0;
        const std::vector<std::chrono::seconds> graces = {0s, 3600s, 1s, 0s};
        return {.grace = graces[seed % 4],
                .has_troubled_kernel = seed % 4 == 0,
                .loses_notifications = seed % 2 == 1,
                .keeps_addresses_on_down = seed % 5 < 2,
                .cluster_cidrs = declared ? std::vector{"10.244.0.0/16"_net, "fd00:10:244::/48"_net}
                                          : std::vector<IpPrefix>{},
                .service_cidrs = declared ? std::vector{"10.244.192.0/20"_net} : std::vector<IpPrefix>{}};
    }
    controller::PlanOptions plan_options() const
    {
        return {.node_name = self, .cluster_cidrs = cluster_cidrs, .service_cidrs = service_cidrs};
    }
};

class RandomRun : NetnsFixture {
public:
    explicit RandomRun(std::uint64_t seed)
        : seed_(seed), chance_(seed), character_(Character::of(seed)), brake_(character_.grace),
          real_kernel_(need(controller::NetlinkKernel::open())), kernel_(real_kernel_, chance_),
          recorder_(need(netlink::Monitor::open()))
    {
        if (character_.keeps_addresses_on_down)
            std::ofstream("/proc/sys/net/ipv6/conf/all/keep_addr_on_down") << 1;
        kernel_.meanwhile = [this] {
            note("  meanwhile: " + disturb_routes(Where::anywhere_but_in_our_place));
            base_ = Machine::look(hand_.socket());
        };
        mend();
        start_agent();
    }

    void go(std::uint64_t steps)
    {
        for (step_ = 1; step_ <= steps; ++step_) {
            for (int i = chance_.one_of({1, 1, 1, 2, 3, 5}); i > 0; --i)
                note(take_a_step());
            settle();
            if (chance_.one_in(3))
                check_that_nothing_is_left_to_do();
        }
        compare_with_ip();
    }

    std::size_t overruns() const noexcept { return overruns_ + keeper_->overruns(); }
    std::size_t holds() const noexcept { return holds_; }
    std::size_t restarts() const noexcept { return restarts_; }
    std::size_t most_routes() const noexcept { return most_routes_; }
    std::size_t route_events() const noexcept { return route_events_; }

private:
    enum class Where { anywhere, anywhere_but_in_our_place };

    // ---- what happens
    std::string take_a_step();
    std::string change_nodes();
    std::string change_agent();
    std::string disturb_routes(Where where);
    std::string disturb_links();
    std::string mend();

    k8s::Node some_node(int number);
    std::string lie(k8s::Node& node);
    std::uint32_t some_metric(const IpPrefix& destination);
    netlink::Route some_route(const IpPrefix& destination);
    IpPrefix some_destination();
    IpAddress some_gateway(IpFamily family);

    // ---- the API server
    void tell(const k8s::Node& node);
    void tell_all(const std::map<std::string, k8s::Node>& nodes);

    // ---- the agent
    void start_agent();
    void set_receive_buffer(int bytes);

    // ---- what must hold
    void settle();
    bool reconcile(std::string_view cause);
    void overcome_trouble();
    void check_that_nothing_is_left_to_do();
    void compare_with_ip();
    WantedWays expected(const Machine& now, std::set<IpPrefix>& prevented) const;
    std::string wrong_now(const Machine& now) const;
    std::string wrong_on_the_way(const WantedWays& wanted);
    void skip_recorded();
    void note(const std::string& what);
    std::string story() const;

    std::uint64_t seed_;
    Chance chance_;
    Character character_;
    std::uint64_t step_ = 0;
    std::vector<std::string> done_;

    NetworkByHand hand_;
    std::map<std::string, k8s::Node> cluster_; // the truth
    std::map<std::string, k8s::Node> told_;    // what the agent was told
    int nodes_made_ = 0;

    Brake brake_;
    controller::NetlinkKernel real_kernel_;
    UnreliableKernel kernel_;
    std::optional<RouteKeeper> keeper_;
    netlink::Monitor recorder_; // sees everything

    bool is_listed_ = false;
    bool is_due_ = false;                    // a change of nodes that has not been acted on
    std::optional<bool> last_reconciled_ok_; // in this settling
    Machine base_;                           // before the agent acts
    std::size_t overruns_ = 0, holds_ = 0, restarts_ = 0, most_routes_ = 0, route_events_ = 0;
};

} // namespace routelet::test::random_run
