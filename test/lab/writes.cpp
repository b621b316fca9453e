#include "test/lab/writes.h"

#include "base/rfc3339.h"
#include "test/lab/patch.h"
#include "test/lab/reads.h"
#include "test/lab/refusal.h"

#include <array>
#include <random>

namespace routelet::lab {
namespace {

std::mt19937_64& dice()
{
    static std::mt19937_64 source{std::random_device{}()};
    return source;
}

std::string random_text(std::string_view letters, std::size_t length)
{
    std::uniform_int_distribution<std::size_t> pick(0, letters.size() - 1);
    std::string text;
    for (std::size_t i = 0; i < length; ++i)
        text += letters[pick(dice())];
    return text;
}

std::string new_uid() // RFC 9562 version 4
{
    constexpr std::string_view hex = "0123456789abcdef";
    return random_text(hex, 8) + "-" + random_text(hex, 4) + "-4" + random_text(hex, 3) + "-" +
           random_text("89ab", 1) + random_text(hex, 3) + "-" + random_text(hex, 12);
}

Json decoded(const Request& request, const Kind& kind)
{
    if (request.content_type != "application/json" && !request.content_type.empty())
        throw Refusal(415, "UnsupportedMediaType",
                      "the body of the request was in an unknown format - accepted media types include: "
                      "application/json");
    Json object = Json::parse(request.body, nullptr, false);
    if (!object.is_object())
        throw bad_request("the body of the request is not a JSON object");
    if (!at_path(object, {"metadata"}).is_object())
        object["metadata"] = Json::object();
    const std::string name = text_at(object, {"kind"});
    if (!name.empty() && name != kind.name)
        throw bad_request(kind.name + " in version \"v1\" cannot be handled as a " + name);
    object["kind"] = kind.name;
    object["apiVersion"] = "v1";
    return object;
}

Object find_existing(const Store& store, const Place& place)
{
    const Object object = store.find(place.key());
    if (!object)
        throw not_found(place.kind.resource, place.name);
    return object;
}

Reply stored(Store& store, const Place& place, Json object, const Request& request, unsigned status)
{
    const Form form = form_for(place.kind, request);
    if (request.option("dryRun") == "All")
        return object_reply(place.kind, object, form, status);
    return object_reply(place.kind, *store.put(place.key(), std::move(object)), form, status);
}

// An object with finalizers lives on, marked, until the last of them is taken away.
bool is_finished(const Json& object)
{
    return !at_path(object, {"metadata", "deletionTimestamp"}).is_null() &&
           list_at(object, {"metadata", "finalizers"}).empty();
}

// What a write to one half of an object leaves alone: status by the main resource, spec by /status.
void keep_other_half(const Json& before, Json& after, bool is_status)
{
    const char* kept = is_status ? "spec" : "status";
    if (before.contains(kept))
        after[kept] = before.at(kept);
    else
        after.erase(kept);
}

Reply update(Store& store, const Place& place, const Json& before, Json after, const Request& request)
{
    const std::string version = text_at(after, {"metadata", "resourceVersion"});
    if (!version.empty() && version != text_at(before, {"metadata", "resourceVersion"}))
        throw conflict(place.kind.resource, place.name,
                       "the object has been modified; please apply your changes to the latest version and "
                       "try again");
    if (text_at(after, {"metadata", "name"}) != place.name)
        throw bad_request("the name of the object (" + text_at(after, {"metadata", "name"}) +
                          ") does not match the name on the URL (" + place.name + ")");
    for (const char* own : {"uid", "creationTimestamp", "deletionTimestamp", "resourceVersion"})
        if (const Json& value = at_path(before, {"metadata", own}); !value.is_null())
            after["metadata"][own] = value;
    if (place.kind.name == "Node")
        keep_other_half(before, after, place.is_status);
    place.kind.complete(after);
    place.kind.check_update(before, after);

    if (!is_finished(after))
        return stored(store, place, std::move(after), request, 200);
    if (request.option("dryRun") != "All")
        store.remove(place.key());
    return object_reply(place.kind, after, form_for(place.kind, request));
}

Json deleted_status(const Place& place, const Json& object)
{
    return {{"kind", "Status"},
            {"apiVersion", "v1"},
            {"metadata", Json::object()},
            {"status", "Success"},
            {"details",
             {{"name", place.name},
              {"kind", place.kind.resource},
              {"uid", text_at(object, {"metadata", "uid"})}}}};
}

void check_preconditions(const Place& place, const Json& object, const Request& request)
{
    const Json options = Json::parse(request.body, nullptr, false);
    for (const char* field : {"uid", "resourceVersion"}) {
        const std::string wanted = text_at(options, {"preconditions", field});
        const std::string actual = text_at(object, {"metadata", field});
        if (!wanted.empty() && wanted != actual)
            throw conflict(place.kind.resource, place.name,
                           std::string("Precondition failed: ") + field + " in precondition: " + wanted +
                               ", " + field + " in object meta: " + actual);
    }
}

} // namespace

void complete_metadata(Json& object)
{
    Json& metadata = object["metadata"];
    if (text_at(metadata, {"uid"}).empty())
        metadata["uid"] = new_uid();
    if (text_at(metadata, {"creationTimestamp"}).empty())
        metadata["creationTimestamp"] = to_rfc3339(std::chrono::system_clock::now());
}

Reply create(Store& store, Place place, const Request& request)
{
    Json object = decoded(request, place.kind);
    Json& metadata = object["metadata"];
    if (!text_at(metadata, {"resourceVersion"}).empty())
        throw bad_request("resourceVersion should not be set on objects to be created");
    for (const char* own : {"uid", "creationTimestamp", "deletionTimestamp", "resourceVersion"})
        metadata.erase(own);

    const std::string prefix = text_at(metadata, {"generateName"});
    if (text_at(metadata, {"name"}).empty() && !prefix.empty())
        metadata["name"] = prefix + random_text("bcdfghjklmnpqrstvwxz2456789", 5);
    place.name = text_at(metadata, {"name"});
    if (place.name.empty())
        throw invalid(place.kind.name, "", "metadata.name",
                      "Required value: name or generateName is required");
    if (place.kind.namespaced)
        metadata["namespace"] = place.space;

    place.kind.complete(object);
    place.kind.check_new(object);
    if (store.find(place.key()))
        throw already_exists(place.kind.resource, place.name);
    complete_metadata(object);
    return stored(store, place, std::move(object), request, 201);
}

Reply replace(Store& store, const Place& place, const Request& request)
{
    const Object before = find_existing(store, place);
    Json after = decoded(request, place.kind);
    const std::string uid = text_at(after, {"metadata", "uid"});
    if (const std::string actual = text_at(*before, {"metadata", "uid"}); !uid.empty() && uid != actual)
        throw conflict(place.kind.resource, place.name,
                       "Precondition failed: UID in precondition: " + uid +
                           ", UID in object meta: " + actual);
    return update(store, place, *before, std::move(after), request);
}

Reply patch(Store& store, const Place& place, const Request& request)
{
    const Object before = find_existing(store, place);
    Json after = patched(*before, request.content_type, request.body);
    if (!at_path(after, {"metadata"}).is_object())
        throw bad_request("the patch leaves no metadata");
    if (text_at(after, {"metadata", "uid"}) != text_at(*before, {"metadata", "uid"}))
        throw invalid(place.kind.name, place.name, "metadata.uid",
                      "Invalid value: \"" + text_at(after, {"metadata", "uid"}) + "\": field is immutable");
    return update(store, place, *before, std::move(after), request);
}

Reply remove(Store& store, const Place& place, const Request& request)
{
    const Object object = find_existing(store, place);
    check_preconditions(place, *object, request);
    const bool is_dry = request.option("dryRun") == "All";
    if (!list_at(*object, {"metadata", "finalizers"}).empty()) {
        Json marked = *object;
        if (at_path(marked, {"metadata", "deletionTimestamp"}).is_null())
            marked["metadata"]["deletionTimestamp"] = to_rfc3339(std::chrono::system_clock::now());
        marked["metadata"]["deletionGracePeriodSeconds"] = 0;
        return stored(store, place, std::move(marked), request, 200);
    }
    if (!is_dry)
        store.remove(place.key());
    return status_reply(deleted_status(place, *object), 200, negotiate_status(request.accept));
}

} // namespace routelet::lab
