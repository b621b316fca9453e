#pragma once
#include <nlohmann/json.hpp>

#include <cstddef>

namespace routelet::lab {

// Keeps members in the order they were put in: a Go server writes them as its structs have them.
using OrderedJson = nlohmann::ordered_json;

// A Node as kubeadm, controllers and a kubelet of 1.34 fill it, about `bytes` long as JSON: up to 50 images
// of two names each, five conditions, labels, annotations, managedFields. Fewer images when it has to be
// short, an annotation of filling when it has to be long. What is a node's own is not in it: name, uid,
// resourceVersion, podCIDRs, addresses.
OrderedJson realistic_node(std::size_t bytes);

} // namespace routelet::lab
