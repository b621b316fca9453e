#pragma once
#include "base/result.h"

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace routelet::controller {

// What is larger is no plugin: bytes. A build with sanitizers has some 20 MB.
constexpr std::size_t largest_plugin = 256U << 20U;

// The CNI versions that a plugin says it speaks, as it prints them: its answer to CNI_COMMAND=VERSION (CNI
// SPEC 1.1.0, "VERSION"), with nothing else in its environment. Fails with the errno of starting it (a
// program for another processor, or one whose libraries are not here), with timed_out when it has not
// answered by then, and with bad_message when the answer is none. Ends what it started in every case. Blocks.
Result<std::vector<std::string>>
ask_cni_versions(const std::filesystem::path& plugin,
                 std::chrono::milliseconds patience = std::chrono::seconds(2));

} // namespace routelet::controller
