#include "test/lab/patch.h"

#include "test/lab/refusal.h"

#include <algorithm>
#include <utility>

namespace routelet::lab {
namespace {

constexpr std::string_view delete_from_list = "$deleteFromPrimitiveList/";

struct ListRule {
    std::string_view path;
    std::string_view key; // "" for a set of plain values
};

constexpr ListRule merged_lists[] = {
    {"/status/conditions", "type"},       {"/status/addresses", "type"}, {"/spec/taints", "key"},
    {"/metadata/ownerReferences", "uid"}, {"/metadata/finalizers", ""},  {"/spec/podCIDRs", ""},
};

const ListRule* rule_of(std::string_view path)
{
    const auto found = std::ranges::find(merged_lists, path, &ListRule::path);
    return found == std::end(merged_lists) ? nullptr : &*found;
}

void merge_object(Json& object, const Json& patch, const std::string& path);

void add_to_set(Json& list, const Json& values)
{
    for (const Json& value : values)
        if (std::ranges::find(list, value) == list.end())
            list.push_back(value);
}

void remove_values(Json& list, const Json& values)
{
    Json kept = Json::array();
    for (const Json& value : list)
        if (std::ranges::find(values, value) == values.end())
            kept.push_back(value);
    list = std::move(kept);
}

// Where the item with this key is; end() when it is new.
Json::iterator find_item(Json& list, const std::string& key, const Json& value)
{
    return std::ranges::find_if(list, [&](const Json& item) { return at_path(item, {key}) == value; });
}

void merge_item(Json& list, const std::string& key, Json item, const std::string& path)
{
    const Json value = at_path(item, {key});
    if (value.is_null())
        throw Refusal(500, "InternalError",
                      "Internal error occurred: map: " + to_text(item) +
                          " does not contain declared merge key: " + key);
    const std::string directive = text_at(item, {"$patch"});
    if (item.is_object())
        item.erase("$patch");

    const auto found = find_item(list, key, value);
    if (directive == "delete") {
        if (found != list.end())
            list.erase(found);
    } else if (found == list.end()) {
        Json added = Json::object();
        merge_object(added, item, path);
        list.push_back(std::move(added));
    } else if (directive == "replace") {
        *found = std::move(item);
    } else {
        merge_object(*found, item, path);
    }
}

// An item {"$patch": "replace"} says that the rest of the patch is the new list.
void merge_list(Json& list, const Json& patch, const ListRule& rule, const std::string& path)
{
    if (!list.is_array())
        list = Json::array();
    const bool replaces = std::ranges::any_of(
        patch, [&](const Json& item) { return text_at(item, {"$patch"}) == "replace" && item.size() == 1; });
    if (replaces)
        list = Json::array();
    if (rule.key.empty()) {
        add_to_set(list, patch);
        return;
    }
    for (const Json& item : patch)
        if (!replaces || at_path(item, {"$patch"}).is_null())
            merge_item(list, std::string(rule.key), item, path);
}

void merge_member(Json& object, const std::string& name, const Json& value, const std::string& path)
{
    const ListRule* rule = rule_of(path);
    if (value.is_null()) {
        object.erase(name);
    } else if (value.is_object()) {
        if (text_at(value, {"$patch"}) == "delete") {
            object.erase(name);
            return;
        }
        Json& member = object[name];
        if (!member.is_object())
            member = Json::object();
        merge_object(member, value, path);
    } else if (value.is_array() && rule != nullptr) {
        merge_list(object[name], value, *rule, path);
    } else {
        object[name] = value;
    }
}

void merge_object(Json& object, const Json& patch, const std::string& path)
{
    if (text_at(patch, {"$patch"}) == "replace")
        object = Json::object();
    for (const auto& [name, value] : patch.items()) {
        if (name.starts_with(delete_from_list)) {
            Json& list = object[name.substr(delete_from_list.size())];
            if (list.is_array())
                remove_values(list, value);
        } else if (!name.starts_with('$')) {
            merge_member(object, name, value, path + "/" + name);
        }
    }
}

Json parsed(const std::string& body)
{
    Json patch = Json::parse(body, nullptr, false);
    if (patch.is_discarded())
        throw bad_request("error decoding patch: the body is not JSON");
    return patch;
}

Json parsed_object(const std::string& body)
{
    Json patch = parsed(body);
    if (!patch.is_object())
        throw bad_request("error decoding patch: the body is not a JSON object");
    return patch;
}

Json json_patched(const Json& object, const Json& patch)
{
    try {
        return object.patch(patch);
    } catch (const Json::parse_error& error) {
        throw bad_request(std::string("error decoding patch: ") + error.what());
    } catch (const Json::exception& error) {
        throw Refusal(422, "Invalid",
                      std::string("the server rejected our request due to an error in our request: ") +
                          error.what());
    }
}

} // namespace

Json strategic_merge(const Json& object, const Json& patch)
{
    Json result = object;
    merge_object(result, patch, "");
    return result;
}

Json patched(const Json& object, const std::string& content_type, const std::string& body)
{
    if (content_type == "application/merge-patch+json") {
        Json result = object;
        result.merge_patch(parsed_object(body));
        return result;
    }
    if (content_type == "application/strategic-merge-patch+json")
        return strategic_merge(object, parsed_object(body));
    if (content_type == "application/json-patch+json")
        return json_patched(object, parsed(body));
    throw Refusal(415, "UnsupportedMediaType",
                  "the body of the request was in an unknown format - accepted media types include: "
                  "application/json-patch+json, application/merge-patch+json, "
                  "application/strategic-merge-patch+json (the lab does no server-side apply)");
}

} // namespace routelet::lab
