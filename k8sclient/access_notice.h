#pragma once
#include "base/result.h"

#include <optional>
#include <string>

namespace routelet::k8s {

// What an operator should know about how the API server is reached.
struct AccessNotice {
    enum class What {
        connected, // to `server`, the first or another than before; `error`: why not to that one any more
        credentials_kept, // what a file of CA or client certificate holds now cannot be used, as `error`
                          // says; what it held before is used on
        credentials_good, // that is over
    };
    What what = What::connected;
    std::string server = {}; // URL
    std::optional<Error> error = {};
};

} // namespace routelet::k8s
