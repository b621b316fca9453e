#include "test/lab/realistic_node.h"

#include <string>

namespace routelet::lab {
namespace {

constexpr auto time = "2026-01-02T03:04:05Z";
constexpr std::size_t own_fields = 450; // bytes of JSON that are not in the template, about
constexpr std::size_t image_limit = 50; // the kubelet's default --node-status-max-images

OrderedJson labels()
{
    return {{"beta.kubernetes.io/arch", "amd64"},
            {"beta.kubernetes.io/instance-type", "standard-8-32"},
            {"beta.kubernetes.io/os", "linux"},
            {"failure-domain.beta.kubernetes.io/region", "region-one"},
            {"failure-domain.beta.kubernetes.io/zone", "region-one-a"},
            {"kubernetes.io/arch", "amd64"},
            {"kubernetes.io/os", "linux"},
            {"node-role.kubernetes.io/worker", ""},
            {"node.kubernetes.io/instance-type", "standard-8-32"},
            {"topology.kubernetes.io/region", "region-one"},
            {"topology.kubernetes.io/zone", "region-one-a"}};
}

OrderedJson annotations()
{
    return {
        {"csi.volume.kubernetes.io/nodeid",
         R"({"csi.example.com":"region-one-a/instance-0123456789abcdef","nfs.csi.example.com":"instance"})"},
        {"kubeadm.alpha.kubernetes.io/cri-socket", "unix:///run/containerd/containerd.sock"},
        {"node.alpha.kubernetes.io/ttl", "0"},
        {"volumes.kubernetes.io/controller-managed-attach-detach", "true"}};
}

OrderedJson condition(const char* type, const char* status, const char* reason, const char* message)
{
    return {
        {"type", type},     {"status", status},  {"lastHeartbeatTime", time}, {"lastTransitionTime", time},
        {"reason", reason}, {"message", message}};
}

OrderedJson conditions()
{
    return OrderedJson::array(
        {condition("NetworkUnavailable", "False", "RoutesProgrammed",
                   "routes to all nodes are in the kernel"),
         condition("MemoryPressure", "False", "KubeletHasSufficientMemory",
                   "kubelet has sufficient memory available"),
         condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
         condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
         condition("Ready", "True", "KubeletReady", "kubelet is posting ready status")});
}

OrderedJson images()
{
    OrderedJson all = OrderedJson::array();
    for (std::size_t i = 0; i < image_limit; ++i) {
        const std::string name = "registry.example.com/team/project/image-" + std::to_string(i);
        const std::string digest = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        all.push_back({{"names", {name + "@sha256:" + digest, name + ":v1.2." + std::to_string(i)}},
                       {"sizeBytes", 123456789 + i}});
    }
    return all;
}

OrderedJson status()
{
    const OrderedJson resources = {{"cpu", "8"},
                                   {"ephemeral-storage", "203056560Ki"},
                                   {"hugepages-1Gi", "0"},
                                   {"hugepages-2Mi", "0"},
                                   {"memory", "32869268Ki"},
                                   {"pods", "110"}};
    return {{"capacity", resources},
            {"allocatable", resources},
            {"conditions", conditions()},
            {"daemonEndpoints", {{"kubeletEndpoint", {{"Port", 10250}}}}},
            {"nodeInfo",
             {{"machineID", "0123456789abcdef0123456789abcdef"},
              {"systemUUID", "01234567-89ab-cdef-0123-456789abcdef"},
              {"bootID", "fedcba98-7654-3210-fedc-ba9876543210"},
              {"kernelVersion", "6.1.0-28-amd64"},
              {"osImage", "Debian GNU/Linux 12 (bookworm)"},
              {"containerRuntimeVersion", "containerd://2.0.5"},
              {"kubeletVersion", "v1.34.4"},
              {"kubeProxyVersion", ""},
              {"operatingSystem", "linux"},
              {"architecture", "amd64"}}},
            {"images", images()}};
}

// The fields of a value as managedFields names them (structured-merge-diff): conditions by their type.
OrderedJson owned(const OrderedJson& value)
{
    OrderedJson fields = OrderedJson::object();
    if (value.is_object() && !value.empty())
        fields["."] = OrderedJson::object();
    if (value.is_object())
        for (const auto& [name, member] : value.items())
            fields["f:" + name] = owned(member);
    if (value.is_array() && !value.empty() && value[0].contains("type"))
        for (const OrderedJson& item : value)
            fields["k:" + OrderedJson{{"type", item["type"]}}.dump()] = owned(item);
    return fields;
}

OrderedJson managed_by(const char* manager, const OrderedJson& fields, bool is_status)
{
    OrderedJson entry = {{"manager", manager}, {"operation", "Update"},    {"apiVersion", "v1"},
                         {"time", time},       {"fieldsType", "FieldsV1"}, {"fieldsV1", fields}};
    if (is_status)
        entry["subresource"] = "status";
    return entry;
}

OrderedJson managed_fields(const OrderedJson& metadata, const OrderedJson& node_status)
{
    const OrderedJson spec = {{"f:podCIDR", OrderedJson::object()},
                              {"f:podCIDRs", {{".", OrderedJson::object()}}},
                              {"f:providerID", OrderedJson::object()}};
    const OrderedJson names = {{"f:annotations", owned(metadata["annotations"])},
                               {"f:labels", owned(metadata["labels"])}};
    return OrderedJson::array({managed_by("kubelet", {{"f:metadata", names}}, false),
                               managed_by("kube-controller-manager", {{"f:spec", spec}}, false),
                               managed_by("kubelet", {{"f:status", owned(node_status)}}, true)});
}

} // namespace

OrderedJson realistic_node(std::size_t bytes)
{
    OrderedJson metadata = {
        {"creationTimestamp", time}, {"labels", labels()}, {"annotations", annotations()}};
    OrderedJson node_status = status();
    metadata["managedFields"] = managed_fields(metadata, node_status);
    OrderedJson node = {{"metadata", std::move(metadata)}, {"status", std::move(node_status)}};

    const auto size = [&] { return node.dump().size() + own_fields; };
    OrderedJson& kept = node["status"]["images"];
    while (size() > bytes && !kept.empty())
        kept.erase(kept.size() - 1);
    if (const std::size_t now = size(); now < bytes)
        node["metadata"]["annotations"]["example.com/filling"] = std::string(bytes - now, 'x');
    return node;
}

} // namespace routelet::lab
