#pragma once
#include "controller/http.h"
#include "controller/status.h"

#include <chrono>
#include <iosfwd>
#include <string>

namespace routelet::controller {

constexpr std::chrono::seconds usual_patience{5};

// `routelet status`: asks the agent on this machine, and prints what it says.
struct StatusOptions {
    HttpAddress health;
    std::chrono::seconds patience = usual_patience; // with the agent, for its whole answer
    OutputOptions output{};                         // JSON and YAML: as the agent gives it, all of it
    StatusFilter filter{};
    // Again and again, whenever something has changed, until a signal, or until nobody reads it any more.
    // What is wrong with the agent goes to the errors, so JSON, YAML and names stay what they are.
    bool watch = false;
};

// What the agent there says on /status; the error tells how to find out why it does not.
Result<std::string> ask_for_status(const HttpAddress& agent, std::chrono::seconds patience = usual_patience);

// The exit status: 0 when the node is ready, 1 when it is not, or no agent answers.
int show_status(const StatusOptions& options, std::ostream& out, std::ostream& errors);

} // namespace routelet::controller
