#pragma once
#include "controller/reconciler.h"

#include <string>
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

// A node that says nothing but its name: whom a route is for.
inline controller::NodeRef named(const std::string& name)
{
    return controller::NodeClaim::of({.name = name});
}

} // namespace routelet::test
