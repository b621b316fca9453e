#include "k8sclient/encoding.h"

#include <strings.h>

namespace routelet::k8s {
namespace {

constexpr std::string_view json_type = "application/json";
constexpr std::string_view protobuf_type = "application/vnd.kubernetes.protobuf";

// Parameters may follow: "; charset=utf-8", ";stream=watch".
bool is_type(std::string_view content_type, std::string_view type)
{
    if (content_type.size() < type.size() ||
        ::strncasecmp(content_type.data(), type.data(), type.size()) != 0)
        return false;
    return content_type.size() == type.size() || content_type.find_first_of("; ", type.size()) == type.size();
}

} // namespace

std::string accept_header(Encoding preferred)
{
    const std::string json(json_type);
    return preferred == Encoding::json ? json : std::string(protobuf_type) + ", " + json;
}

std::optional<Encoding> encoding_of(std::string_view content_type)
{
    if (content_type.empty() || is_type(content_type, json_type))
        return Encoding::json;
    if (is_type(content_type, protobuf_type))
        return Encoding::protobuf;
    return std::nullopt;
}

} // namespace routelet::k8s
