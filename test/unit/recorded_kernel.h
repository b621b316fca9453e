#pragma once
// A reconciler on a kernel that is a recorder, for the tests of what it asks of the kernel and says in the
// log.
#include "controller/difference.h"
#include "controller/reconciler.h"
#include "test/support/catch.h"
#include "test/support/nodes.h"

#include <linux/if.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace routelet::test::recorded {

using namespace routelet::controller;

inline constexpr netlink::IfIndex eth0{2};
inline const RouteIdentity ours;

inline netlink::Route connected(const IpPrefix& network, netlink::IfIndex link)
{
    return {.destination = network,
            .gateway = {},
            .oif = link,
            .protocol = netlink::RouteProtocol{RTPROT_KERNEL}};
}

inline netlink::Route our_route(const IpPrefix& pods, const IpAddress& gateway)
{
    return new_route(pods, {.gateway = gateway, .link = eth0}, ours);
}

inline netlink::Route foreign_route(const IpPrefix& pods, const IpAddress& gateway, std::uint32_t metric)
{
    netlink::Route route = our_route(pods, gateway);
    route.protocol = netlink::RouteProtocol{RTPROT_STATIC};
    route.metric = metric;
    return route;
}

inline netlink::Link link_up(netlink::IfIndex index, const std::string& name)
{
    netlink::Link link;
    link.index = index;
    link.name = name;
    link.flags = static_cast<unsigned>(IFF_UP | IFF_LOWER_UP);
    return link;
}

// node01's kernel before any route of ours, as a recorder: it keeps what it is told.
class RecordedKernel : public Kernel {
public:
    KernelState state{.links = {link_up(eth0, "eth0")},
                      .addresses = {{.link = eth0, .address = "192.168.1.11"_ip, .length = 24}},
                      .routes = {connected("192.168.1.0/24"_net, eth0)}};
    std::vector<std::vector<RouteChange>> batches;
    std::map<IpPrefix, Error> refusals;
    int dumps = 0;
    int forgetful_dumps = 0; // so many of the next dumps miss the connected networks
    int forwarding_requests = 0;

    Result<KernelState> read() override
    {
        ++dumps;
        KernelState seen = state;
        if (forgetful_dumps > 0 && forgetful_dumps-- > 0)
            std::erase_if(seen.routes, [](const netlink::Route& route) { return !route.gateway; });
        return seen;
    }
    std::vector<Result<>> apply(const std::vector<RouteChange>& changes) override
    {
        batches.push_back(changes);
        std::vector<Result<>> results;
        for (const auto& change : changes) {
            const auto refusal = refusals.find(change.route.destination);
            if (refusal != refusals.end()) {
                results.emplace_back(refusal->second);
                continue;
            }
            if (change.kind == RouteChange::Kind::remove || change.kind == RouteChange::Kind::take_over) {
                std::erase(state.routes, change.route);
            } else {
                std::erase_if(state.routes, [&](const netlink::Route& route) {
                    return route.destination == change.route.destination &&
                           route.metric == change.route.metric && ours.owns(route);
                });
                state.routes.push_back(change.route);
            }
            results.emplace_back();
        }
        return results;
    }
    Result<> enable_ipv4_forwarding(netlink::IfIndex index) override
    {
        ++forwarding_requests;
        std::ranges::find(state.links, index, &netlink::Link::index)->forwards_ipv4 = true;
        return {};
    }

    std::map<IpPrefix, IpAddress> our_routes() const
    {
        std::map<IpPrefix, IpAddress> routes;
        for (const auto& route : state.routes)
            if (ours.owns(route) && !is_guard(Way::of(route)))
                routes.emplace(route.destination, *route.gateway);
        return routes;
    }
    std::vector<IpPrefix> guards() const
    {
        std::vector<IpPrefix> guarded;
        for (const auto& route : state.routes)
            if (ours.owns(route) && is_guard(Way::of(route)))
                guarded.push_back(route.destination);
        return guarded;
    }
};

inline k8s::Node node(const std::string& number)
{
    return {.name = "node0" + number,
            .uid = "uid-" + number,
            .created = "2026-01-0" + number + "T00:00:00Z",
            .pod_cidrs = {"10.244." + number + ".0/24"},
            .internal_ips = {"192.168.1.1" + number}};
}

// A reconciler on the recorder, and the events that it logged.
struct Fixture {
    explicit Fixture(Reconciler::Options options = {})
        : reconciler(kernel, log, as_node01(std::move(options)))
    {
    }

    static Reconciler::Options as_node01(Reconciler::Options options)
    {
        options.plan.node_name = "node01";
        options.withdrawal_grace = std::chrono::seconds(1);
        return options;
    }

    RecordedKernel kernel;
    std::vector<std::string> lines;
    Log log{LogFormat::text, LogLevel::info, [this](const std::string& line) {
                lines.push_back(line);
                return true;
            }};
    Reconciler reconciler;

    bool reconcile(std::string_view cause = "node")
    {
        return reconciler.reconcile({cause, Cause::Clock::now()});
    }

    // The lines with this event, as far as they can be compared: without time and duration.
    std::vector<std::string> logged(const std::string& event) const
    {
        std::vector<std::string> found;
        for (const std::string& line : lines)
            if (line.find(" event=" + event + " ") != std::string::npos) {
                const auto start = line.find("event=");
                found.push_back(line.substr(start, line.find(" took_ms=") - start));
            }
        return found;
    }
};

using Strings = std::vector<std::string>;

} // namespace routelet::test::recorded
