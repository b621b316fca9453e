#pragma once
#include <string>

namespace routelet::controller {

// Something that an operator should know while it lasts. The code is the same word in the log, in the status
// and in docs/troubleshooting.md.
struct Finding {
    std::string code;   // "cni-config-shadowed"
    std::string detail; // the values: which file, link, node
    std::string remedy; // one sentence

    friend bool operator==(const Finding&, const Finding&) = default;
};

} // namespace routelet::controller
