#pragma once
#include "test/lab/request.h"

#include <optional>
#include <string>

namespace routelet::lab {

// What the server says about itself: /version, /api, /api/v1, /apis, /healthz, /readyz, /livez, and as much
// of /openapi/v3 as kubectl needs to leave validation to the server. Nothing for other paths.
std::optional<Reply> describe_server(const std::string& path);

} // namespace routelet::lab
