#pragma once
#include <chrono>

namespace routelet::cni {

// How long a call waits for other calls: for a folder's lock, or for rules to stay as they were read. Of many
// that start at once each goes on when those before it have, and the last has waited for all others.
constexpr std::chrono::seconds patience_with_others{10};

} // namespace routelet::cni
