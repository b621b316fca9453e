#pragma once
#include "controller/diagnosis/path.h"
#include "controller/http.h"
#include "controller/output.h"

#include <iosfwd>
#include <string>

namespace routelet::controller {

// `routelet explain`: where the way from this machine's pods to an address breaks.
struct ExplainOptions {
    std::string asked; // an address, or a node's name
    HttpAddress health;
    PathOptions path;
    OutputOptions output{};
};

// The exit status: 0 when nothing is broken, 1 when something is, or the kernel cannot be read, or there is
// no such node.
int show_explanation(const ExplainOptions& options, std::ostream& out, std::ostream& errors);

} // namespace routelet::controller
