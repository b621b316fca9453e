#include "test/lab/protobuf.h"

#include "test/lab/time.h"

#include <protozero/pbf_writer.hpp>
#include <protozero/varint.hpp>

#include <iterator>
#include <stdexcept>

namespace routelet::lab {
namespace {

using protozero::pbf_writer;
using Type = Field::Type;
using Shape = Field::Shape;

constexpr std::string_view prefix("k8s\0", 4);

bool fits(Type type, const Json& value)
{
    switch (type) {
    case Type::text:
    case Type::quantity:
        return value.is_string();
    case Type::integer:
        return value.is_number_integer();
    case Type::boolean:
        return value.is_boolean();
    case Type::time:
        return value.is_string() && time_of(value.get_ref<const std::string&>());
    case Type::fields_v1:
    case Type::message:
        return value.is_object();
    }
    return false;
}

std::int64_t seconds_of(const Json& time)
{
    const auto since_epoch = time_of(time.get_ref<const std::string&>())->time_since_epoch();
    return std::chrono::duration_cast<std::chrono::seconds>(since_epoch).count();
}

// Requires: `value` fits the field's type.
void write_value(pbf_writer& out, const Field& field, int number, const Json& value)
{
    const auto tag = static_cast<protozero::pbf_tag_type>(number);
    switch (field.type) {
    case Type::text:
        return out.add_string(tag, value.get_ref<const std::string&>());
    case Type::integer:
        return out.add_int64(tag, value.get<std::int64_t>());
    case Type::boolean:
        return out.add_bool(tag, value.get<bool>());
    default:
        break;
    }

    std::string content; // a nested pbf_writer would leave out what turns out empty
    pbf_writer inner(content);
    if (field.type == Type::message) {
        content = encoded(*field.message, value);
    } else if (field.type == Type::time) {
        inner.add_int64(1, seconds_of(value));
        inner.add_int32(2, 0); // nanos, which RFC 3339 in whole seconds has not
    } else {
        inner.add_string(1, field.type == Type::quantity ? value.get<std::string>() : to_text(value));
    }
    out.add_message(tag, content);
}

// What Go writes for a value that nobody has set.
void write_nothing(pbf_writer& out, const Field& field)
{
    const auto tag = static_cast<protozero::pbf_tag_type>(field.number);
    if (field.type == Type::integer || field.type == Type::boolean)
        return out.add_int64(tag, 0);
    std::string content;
    if (field.type == Type::message)
        content = encoded(*field.message, nullptr);
    out.add_message(tag, content);
}

void write_map(pbf_writer& out, const Field& field, const Json& members)
{
    for (const auto& [key, value] : members.items()) {
        if (!fits(field.type, value))
            continue;
        pbf_writer entry(out, static_cast<protozero::pbf_tag_type>(field.number));
        entry.add_string(1, key);
        write_value(entry, field, 2, value);
    }
}

void write_field(pbf_writer& out, const Field& field, const Json& value)
{
    if (field.shape == Shape::map) {
        if (value.is_object())
            write_map(out, field, value);
    } else if (field.shape == Shape::list) {
        if (value.is_array())
            for (const Json& item : value)
                if (fits(field.type, item))
                    write_value(out, field, field.number, item);
    } else if (fits(field.type, value)) {
        write_value(out, field, field.number, value);
    } else if (field.shape == Shape::always) {
        write_nothing(out, field);
    }
}

const Message& message_of(std::string_view kind)
{
    if (kind == "Node")
        return node_message();
    if (kind == "Status")
        return status_message();
    throw std::logic_error("the lab has no protobuf schema of " + std::string(kind));
}

} // namespace

std::string encoded(const Message& message, const Json& object, int first, int last)
{
    std::string bytes;
    pbf_writer out(bytes);
    for (const Field& field : message.fields)
        if (field.number >= first && field.number <= last)
            write_field(out, field, at_path(object, {field.name}));
    return bytes;
}

std::string field_head(int number, std::uint64_t length)
{
    std::string head;
    constexpr unsigned length_delimited = 2;
    protozero::write_varint(std::back_inserter(head), static_cast<unsigned>(number) << 3U | length_delimited);
    protozero::write_varint(std::back_inserter(head), length);
    return head;
}

std::string protobuf_body_head(std::string_view kind, std::uint64_t length)
{
    std::string type;
    pbf_writer writer(type);
    writer.add_string(1, "v1");
    writer.add_string(2, kind.data(), kind.size());
    return std::string(prefix) + field_head(1, type.size()) + type + field_head(2, length);
}

std::string protobuf_body(std::string_view kind, std::string_view message)
{
    std::string body = protobuf_body_head(kind, message.size());
    body.reserve(body.size() + message.size() + protobuf_body_tail.size());
    return body.append(message).append(protobuf_body_tail);
}

std::string to_protobuf(std::string_view kind, const Json& object)
{
    return protobuf_body(kind, encoded(message_of(kind), object));
}

std::string encoded_node_list(const Json& metadata, const std::vector<Object>& nodes)
{
    std::string bytes;
    pbf_writer list(bytes);
    list.add_message(1, encoded(list_metadata_message(), metadata));
    for (const Object& node : nodes)
        list.add_message(2, encoded(node_message(), *node));
    return bytes;
}

std::string node_list_to_protobuf(const Json& metadata, const std::vector<Object>& nodes)
{
    return protobuf_body("NodeList", encoded_node_list(metadata, nodes));
}

std::string protobuf_event(std::string_view type, std::string_view body)
{
    const std::string object_head = field_head(1, body.size());
    std::string event;
    event.reserve(body.size() + 64);
    event.append(field_head(1, type.size())).append(type);
    event.append(field_head(2, object_head.size() + body.size())).append(object_head).append(body);

    const auto length = static_cast<std::uint32_t>(event.size());
    std::string frame;
    frame.reserve(4 + event.size());
    for (const unsigned shift : {24U, 16U, 8U, 0U})
        frame += static_cast<char>(length >> shift);
    return frame.append(event);
}

} // namespace routelet::lab
