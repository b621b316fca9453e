#pragma once
#include "base/ip.h"
#include "base/result.h"
#include "controller/diagnosis/look.h"
#include "controller/kernel.h"
#include "controller/status.h"
#include "netlink/link.h"
#include "netlink/neighbor.h"
#include "netlink/route.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace routelet::controller {

// `routelet explain`: from the Node object to the neighbour, each part of the way to an address is looked at.
// All here is pure; controller/diagnosis/path.h reads the kernel.

// What is explained at once: an address, and whose podCIDRs it is in as the agent has it.
struct Subject {
    std::string asked;                    // as the user wrote it
    std::optional<IpAddress> address;     // none: the podCIDR of a Node that has none
    std::vector<NodeReport> claims{};     // several when Nodes claim the same
    std::optional<NodeReport> next_hop{}; // the address is a node's, by which its pods are reached
};

// Of an address, itself. Of a node's name, the first address of each of its podCIDRs, which its bridge has;
// none when the agent knows no such node.
std::vector<Subject> subjects_of(const std::string& asked, const StatusReport& agent);
// The same without an agent's help: an address, or nothing.
std::vector<Subject> subjects_of(const std::string& asked);

// What becomes of the source address of packets that pods of this machine send there.
enum class SourceAddress { kept, masqueraded, no_table, not_known };

// What the kernel, and the plugin's state, say of the way to an address. What could not be read has an error,
// or is empty.
struct PathFacts {
    std::vector<netlink::Route> routes{};        // the main table's to exactly the destination of a claim
    Result<netlink::Route> way;                  // where packets go now; the error is what they would meet
    std::optional<netlink::Link> link{};         // that `way` goes out by
    std::optional<IpAddress> neighbor_address{}; // whom packets are handed to there
    Result<std::optional<netlink::Neighbor>> neighbor{std::nullopt}; // after it was asked
    std::optional<netlink::Link> pod_link{};   // the host's end of the pod that has the address
    std::optional<std::string> reserved_for{}; // "container/interface"
    std::vector<std::string> not_forwarding{}; // links that packets come in by and are not passed on from
    SourceAddress source = SourceAddress::not_known;
};

struct Explanation {
    std::string subject; // "10.244.2.7 in 10.244.2.0/24 of node02"
    std::vector<Look> looks;

    bool is_broken() const { return has_broken(looks); }
};

// Whether an agent answers, is ready, and has an API server.
std::vector<Look> look_at_agent(const Result<StatusReport>& agent);

// Looks in the order of the way. `agent`: what this machine's agent said, or why none did.
Explanation explain(const Subject& subject, const Result<StatusReport>& agent, const PathFacts& path,
                    const RouteIdentity& identity);

// A line for each look, with what to do below those that are broken, and a line that says where it breaks.
std::string to_text(const Explanation& explanation, const Painter& painter = Painter());
// A list of {subject, broken, looks}.
std::string to_json(const std::vector<Explanation>& explanations);

} // namespace routelet::controller
