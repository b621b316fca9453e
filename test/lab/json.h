#pragma once
#include <nlohmann/json.hpp>

#include <initializer_list>
#include <string>
#include <string_view>

namespace routelet::lab {

using Json = nlohmann::json;

// What is at metadata/name and the like, or null when a step is absent or no object: Nodes in the lab may be
// as odd as tests want them.
const Json& at_path(const Json& object, std::initializer_list<std::string_view> path);

// The text there; "" when there is none or it is something else.
std::string text_at(const Json& object, std::initializer_list<std::string_view> path);

// A list's items, an object's members: nothing to iterate over when it is neither.
const Json& list_at(const Json& object, std::initializer_list<std::string_view> path);

// Bytes that are not UTF-8 become U+FFFD instead of an exception.
std::string to_text(const Json& value);

} // namespace routelet::lab
