#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace routelet::lab {

std::string to_base64(std::string_view bytes);                 // RFC 4648 section 4, padded
std::optional<std::string> from_base64(std::string_view text); // nothing when it is not that

} // namespace routelet::lab
