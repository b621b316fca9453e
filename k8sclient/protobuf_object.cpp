#include "k8sclient/protobuf_object.h"

#include "base/rfc3339.h"

#include <protozero/pbf_reader.hpp>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace routelet::k8s {
namespace {

constexpr std::size_t longest_name = 253; // bytes; RFC 1123 subdomain, which the name of a Node is

using protozero::pbf_reader;
using protozero::pbf_wire_type;

std::string text(pbf_reader& message)
{
    return std::string(message.get_view());
}

bool is_bytes(const pbf_reader& message, std::uint32_t number)
{
    return message.tag() == number && message.wire_type() == pbf_wire_type::length_delimited;
}

// Calls `read` for each field of `message` that is a text, bytes or a message; skips the others, among which
// nothing is of interest. `read` takes the value off the message if it wants it.
template <class Read>
void for_each_field(pbf_reader message, Read read)
{
    while (message.next()) {
        const bool taken = message.wire_type() == pbf_wire_type::length_delimited && read(message);
        if (!taken)
            message.skip();
    }
}

// What protozero throws for bytes that are no message, as our error.
template <class Read>
auto guarded(const char* what, Read read) -> Result<decltype(read())>
{
    try {
        return read();
    } catch (const protozero::exception& problem) {
        return malformed(std::string(what) + " is not valid protobuf (" + problem.what() + ")");
    }
}

// meta/v1 Time, as its JSON form; empty for what is no time of ours.
std::string time_text(pbf_reader time)
{
    constexpr std::int64_t last_of_year_9999 = 253'402'300'799;
    std::int64_t seconds = 0;
    while (time.next()) {
        if (time.tag() == 1 && time.wire_type() == pbf_wire_type::varint)
            seconds = time.get_int64();
        else
            time.skip();
    }
    if (seconds <= 0 || seconds > last_of_year_9999)
        return "";
    return to_rfc3339(std::chrono::sys_seconds(std::chrono::seconds(seconds)));
}

bool is_initial_events_end(pbf_reader annotation)
{
    std::string key;
    std::string value;
    for_each_field(annotation, [&](pbf_reader& entry) {
        if (entry.tag() > 2)
            return false;
        std::string& member = entry.tag() == 1 ? key : value;
        member = text(entry);
        return true;
    });
    return key == "k8s.io/initial-events-end" && value == "true";
}

void read_metadata(pbf_reader metadata, Object& object)
{
    for_each_field(metadata, [&](pbf_reader& field) {
        switch (field.tag()) {
        case 1:
            object.node.name = text(field);
            return true;
        case 5:
            object.node.uid = text(field);
            return true;
        case 6:
            object.version = text(field);
            return true;
        case 8:
            object.node.created = time_text(field.get_message());
            return true;
        case 12: // the annotations: a Node has many, a bookmark only the one that matters
            if (!object.node.name.empty())
                return false;
            object.ends_initial_events |= is_initial_events_end(field.get_message());
            return true;
        default:
            return false;
        }
    });
}

void read_spec(pbf_reader spec, Node& node)
{
    std::string pod_cidr;
    for_each_field(spec, [&](pbf_reader& field) {
        if (field.tag() == 1)
            pod_cidr = text(field);
        else if (field.tag() == 7)
            node.pod_cidrs.push_back(text(field));
        else
            return false;
        return true;
    });
    if (node.pod_cidrs.empty() && !pod_cidr.empty())
        node.pod_cidrs.push_back(std::move(pod_cidr));
}

void read_address(pbf_reader address, Node& node)
{
    std::string type;
    std::string value;
    for_each_field(address, [&](pbf_reader& field) {
        if (field.tag() > 2)
            return false;
        std::string& member = field.tag() == 1 ? type : value;
        member = text(field);
        return true;
    });
    if (type == "InternalIP" && !value.empty())
        node.internal_ips.push_back(std::move(value));
}

void read_condition(pbf_reader condition, Node& node)
{
    bool is_ours = false;
    ConditionState state;
    for_each_field(condition, [&](pbf_reader& field) {
        if (field.tag() == 1)
            is_ours = field.get_view() == "NetworkUnavailable";
        else if (field.tag() == 2)
            state.status = text(field);
        else if (field.tag() == 5)
            state.reason = text(field);
        else
            return false;
        return true;
    });
    if (is_ours)
        node.network_unavailable = std::move(state);
}

void read_node_status(pbf_reader status, Node& node)
{
    for_each_field(status, [&](pbf_reader& field) {
        if (field.tag() == 4)
            read_condition(field.get_message(), node);
        else if (field.tag() == 5)
            read_address(field.get_message(), node);
        else
            return false;
        return true;
    });
}

void read_cause(pbf_reader cause, Status& status)
{
    for_each_field(cause, [&](pbf_reader& field) {
        if (field.tag() != 1)
            return false;
        status.version_too_large |= field.get_view() == "ResourceVersionTooLarge";
        return true;
    });
}

// The value of field `number` in the beginning of a message, itself cut off where the message is; nothing
// when it is not there.
std::optional<std::string_view> beginning_of(std::string_view message, std::uint32_t number)
{
    const char* at = message.data();
    const char* const end = at + message.size();
    while (at != end) {
        const std::uint64_t tag = protozero::decode_varint(&at, end);
        if ((tag & 7U) != static_cast<unsigned>(pbf_wire_type::length_delimited))
            return std::nullopt; // none of those that matter has another type before it
        const std::uint64_t size = protozero::decode_varint(&at, end);
        const auto present = std::min<std::uint64_t>(size, static_cast<std::uint64_t>(end - at));
        if (tag >> 3U == number)
            return std::string_view(at, present);
        at += present;
    }
    return std::nullopt;
}

std::string_view beginning_at(std::string_view message, std::initializer_list<std::uint32_t> path)
{
    for (const std::uint32_t number : path)
        message = beginning_of(message, number).value_or(std::string_view());
    return message;
}

} // namespace

Result<std::string> read_kind(std::string_view type_meta)
{
    return guarded("an object's type", [&] {
        std::string kind;
        for_each_field(pbf_reader(type_meta.data(), type_meta.size()), [&](pbf_reader& field) {
            if (field.tag() != 2)
                return false;
            kind = text(field);
            return true;
        });
        return kind;
    });
}

Result<> read_list_metadata(std::string_view list_meta, Object& list)
{
    auto read = guarded("the list's metadata", [&] {
        for_each_field(pbf_reader(list_meta.data(), list_meta.size()), [&](pbf_reader& field) {
            if (field.tag() == 2)
                list.version = text(field);
            else if (field.tag() == 3)
                list.continue_token = text(field);
            else
                return false;
            return true;
        });
        return true;
    });
    return read ? Result<>() : Result<>(read.error());
}

Result<Object> read_node(std::string_view node)
{
    return guarded("a Node", [&] {
        Object object;
        object.kind = "Node";
        for_each_field(pbf_reader(node.data(), node.size()), [&](pbf_reader& field) {
            if (field.tag() == 1)
                read_metadata(field.get_message(), object);
            else if (field.tag() == 2)
                read_spec(field.get_message(), object.node);
            else if (field.tag() == 3)
                read_node_status(field.get_message(), object.node);
            else
                return false;
            return true;
        });
        return object;
    });
}

Result<Status> read_status(std::string_view bytes)
{
    return guarded("a Status", [&] {
        Status status;
        pbf_reader message(bytes.data(), bytes.size());
        while (message.next()) {
            if (is_bytes(message, 3))
                status.message = text(message);
            else if (is_bytes(message, 4))
                status.reason = text(message);
            else if (is_bytes(message, 5))
                for_each_field(message.get_message(), [&](pbf_reader& details) {
                    if (details.tag() != 4)
                        return false;
                    read_cause(details.get_message(), status);
                    return true;
                });
            else if (message.tag() == 6 && message.wire_type() == pbf_wire_type::varint) {
                const std::int64_t code = message.get_int64();
                status.code = code > 0 && code < 1000 ? static_cast<int>(code) : 0;
            } else
                message.skip();
        }
        return status;
    });
}

Result<Envelope> open_envelope(std::string_view object)
{
    if (!object.starts_with(protobuf_magic))
        return malformed("an object does not begin as Kubernetes' protobuf does");
    object.remove_prefix(protobuf_magic.size());
    Envelope envelope;
    std::string_view type_meta;
    auto read = guarded("an object's envelope", [&] {
        for_each_field(pbf_reader(object.data(), object.size()), [&](pbf_reader& part) {
            if (part.tag() != field::type_meta && part.tag() != field::raw)
                return false;
            std::string_view& member = part.tag() == field::raw ? envelope.raw : type_meta;
            const protozero::data_view bytes = part.get_view();
            member = {bytes.data(), bytes.size()};
            return true;
        });
        return true;
    });
    if (!read)
        return read.error();
    auto kind = read_kind(type_meta);
    if (!kind)
        return kind.error();
    envelope.kind = std::move(*kind);
    return envelope;
}

Result<WatchEvent> read_watch_event(std::string_view event)
{
    std::string type;
    std::string_view object_bytes;
    auto read = guarded("a watch event", [&] {
        for_each_field(pbf_reader(event.data(), event.size()), [&](pbf_reader& part) {
            if (part.tag() == 1) {
                type = text(part);
            } else if (part.tag() == 2) {
                for_each_field(part.get_message(), [&](pbf_reader& extension) { // runtime.RawExtension
                    if (extension.tag() != 1)
                        return false;
                    const protozero::data_view bytes = extension.get_view();
                    object_bytes = {bytes.data(), bytes.size()};
                    return true;
                });
            } else {
                return false;
            }
            return true;
        });
        return true;
    });
    if (!read)
        return read.error();

    auto envelope = open_envelope(object_bytes);
    if (!envelope)
        return envelope.error();
    Object object;
    if (envelope->kind == "Status") {
        auto status = read_status(envelope->raw);
        if (!status)
            return status.error();
        object.status = std::move(*status);
    } else if (envelope->kind == "Node") {
        auto node = read_node(envelope->raw);
        if (!node)
            return node.error();
        object = std::move(*node);
    }
    object.kind = std::move(envelope->kind);
    return to_event(type, std::move(object));
}

Result<Object> read_oversized_node(std::string_view first_bytes)
{
    auto object = guarded("a Node", [&] {
        const std::string_view metadata = beginning_at(first_bytes, {1});
        Object found;
        found.kind = "Node";
        found.version = beginning_at(metadata, {6});
        found.node.name = beginning_at(metadata, {1});
        found.node.is_oversized = true;
        return found;
    });
    if (object && object->node.name.size() > longest_name)
        return malformed("a Node's name is too long");
    return object;
}

Result<WatchEvent> read_oversized_watch_event(std::string_view first_bytes)
{
    std::string_view type;
    std::string_view object;
    auto found = guarded("a watch event", [&] {
        type = beginning_at(first_bytes, {1});
        object = beginning_at(first_bytes, {2, 1});
        object.remove_prefix(std::min(object.size(), protobuf_magic.size()));
        object = beginning_at(object, {field::raw});
        return true;
    });
    if (!found)
        return found.error();
    auto node = read_oversized_node(object);
    if (!node)
        return node.error();
    return to_event(type, std::move(*node));
}

} // namespace routelet::k8s
