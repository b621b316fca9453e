#pragma once
#include "netlink/legacy_table.h"

#include <cstdint>
#include <string>
#include <vector>

namespace routelet::controller {

// A way that packets of pods take through this machine, by names of links; empty: one that is not known.
struct ForwardWay {
    std::string in;
    std::string out;
};

// What a legacy table's chain FORWARD does to packets that begin a connection of a pod's.
enum class ForwardFate {
    passed,
    doubtful, // dropped, unless a rule accepts them whose conditions nobody knows here: addresses, ports, ...
    dropped   // whatever their addresses are, by each of the ways
};

// `dropped` is a promise: a rule that is not understood may accept. Of marked packets (-m mark) only those of
// chain KUBE-FORWARD are taken for none of pods' own: kube-proxy marks what goes to services from elsewhere.
// Pure.
ForwardFate fate_of_pods(const netlink::LegacyTable& table, const std::vector<ForwardWay>& ways);

} // namespace routelet::controller
