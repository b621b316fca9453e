#pragma once
#include "base/ip.h"
#include "base/result.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace routelet::cni {

// Typed access to a configuration's keys. An absent key and null are the same: nothing. A value of another
// type fails with invalid_config, and the message names the key. Never throws.

// One JSON object, with nothing after it but white space. Fails with decoding_failure, also on a document
// that is too deep.
Result<nlohmann::json> parse_object(std::string_view text);

// The pointers point into `object`; null when absent.
Result<const nlohmann::json*> read_object(const nlohmann::json& object, const char* key);
Result<const nlohmann::json*> read_array(const nlohmann::json& object, const char* key);
Result<std::optional<std::string>> read_string(const nlohmann::json& object, const char* key);
Result<std::optional<bool>> read_bool(const nlohmann::json& object, const char* key);
Result<std::optional<std::int64_t>> read_integer(const nlohmann::json& object, const char* key);
Result<std::optional<IpAddress>> read_address(const nlohmann::json& object, const char* key); // "" is absent

} // namespace routelet::cni
