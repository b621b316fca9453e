#pragma once
#include "base/result.h"
#include "cni/environment.h"

#include <string>

namespace routelet::cni {

// How a call ends: one JSON document for standard output, or nothing, and the exit code.
struct Outcome {
    std::string output;
    int exit_code = 0;
    std::string problem; // the error's text, for a log; empty on success
};

// The name that the program was called by: a runtime takes the plugin of a configuration's type.
enum class Plugin { routelet, loopback };

// One call of the plugin (CNI SPEC 1.1.0, section 2): a verb and its parameters in the environment, the
// network configuration on standard input. Nothing throws out of it, whatever the input.
Outcome run(Plugin plugin, const Variables& variable, const Result<std::string>& input);

} // namespace routelet::cni
