#pragma once
#include "controller/reconciler.h"

#include <vector>

namespace routelet::test {

// A list of these nodes, from begin to end.
inline bool replace_nodes(controller::Reconciler& reconciler, const std::vector<k8s::Node>& nodes)
{
    reconciler.begin_nodes();
    for (const k8s::Node& node : nodes)
        reconciler.list_node(node);
    return reconciler.end_nodes();
}

} // namespace routelet::test
