#include "test/lab/discovery.h"

#include "test/lab/api.h"
#include "test/lab/json.h"

namespace routelet::lab {
namespace {

Json version()
{
    return {{"major", "1"},        {"minor", "26"},           {"gitVersion", "v1.26.5+routelet-lab"},
            {"gitCommit", ""},     {"gitTreeState", "clean"}, {"buildDate", "1970-01-01T00:00:00Z"},
            {"goVersion", "none"}, {"compiler", "gcc"},       {"platform", "linux"}};
}

Json resource(const char* name, const char* kind, bool namespaced, Json verbs,
              Json short_names = Json::array())
{
    Json described = {{"name", name},
                      {"singularName", ""},
                      {"namespaced", namespaced},
                      {"kind", kind},
                      {"verbs", std::move(verbs)}};
    if (!short_names.empty())
        described["shortNames"] = std::move(short_names);
    return described;
}

Json core_resources()
{
    const Json all = {"create", "delete", "get", "list", "patch", "update", "watch"};
    const Json read = {"get", "list", "watch"};
    return {{"kind", "APIResourceList"},
            {"groupVersion", "v1"},
            {"resources",
             {resource("events", "Event", true, all, {"ev"}),
              resource("namespaces", "Namespace", false, read, {"ns"}),
              resource("nodes", "Node", false, all, {"no"}),
              resource("nodes/status", "Node", false, {"get", "patch", "update"}),
              resource("pods", "Pod", true, read, {"po"})}}};
}

Json openapi_parameter(const char* name)
{
    return {{"name", name}, {"in", "query"}, {"schema", {{"type", "string"}, {"uniqueItems", true}}}};
}

// kubectl asks here whether PATCH of a kind knows fieldValidation and dryRun, and then sends no schema check
// of its own.
Json openapi_v1()
{
    const auto path = [](const char* kind) {
        return Json{
            {"patch",
             {{"parameters", {openapi_parameter("dryRun"), openapi_parameter("fieldValidation")}},
              {"responses", {{"200", {{"description", "OK"}}}}},
              {"x-kubernetes-action", "patch"},
              {"x-kubernetes-group-version-kind", {{"group", ""}, {"kind", kind}, {"version", "v1"}}}}}};
    };
    return {{"openapi", "3.0.0"},
            {"info", {{"title", "Routelet lab"}, {"version", "v1.26.5"}}},
            {"paths",
             {{"/api/v1/nodes/{name}", path("Node")},
              {"/api/v1/namespaces/{namespace}/events/{name}", path("Event")}}}};
}

Reply text(std::string body)
{
    return {.status = 200, .content_type = "text/plain; charset=utf-8", .body = std::move(body)};
}

} // namespace

std::optional<Reply> describe_server(const std::string& path)
{
    if (path == "/healthz" || path == "/readyz" || path == "/livez")
        return text("ok");
    if (path == "/version")
        return json_reply(version());
    if (path == "/api")
        return json_reply({{"kind", "APIVersions"}, {"versions", {"v1"}}});
    if (path == "/api/v1")
        return json_reply(core_resources());
    if (path == "/apis")
        return json_reply({{"kind", "APIGroupList"}, {"apiVersion", "v1"}, {"groups", Json::array()}});
    if (path == "/openapi/v3")
        return json_reply({{"paths", {{"api/v1", {{"serverRelativeURL", "/openapi/v3/api/v1"}}}}}});
    if (path == "/openapi/v3/api/v1")
        return json_reply(openapi_v1());
    return std::nullopt;
}

} // namespace routelet::lab
