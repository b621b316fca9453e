#include "cni/json_reader.h"

#include "cni/error.h"

#include <algorithm>

namespace routelet::cni {
namespace {

using nlohmann::json;

constexpr std::size_t depth_limit = 64;

// How deep brackets nest, strings left out. The parser itself would follow any depth.
std::size_t nesting_depth(std::string_view text) noexcept
{
    std::size_t depth = 0;
    std::size_t deepest = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string && c == '\\')
            ++i; // whatever is escaped ends no string
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && (c == '{' || c == '['))
            deepest = std::max(deepest, ++depth);
        else if (!in_string && (c == '}' || c == ']') && depth > 0)
            --depth;
    }
    return deepest;
}

Error wrong_type(const char* key, const json& value, const char* wanted)
{
    return failure(ErrorCode::invalid_config,
                   std::string("\"") + key + "\" is a " + value.type_name() + "; it has to be " + wanted);
}

// Null when absent or JSON's null.
const json* find(const json& object, const char* key)
{
    const auto found = object.find(key);
    return found == object.end() || found->is_null() ? nullptr : &*found;
}

} // namespace

Result<json> parse_object(std::string_view text)
{
    if (nesting_depth(text) > depth_limit)
        return failure(ErrorCode::decoding_failure,
                       "the network configuration on standard input nests deeper than " +
                           std::to_string(depth_limit) + " levels");
    json document = json::parse(text, nullptr, false);
    if (document.is_discarded())
        return failure(ErrorCode::decoding_failure,
                       "the network configuration on standard input is not valid JSON");
    if (!document.is_object())
        return failure(ErrorCode::decoding_failure,
                       "the network configuration on standard input is not a JSON object");
    return document;
}

Result<const json*> read_object(const json& object, const char* key)
{
    const json* value = find(object, key);
    if (value != nullptr && !value->is_object())
        return wrong_type(key, *value, "an object");
    return value;
}

Result<const json*> read_array(const json& object, const char* key)
{
    const json* value = find(object, key);
    if (value != nullptr && !value->is_array())
        return wrong_type(key, *value, "a list");
    return value;
}

Result<std::optional<std::string>> read_string(const json& object, const char* key)
{
    const json* value = find(object, key);
    if (value == nullptr)
        return std::optional<std::string>{};
    if (!value->is_string())
        return wrong_type(key, *value, "a string");
    return std::optional(value->get<std::string>());
}

Result<std::optional<bool>> read_bool(const json& object, const char* key)
{
    const json* value = find(object, key);
    if (value == nullptr)
        return std::optional<bool>{};
    if (!value->is_boolean())
        return wrong_type(key, *value, "true or false");
    return std::optional(value->get<bool>());
}

Result<std::optional<std::int64_t>> read_integer(const json& object, const char* key)
{
    const json* value = find(object, key);
    if (value == nullptr)
        return std::optional<std::int64_t>{};
    if (!value->is_number_integer())
        return wrong_type(key, *value, "a whole number");
    return std::optional(value->get<std::int64_t>());
}

Result<std::optional<IpAddress>> read_address(const json& object, const char* key)
{
    const Result<std::optional<std::string>> text = read_string(object, key);
    if (!text)
        return text.error();
    if (!text->has_value() || (*text)->empty())
        return std::optional<IpAddress>{};
    const Result<IpAddress> address = IpAddress::parse(**text);
    if (!address)
        return failure(ErrorCode::invalid_config,
                       std::string("\"") + key + "\" is \"" + **text + "\", which is not an address");
    return std::optional(*address);
}

} // namespace routelet::cni
