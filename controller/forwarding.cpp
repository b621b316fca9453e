#include "controller/forwarding.h"

#include "base/file.h"
#include "base/join.h"

#include <algorithm>
#include <set>
#include <string>

namespace routelet::controller {
namespace {

bool holds(const std::filesystem::path& setting, std::string_view value)
{
    const auto content = read_file(setting);
    return content && std::string_view(*content).substr(0, content->find('\n')) == value;
}

std::set<std::string> links_of_ipv6_routes(const Plan& plan, const LocalFacts& local)
{
    std::set<netlink::IfIndex> links;
    for (const PlannedRoute& route : plan.routes)
        if (route.destination.family() == IpFamily::v6)
            links.insert(route.link);
    std::set<std::string> names;
    for (const OnLinkNetwork& network : local.networks)
        if (links.contains(network.link))
            names.insert(network.link_name);
    return names;
}

bool has_ipv4(const std::vector<IpPrefix>& ranges)
{
    return std::ranges::find(ranges, IpFamily::v4, &IpPrefix::family) != ranges.end();
}

} // namespace

void Ipv4Forwarding::follow(const Plan& plan, const LocalFacts& local)
{
    links_.clear();
    for (const PlannedRoute& planned : plan.routes)
        if (planned.destination.family() == IpFamily::v4)
            links_.insert(planned.link);
    if (!has_ipv4(plan.gateway_pod_cidrs) && !has_ipv4(plan.own_pod_cidrs))
        return;
    for (const DefaultGateway& gateway : local.gateways)
        if (gateway.address.family() == IpFamily::v4)
            links_.insert(gateway.link);
}

bool Ipv4Forwarding::enable(netlink::IfIndex link, const KernelMirror& mirror)
{
    if (mirror.forwards_ipv4(link) || !enabled_.insert(link).second)
        return true;
    const auto enabled = kernel_.enable_ipv4_forwarding(link);
    report(link, enabled, mirror);
    return enabled.has_value();
}

bool Ipv4Forwarding::enable(const KernelMirror& mirror)
{
    bool all = true;
    for (const netlink::IfIndex link : links_)
        all = enable(link, mirror) && all;
    for (const netlink::IfIndex link : mirror.pod_links_not_forwarding())
        all = enable(link, mirror) && all;
    if (!all)
        enabled_.clear();
    return all;
}

void Ipv4Forwarding::report(netlink::IfIndex link, const Result<>& enabled, const KernelMirror& mirror)
{
    constexpr std::chrono::minutes again(1); // who keeps switching it off does not fill the log
    const std::string outcome = enabled ? "" : enabled.error().text();
    const auto now = std::chrono::steady_clock::now();
    const auto known = told_.find(link);
    const bool is_same = known != told_.end() && known->second.outcome == outcome;
    if (is_same && (!enabled || now - known->second.at < again))
        return;
    told_.insert_or_assign(link, Told{outcome, now});
    if (enabled)
        log_.write(LogLine(LogLevel::info, "forwarding-enabled")
                       .with("family", to_string(IpFamily::v4))
                       .with("dev", mirror.link_name(link)));
    else
        log_.write(LogLine(LogLevel::warn, "forwarding-failed")
                       .with("dev", mirror.link_name(link))
                       .with("error", outcome)
                       .with("remedy", "sysctl -w net.ipv4.ip_forward=1"));
}

bool forwards_ipv6(const std::string& link, const std::filesystem::path& conf)
{
    return !holds(conf / "all/forwarding", "0") || holds(conf / link / "force_forwarding", "1");
}

std::vector<Finding> find_forwarding_off(const Plan& plan, const LocalFacts& local,
                                         const std::filesystem::path& conf)
{
    std::string affected;
    for (const std::string& link : links_of_ipv6_routes(plan, local))
        if (!forwards_ipv6(link, conf))
            append_item(affected, link);
    if (affected.empty())
        return {};
    return {{"forwarding-off",
             "net.ipv6.conf.all.forwarding is 0: IPv6 packets that come in through " + affected +
                 " are not passed on to other nodes' pods",
             "sysctl -w net.ipv6.conf.all.forwarding=1; before that net.ipv6.conf.LINK.accept_ra=2 for a "
             "link whose default route comes from router advertisements"}};
}

} // namespace routelet::controller
