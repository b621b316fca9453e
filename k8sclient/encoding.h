#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace routelet::k8s {

// How the API server writes objects (Kubernetes API concepts, "Alternate representations of resources").
enum class Encoding { json, protobuf };

// The Accept header that asks for `preferred`, and for what every server has if it cannot.
std::string accept_header(Encoding preferred);

// What a Content-Type says; nothing for what is neither, such as a proxy's HTML. Without one it is JSON: the
// body will tell.
std::optional<Encoding> encoding_of(std::string_view content_type);

} // namespace routelet::k8s
