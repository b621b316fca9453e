#pragma once
#include "base/file.h"
#include "k8sclient/node.h"
#include "test/support/catch.h"

#include <ostream>

namespace routelet::k8s {

inline std::ostream& operator<<(std::ostream& out, const Node& node)
{
    out << node.name << " uid=" << node.uid << " created=" << node.created;
    for (const std::string& cidr : node.pod_cidrs)
        out << " pods=" << cidr;
    for (const std::string& ip : node.internal_ips)
        out << " ip=" << ip;
    if (node.network_unavailable != ConditionState{})
        out << " NetworkUnavailable=" << node.network_unavailable.status << "/"
            << node.network_unavailable.reason;
    return out << (node.is_oversized ? " oversized" : "");
}

} // namespace routelet::k8s

namespace routelet::test {

// Bytes that a real kube-apiserver sent.
inline std::string fixture(const std::string& name)
{
    return need(read_file(std::filesystem::path(ROUTELET_FIXTURES) / name));
}

} // namespace routelet::test
