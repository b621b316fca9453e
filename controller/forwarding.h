#pragma once
#include "controller/finding.h"
#include "controller/kernel.h"
#include "controller/kernel_mirror.h"
#include "controller/log.h"
#include "controller/plan.h"

#include <chrono>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace routelet::controller {

// IPv4 forwarding on the links that packets for pods come in through: those that planned routes go out by,
// and the default routes', by which answers from the world outside come, and clients of pods' host ports, and
// the pods whose podCIDRs are left to it. And on those that packets of this node's own pods come in by, where
// somebody has switched off what the plugin switched on. Per link, because that needs no writable /proc/sys
// (docs/architecture.md). One thread.
class Ipv4Forwarding {
public:
    Ipv4Forwarding(Kernel& kernel, const Log& log) : kernel_(kernel), log_(log) {}

    void follow(const Plan& plan, const LocalFacts& local);
    // The mirror is new, so what was switched on may be off in it.
    void doubt() { enabled_.clear(); }
    // Somebody has switched it off there.
    void doubt(netlink::IfIndex link) { enabled_.erase(link); }
    // Where it is off; false when the kernel refused some. Told when it is new. What is on is not written
    // again: the kernel announces each time, and an announcement too many, after an overrun, would be the
    // next.
    bool enable(const KernelMirror& mirror);

private:
    bool enable(netlink::IfIndex link, const KernelMirror& mirror);
    void report(netlink::IfIndex link, const Result<>& enabled, const KernelMirror& mirror);

    Kernel& kernel_;
    const Log& log_;
    std::set<netlink::IfIndex> links_;
    std::set<netlink::IfIndex> enabled_; // since the mirror was new
    struct Told {
        std::string outcome; // "", or an error
        std::chrono::steady_clock::time_point at;
    };
    std::map<netlink::IfIndex, Told> told_; // what was last logged of each
};

// Whether IPv6 packets that come in by the link are passed on: net.ipv6.conf.all.forwarding, or from
// Linux 6.17 on the link's force_forwarding. What cannot be read counts as being right.
bool forwards_ipv6(const std::string& link, const std::filesystem::path& conf = "/proc/sys/net/ipv6/conf");

// "forwarding-off" while this machine has IPv6 routes to pods and its kernel passes no IPv6 packets on from
// the links that they go out by. Netlink has no message that would switch it on, as there is for IPv4; on a
// node the plugin does.
//
// `conf` is /proc/sys/net/ipv6/conf; what cannot be read there counts as being right.
std::vector<Finding> find_forwarding_off(const Plan& plan, const LocalFacts& local,
                                         const std::filesystem::path& conf);

} // namespace routelet::controller
