#include "test/lab/protobuf_schema.h"

namespace routelet::lab {
namespace {

using Type = Field::Type;
using Shape = Field::Shape;

// A member that is a message, or a list of them.
Field nested(int number, std::string_view name, const Message& message, Shape shape = Shape::always)
{
    return {.number = number, .name = name, .type = Type::message, .shape = shape, .message = &message};
}

const Message& owner_reference_message()
{
    static const Message message{{
        {1, "kind"},
        {3, "name"},
        {4, "uid"},
        {5, "apiVersion"},
        {6, "controller", Type::boolean, Shape::if_set},
        {7, "blockOwnerDeletion", Type::boolean, Shape::if_set},
    }};
    return message;
}

const Message& managed_fields_message()
{
    static const Message message{{
        {1, "manager"},
        {2, "operation"},
        {3, "apiVersion"},
        {4, "time", Type::time, Shape::if_set},
        {6, "fieldsType"},
        {7, "fieldsV1", Type::fields_v1, Shape::if_set},
        {8, "subresource"},
    }};
    return message;
}

const Message& taint_message()
{
    static const Message message{{
        {1, "key"},
        {2, "value"},
        {3, "effect"},
        {4, "timeAdded", Type::time, Shape::if_set},
    }};
    return message;
}

const Message& condition_message()
{
    static const Message message{{
        {1, "type"},
        {2, "status"},
        {3, "lastHeartbeatTime", Type::time},
        {4, "lastTransitionTime", Type::time},
        {5, "reason"},
        {6, "message"},
    }};
    return message;
}

const Message& address_message()
{
    static const Message message{{{1, "type"}, {2, "address"}}};
    return message;
}

const Message& daemon_endpoints_message()
{
    static const Message endpoint{{{1, "Port", Type::integer}}};
    static const Message message{{nested(1, "kubeletEndpoint", endpoint)}};
    return message;
}

const Message& system_info_message()
{
    static const Message swap{{{1, "capacity", Type::integer, Shape::if_set}}};
    static const Message message{{
        {1, "machineID"},
        {2, "systemUUID"},
        {3, "bootID"},
        {4, "kernelVersion"},
        {5, "osImage"},
        {6, "containerRuntimeVersion"},
        {7, "kubeletVersion"},
        {8, "kubeProxyVersion"},
        {9, "operatingSystem"},
        {10, "architecture"},
        nested(11, "swap", swap, Shape::if_set),
    }};
    return message;
}

const Message& image_message()
{
    static const Message message{{
        {1, "names", Type::text, Shape::list},
        {2, "sizeBytes", Type::integer},
    }};
    return message;
}

const Message& volume_message()
{
    static const Message message{{{1, "name"}, {2, "devicePath"}}};
    return message;
}

const Message& runtime_handler_message()
{
    static const Message features{{
        {1, "recursiveReadOnlyMounts", Type::boolean, Shape::if_set},
        {2, "userNamespaces", Type::boolean, Shape::if_set},
    }};
    static const Message message{{{1, "name"}, nested(2, "features", features, Shape::if_set)}};
    return message;
}

const Message& features_message()
{
    static const Message message{{{1, "supplementalGroupsPolicy", Type::boolean, Shape::if_set}}};
    return message;
}

const Message& status_details_message()
{
    static const Message cause{{{1, "reason"}, {2, "message"}, {3, "field"}}};
    static const Message message{{
        {1, "name"},
        {2, "group"},
        {3, "kind"},
        nested(4, "causes", cause, Shape::list),
        {5, "retryAfterSeconds", Type::integer},
        {6, "uid"},
    }};
    return message;
}

} // namespace

const Message& node_message()
{
    static const Message message{{
        nested(1, "metadata", node_metadata_message()),
        nested(2, "spec", node_spec_message()),
        nested(3, "status", node_status_message()),
    }};
    return message;
}

const Message& node_metadata_message()
{
    static const Message message{{
        {1, "name"},
        {2, "generateName"},
        {3, "namespace"},
        {4, "selfLink"},
        {5, "uid"},
        {6, "resourceVersion"},
        {7, "generation", Type::integer},
        {8, "creationTimestamp", Type::time},
        {9, "deletionTimestamp", Type::time, Shape::if_set},
        {10, "deletionGracePeriodSeconds", Type::integer, Shape::if_set},
        {11, "labels", Type::text, Shape::map},
        {12, "annotations", Type::text, Shape::map},
        nested(13, "ownerReferences", owner_reference_message(), Shape::list),
        {14, "finalizers", Type::text, Shape::list},
        nested(17, "managedFields", managed_fields_message(), Shape::list),
    }};
    return message;
}

// Without configSource, which no server of today keeps.
const Message& node_spec_message()
{
    static const Message message{{
        {1, "podCIDR"},
        {2, "externalID"},
        {3, "providerID"},
        {4, "unschedulable", Type::boolean},
        nested(5, "taints", taint_message(), Shape::list),
        {7, "podCIDRs", Type::text, Shape::list},
    }};
    return message;
}

// Without config, likewise.
const Message& node_status_message()
{
    static const Message message{{
        {1, "capacity", Type::quantity, Shape::map},
        {2, "allocatable", Type::quantity, Shape::map},
        {3, "phase"},
        nested(4, "conditions", condition_message(), Shape::list),
        nested(5, "addresses", address_message(), Shape::list),
        nested(6, "daemonEndpoints", daemon_endpoints_message()),
        nested(7, "nodeInfo", system_info_message()),
        nested(8, "images", image_message(), Shape::list),
        {9, "volumesInUse", Type::text, Shape::list},
        nested(10, "volumesAttached", volume_message(), Shape::list),
        nested(12, "runtimeHandlers", runtime_handler_message(), Shape::list),
        nested(13, "features", features_message(), Shape::if_set),
    }};
    return message;
}

const Message& status_message()
{
    static const Message message{{
        nested(1, "metadata", list_metadata_message()),
        {2, "status"},
        {3, "message"},
        {4, "reason"},
        nested(5, "details", status_details_message(), Shape::if_set),
        {6, "code", Type::integer},
    }};
    return message;
}

const Message& list_metadata_message()
{
    static const Message message{{
        {1, "selfLink"},
        {2, "resourceVersion"},
        {3, "continue"},
        {4, "remainingItemCount", Type::integer, Shape::if_set},
    }};
    return message;
}

} // namespace routelet::lab
