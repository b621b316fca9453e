#pragma once
#include "controller/diagnosis/machine.h"
#include "controller/http.h"
#include "controller/output.h"

#include <iosfwd>

namespace routelet::controller {

// `routelet doctor`: looks at this machine for what loses pods' packets.
struct DoctorOptions {
    std::optional<HttpAddress> health{}; // none: no agent is asked
    MachineOptions machine{.probes = 16};
    OutputOptions output{};
};

// The exit status: 0 when nothing is broken, 1 when something is, or the kernel cannot be read.
int show_diagnosis(const DoctorOptions& options, std::ostream& out, std::ostream& errors);

} // namespace routelet::controller
