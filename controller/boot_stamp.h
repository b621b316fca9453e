#pragma once
#include "base/result.h"

#include <filesystem>

namespace routelet::controller {

// Says in a file that something was done since the machine booted: its content is this boot's id, as in
// /proc/sys/kernel/random/boot_id. Its folder is made when missing. A file that says so already is not
// written again.
Result<> stamp_with_boot(const std::filesystem::path& file);

} // namespace routelet::controller
