#pragma once
#include <chrono>
#include <optional>
#include <string>

namespace routelet::lab {

// The time that an RFC 3339 text in UTC names, in whole seconds; nothing for another text.
std::optional<std::chrono::system_clock::time_point> time_of(const std::string& text);

} // namespace routelet::lab
