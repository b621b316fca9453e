#include "test/lab/refusal.h"

#include "base/join.h"

#include <utility>

namespace routelet::lab {
namespace {

Json about(const std::string& resource, const std::string& name)
{
    return {{"name", name}, {"kind", resource}};
}

} // namespace

Json status_failure(unsigned code, const std::string& reason, const std::string& message, Json details)
{
    Json status = {{"kind", "Status"},    {"apiVersion", "v1"}, {"metadata", Json::object()},
                   {"status", "Failure"}, {"message", message}, {"reason", reason},
                   {"code", code}};
    if (!details.is_null())
        status["details"] = std::move(details);
    return status;
}

Refusal::Refusal(unsigned code, std::string reason, std::string message, Json details)
    : code_(code), message_(std::move(message)),
      status_(status_failure(code, reason, message_, std::move(details)))
{
}

Refusal Refusal::with_retry_after(unsigned seconds) &&
{
    retry_after_ = seconds;
    return std::move(*this);
}

Refusal Refusal::with_metadata(Json metadata) &&
{
    status_["metadata"] = std::move(metadata);
    return std::move(*this);
}

Refusal bad_request(const std::string& message)
{
    return {400, "BadRequest", message};
}

Refusal unauthorized()
{
    return {401, "Unauthorized", "Unauthorized"};
}

Refusal path_not_found()
{
    return {404, "NotFound", "the server could not find the requested resource"};
}

Refusal not_acceptable(bool protobuf_is_known)
{
    const std::string protobuf = protobuf_is_known ? ", application/vnd.kubernetes.protobuf" : "";
    const std::string streams = protobuf_is_known ? ", application/vnd.kubernetes.protobuf;stream=watch" : "";
    return {406, "NotAcceptable",
            "406: Not Acceptable\n\nAvailable representations: application/json" + protobuf +
                ", application/json;stream=watch" + streams,
            Json::object()};
}

Refusal not_found(const std::string& resource, const std::string& name)
{
    return {404, "NotFound", resource + " \"" + name + "\" not found", about(resource, name)};
}

Refusal already_exists(const std::string& resource, const std::string& name)
{
    return {409, "AlreadyExists", resource + " \"" + name + "\" already exists", about(resource, name)};
}

Refusal conflict(const std::string& resource, const std::string& name, const std::string& why)
{
    return {409, "Conflict", "Operation cannot be fulfilled on " + resource + " \"" + name + "\": " + why,
            about(resource, name)};
}

Refusal invalid(const std::string& kind, const std::string& name, const std::string& field,
                const std::string& why)
{
    Json details = about(kind, name);
    details["causes"] = Json::array({{{"reason", "FieldValueInvalid"}, {"message", why}, {"field", field}}});
    return {422, "Invalid", kind + " \"" + name + "\" is invalid: " + field + ": " + why, std::move(details)};
}

Refusal invalid_options(const std::vector<FieldError>& errors)
{
    Json causes = Json::array();
    std::string text;
    for (const FieldError& error : errors) {
        causes.push_back({{"reason", error.reason}, {"message", error.message}, {"field", error.field}});
        append_item(text, error.field + ": " + error.message);
    }
    if (errors.size() > 1)
        text = "[" + text + "]";
    return {422,
            "Invalid",
            "ListOptions.meta.k8s.io \"\" is invalid: " + text,
            {{"group", "meta.k8s.io"}, {"kind", "ListOptions"}, {"causes", std::move(causes)}}};
}

Refusal expired(const std::string& message)
{
    return {410, "Expired", message};
}

Refusal version_too_large(std::uint64_t wanted, std::uint64_t current)
{
    const std::string text =
        "Too large resource version: " + std::to_string(wanted) + ", current: " + std::to_string(current);
    Json details = {{"retryAfterSeconds", 1},
                    {"causes", Json::array({{{"reason", "ResourceVersionTooLarge"},
                                             {"message", "Too large resource version"}}})}};
    return Refusal(504, "Timeout", "Timeout: " + text, std::move(details)).with_retry_after(1);
}

} // namespace routelet::lab
