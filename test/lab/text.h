#pragma once
#include <string_view>
#include <vector>

namespace routelet::lab {

std::vector<std::string_view> split(std::string_view text, char separator); // at least one part
std::string_view trimmed(std::string_view text);                            // of spaces

} // namespace routelet::lab
