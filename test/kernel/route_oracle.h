#pragma once
#include "controller/plan.h"
#include "k8sclient/node.h"
#include "netlink/route.h"
#include "netlink/socket.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace routelet::test {

// Where packets to a destination go: to a gateway through a link, or, as a guard, nowhere.
struct WantedWay {
    std::optional<IpAddress> gateway{};
    netlink::IfIndex link{};

    friend bool operator==(const WantedWay&, const WantedWay&) = default;
    friend std::ostream& operator<<(std::ostream& out, const WantedWay& way)
    {
        if (!way.gateway)
            return out << "unreachable";
        return out << "via " << *way.gateway << " dev " << netlink::to_int(way.link);
    }
};
using WantedWays = std::map<IpPrefix, WantedWay>;

// A machine's network as one look at the kernel finds it: main table, addresses, links.
struct Machine {
    std::vector<netlink::Route> own;     // with Routelet's protocol and metric, in the kernel's order
    std::vector<netlink::Route> foreign; // all others, but for link-local and multicast networks
    std::vector<IpAddress> addresses;
    std::map<netlink::IfIndex, std::string> links;

    static Machine look(netlink::Socket& socket);
};

// The routes that node and machine should have: the rules of docs/architecture.md said once more, as plainly
// as possible and with no thought of speed, to hold controller/plan.cpp against.
WantedWays wanted_routes(const std::map<std::string, k8s::Node>& nodes, const Machine& machine,
                         const controller::PlanOptions& options, const std::string& pod_bridge);

} // namespace routelet::test
