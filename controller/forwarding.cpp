#include "controller/forwarding.h"

#include "base/file.h"

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

} // namespace

std::vector<Finding> find_forwarding_off(const Plan& plan, const LocalFacts& local,
                                         const std::filesystem::path& conf)
{
    if (!holds(conf / "all/forwarding", "0"))
        return {};
    std::string affected;
    for (const std::string& link : links_of_ipv6_routes(plan, local))
        if (!holds(conf / link / "force_forwarding", "1")) // Linux 6.17 and newer
            affected += (affected.empty() ? "" : ", ") + link;
    if (affected.empty())
        return {};
    return {{"forwarding-off",
             "net.ipv6.conf.all.forwarding is 0: IPv6 packets that come in through " + affected +
                 " are not passed on to other nodes' pods",
             "sysctl -w net.ipv6.conf.all.forwarding=1; before that net.ipv6.conf.LINK.accept_ra=2 for a "
             "link whose default route comes from router advertisements"}};
}

} // namespace routelet::controller
