#include "test/lab/api.h"

#include "test/lab/access.h"
#include "test/lab/discovery.h"
#include "test/lab/kind.h"
#include "test/lab/protobuf.h"
#include "test/lab/reads.h"
#include "test/lab/refusal.h"
#include "test/lab/writes.h"

namespace routelet::lab {
namespace {

// /api/v1/[namespaces/SPACE/]RESOURCE[/NAME[/status]] as a place. Throws Refusal 404.
Place place_of(const std::vector<std::string>& path)
{
    auto at = path.begin() + 2;
    std::string space;
    if (path.size() > 4 && *at == "namespaces") {
        space = at[1];
        at += 2;
    }
    const Kind* kind = at == path.end() ? nullptr : find_kind(*at);
    if (kind == nullptr || path.end() - at > 3 || (!space.empty() && !kind->namespaced))
        throw path_not_found();

    Place place{.kind = *kind, .space = space, .name = path.end() - at > 1 ? at[1] : ""};
    if (path.end() - at == 3) {
        if (at[2] != "status" || kind->name != "Node")
            throw path_not_found();
        place.is_status = true;
    }
    return place;
}

std::string verb_of(const Request& request, const Place& place)
{
    if (request.method == "GET" && !place.name.empty())
        return "get";
    if (request.method == "GET")
        return request.flag("watch") ? "watch" : "list";
    const std::map<std::string, std::string> verbs = {
        {"POST", "create"}, {"PUT", "update"}, {"PATCH", "patch"}, {"DELETE", "delete"}};
    const auto found = verbs.find(request.method);
    const bool fits = found != verbs.end() && place.name.empty() == (request.method == "POST");
    if (!fits)
        throw Refusal(405, "MethodNotAllowed",
                      "the server does not allow this method on the requested resource");
    return found->second;
}

Reply write(Store& store, const Place& place, const std::string& verb, const Request& request)
{
    if (place.kind.name != "Node" && place.kind.name != "Event")
        throw Refusal(405, "MethodNotAllowed", "the lab keeps no " + place.kind.resource);
    if (place.kind.namespaced && place.space.empty())
        throw bad_request("an empty namespace may not be set during creation");
    if (verb == "create")
        return create(store, place, request);
    if (verb == "update")
        return replace(store, place, request);
    return verb == "patch" ? patch(store, place, request) : remove(store, place, request);
}

std::string joined(const std::vector<std::string>& path)
{
    std::string text;
    for (const auto& segment : path)
        text += "/" + segment;
    return text;
}

} // namespace

Answer Api::answer(const Request& request, bool patient)
{
    try {
        return route(request, patient);
    } catch (const Refusal& refusal) {
        return refusal_reply(refusal, negotiate_status(request.accept));
    }
}

Answer Api::route(const Request& request, bool patient)
{
    if (!request.user)
        throw unauthorized();
    if (auto described = describe_server(joined(request.path)))
        return *described;
    if (request.path.size() < 3 || request.path[0] != "api" || request.path[1] != "v1")
        throw path_not_found();

    const Place place = place_of(request.path);
    const std::string verb = verb_of(request, place);
    require(*request.user, {.verb = verb,
                            .resource = place.kind.resource + (place.is_status ? "/status" : ""),
                            .name = place.name,
                            .space = place.space});
    if (verb == "list" || verb == "watch")
        return read_many(store_, rules_, place.kind, place.key(), request, patient);
    if (verb == "get")
        return read_one(store_, place.kind, place.key(), request);
    return write(store_, place, verb, request);
}

Reply json_reply(const Json& body, unsigned status)
{
    return {.status = status, .body = to_text(body)};
}

Reply status_reply(const Json& status, unsigned code, Form form)
{
    return {.status = code,
            .content_type = std::string(content_type(form)),
            .body = form == Form::protobuf ? to_protobuf("Status", status) : to_text(status)};
}

Reply refusal_reply(const Refusal& refusal, Form form)
{
    Reply reply = status_reply(refusal.status(), refusal.code(), form);
    if (refusal.retry_after())
        reply.retry_after = std::to_string(*refusal.retry_after());
    return reply;
}

} // namespace routelet::lab
