#include "test/lab/kind.h"

#include "test/lab/node_rules.h"

#include <algorithm>
#include <array>

namespace routelet::lab {
namespace {

void nothing(Json&) {}

void anything(const Json&) {}

void any_update(const Json&, const Json&) {}

const std::array<Kind, 4>& kinds()
{
    static const std::array<Kind, 4> all = {{
        {.resource = "nodes",
         .name = "Node",
         .namespaced = false,
         .has_protobuf = true,
         .fields = {"metadata.name", "spec.unschedulable"},
         .complete = default_pod_cidrs,
         .check_new = check_new_node,
         .check_update = check_node_update},
        {.resource = "events",
         .name = "Event",
         .namespaced = true,
         .has_protobuf = false,
         .fields = {"metadata.name", "metadata.namespace", "involvedObject.kind", "involvedObject.namespace",
                    "involvedObject.name", "involvedObject.uid", "involvedObject.apiVersion", "reason",
                    "type", "source", "reportingComponent"},
         .complete = nothing,
         .check_new = anything,
         .check_update = any_update},
        {.resource = "pods", // none ever, but kubectl describe node asks
         .name = "Pod",
         .namespaced = true,
         .has_protobuf = false,
         .fields = {"metadata.name", "metadata.namespace", "spec.nodeName", "status.phase"},
         .complete = nothing,
         .check_new = anything,
         .check_update = any_update},
        {.resource = "namespaces",
         .name = "Namespace",
         .namespaced = false,
         .has_protobuf = false,
         .fields = {"metadata.name", "status.phase"},
         .complete = nothing,
         .check_new = anything,
         .check_update = any_update},
    }};
    return all;
}

} // namespace

const Kind* find_kind(std::string_view resource)
{
    const auto found = std::ranges::find(kinds(), resource, &Kind::resource);
    return found == kinds().end() ? nullptr : &*found;
}

} // namespace routelet::lab
