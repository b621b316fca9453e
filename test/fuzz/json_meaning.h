#pragma once
#include "k8sclient/node_decoder.h"

#include <nlohmann/json.hpp>

#include <map>
#include <optional>
#include <string>
#include <string_view>

// What a body in JSON says, read as a whole and by another parser than the decoders': they must come to the
// same. Nothing where that parser refuses what ours takes, such as invalid UTF-8.
namespace routelet::fuzz {

using nlohmann::json;

struct Document {
    json object;
    int items = 0; // how often that member comes
};

inline std::optional<Document> parse_object(std::string_view body)
{
    // What nlohmann passes over at the beginning, and takes for the end.
    if (body.starts_with("\xef\xbb\xbf") || body.find('\0') != std::string_view::npos)
        return std::nullopt;
    Document document;
    const auto count = [&](int depth, json::parse_event_t event, const json& parsed) {
        if (depth == 1 && event == json::parse_event_t::key && parsed == "items")
            ++document.items;
        return true;
    };
    document.object = json::parse(body, count, false);
    return document.object.is_object() ? std::optional(std::move(document)) : std::nullopt;
}

// Members that are absent or of another type are empty.
inline json member(const json& object, const char* key, json::value_t type)
{
    if (object.is_object())
        if (const auto found = object.find(key); found != object.end() && found->type() == type)
            return *found;
    return json(type);
}
inline json object_at(const json& object, const char* key)
{
    return member(object, key, json::value_t::object);
}
inline json array_at(const json& object, const char* key)
{
    return member(object, key, json::value_t::array);
}
inline std::string text_at(const json& object, const char* key)
{
    return member(object, key, json::value_t::string).get<std::string>();
}

inline k8s::Node meant_node(const json& object)
{
    const json metadata = object_at(object, "metadata");
    const json spec = object_at(object, "spec");
    k8s::Node node;
    node.name = text_at(metadata, "name");
    node.uid = text_at(metadata, "uid");
    node.created = text_at(metadata, "creationTimestamp");
    for (const json& entry : array_at(spec, "podCIDRs"))
        if (entry.is_string() && !entry.get<std::string>().empty())
            node.pod_cidrs.push_back(entry.get<std::string>());
    if (node.pod_cidrs.empty() && !text_at(spec, "podCIDR").empty())
        node.pod_cidrs.push_back(text_at(spec, "podCIDR"));
    for (const json& address : array_at(object_at(object, "status"), "addresses"))
        if (text_at(address, "type") == "InternalIP" && !text_at(address, "address").empty())
            node.internal_ips.push_back(text_at(address, "address"));
    for (const json& condition : array_at(object_at(object, "status"), "conditions"))
        if (text_at(condition, "type") == "NetworkUnavailable")
            node.network_unavailable = {text_at(condition, "status"), text_at(condition, "reason")};
    return node;
}

inline k8s::Status meant_status(const json& object)
{
    k8s::Status status;
    status.reason = text_at(object, "reason");
    status.message = text_at(object, "message");
    const auto code = object.find("code");
    if (code != object.end() && code->is_number_integer() && *code > 0 && *code < 1000)
        status.code = code->get<int>();
    for (const json& cause : array_at(object_at(object, "details"), "causes"))
        if (text_at(cause, "reason") == "ResourceVersionTooLarge" ||
            text_at(cause, "message") == "Too large resource version")
            status.version_too_large = true;
    return status;
}

// With all nodes in it. Nothing where it should be refused.
inline std::optional<k8s::NodeList> meant_list(const json& object)
{
    const json metadata = object_at(object, "metadata");
    k8s::NodeList list;
    list.version = text_at(metadata, "resourceVersion");
    list.continue_token = text_at(metadata, "continue");
    const auto items = object.find("items");
    const bool has_items = items != object.end() && !items->is_null();
    if (text_at(object, "kind") != "NodeList" || list.version.empty() || (has_items && !items->is_array()))
        return std::nullopt;
    for (const json& item : array_at(object, "items")) {
        list.nodes.push_back(meant_node(item));
        if (list.nodes.back().name.empty())
            return std::nullopt;
    }
    return list;
}

inline std::optional<k8s::WatchEvent> meant_event(const json& frame)
{
    using Type = k8s::WatchEvent::Type;
    static const std::map<std::string, Type> types = {{"ADDED", Type::added},
                                                      {"MODIFIED", Type::modified},
                                                      {"DELETED", Type::deleted},
                                                      {"BOOKMARK", Type::bookmark},
                                                      {"ERROR", Type::error}};
    const auto type = types.find(text_at(frame, "type"));
    if (type == types.end())
        return std::nullopt;
    const json object = object_at(frame, "object");
    const json metadata = object_at(object, "metadata");
    const std::string kind = text_at(object, "kind");
    k8s::WatchEvent event;
    event.type = type->second;
    if (event.type == Type::error) {
        event.status = meant_status(object);
        return event;
    }
    if (!kind.empty() && kind != "Node")
        return std::nullopt;
    event.version = text_at(metadata, "resourceVersion");
    if (event.type == Type::bookmark) {
        event.ends_initial_events =
            text_at(object_at(metadata, "annotations"), "k8s.io/initial-events-end") == "true";
        return event;
    }
    event.node = meant_node(object);
    return event.node.name.empty() ? std::nullopt : std::optional(std::move(event));
}

} // namespace routelet::fuzz
