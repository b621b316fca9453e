// The run itself: its agent, and its story when something is wrong.
#include "test/kernel/random_run.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <limits>
#include <sstream>

namespace routelet::test::random_run {
using namespace routelet::controller;
using netlink::IfIndex;
using netlink::Route;
using netlink::RouteProtocol;
namespace {

constexpr std::size_t lines_to_show = 60;

} // namespace

bool is_guard_type(const Route& route)
{
    return route.type == RTN_UNREACHABLE;
}

// nullopt for what no plan contains: several next hops, a blackhole, no gateway.
std::optional<WantedWay> way_of(const Route& route)
{
    if (is_guard_type(route))
        return WantedWay{};
    if (route.type != RTN_UNICAST || !route.gateway || route.is_multipath)
        return std::nullopt;
    return WantedWay{route.gateway, route.oif};
}

const Route* find_route(const std::vector<Route>& routes, const IpPrefix& destination)
{
    const auto found = std::ranges::find(routes, destination, &Route::destination);
    return found == routes.end() ? nullptr : &*found;
}

void RandomRun::note(const std::string& what)
{
    done_.push_back("step " + std::to_string(step_) + ": " + what);
}

std::string RandomRun::story() const
{
    std::ostringstream text;
    text << "ROUTELET_RANDOM_SEED=" << seed_ << ", step " << step_ << "\nwhat happened:\n";
    for (std::size_t i = done_.size() - std::min(done_.size(), lines_to_show); i < done_.size(); ++i)
        text << "  " << done_[i] << '\n';
    text << "nodes:\n";
    for (const auto& [name, node] : told_) {
        text << "  " << name << " created " << node.created << " podCIDRs";
        for (const auto& cidr : node.pod_cidrs)
            text << ' ' << cidr.substr(0, 40);
        text << " addresses";
        for (const auto& address : node.internal_ips)
            text << ' ' << address.substr(0, 40);
        text << '\n';
    }
    text << "routes before the agent acted:\n";
    for (const auto* routes : {&base_.own, &base_.foreign})
        for (const Route& route : *routes)
            text << "  " << route << " dev " << netlink::to_int(route.oif) << '\n';
    text << "log:\n";
    const auto& log = keeper_->log_lines();
    for (std::size_t i = log.size() - std::min<std::size_t>(log.size(), 25); i < log.size(); ++i)
        text << "  " << log[i].substr(0, 200) << '\n';
    return text.str();
}

// As after kill -9: nothing is left of the old one but its routes.
void RandomRun::start_agent()
{
    if (keeper_)
        overruns_ += keeper_->overruns();
    keeper_.reset();
    keeper_.emplace(kernel_,
                    Reconciler::Options{.plan = character_.plan_options(),
                                        .identity = ours,
                                        .pod_bridge = pod_bridge,
                                        .withdrawal_grace = character_.grace,
                                        .fight = std::numeric_limits<int>::max()}); // steps do not wait
    brake_ = Brake(character_.grace);
    is_listed_ = false;
    is_due_ = false;
    told_.clear();
    ++restarts_;
}

void RandomRun::set_receive_buffer(int bytes)
{
    REQUIRE(::setsockopt(keeper_->monitor_fd(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes) == 0);
}

} // namespace routelet::test::random_run
