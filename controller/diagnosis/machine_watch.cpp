#include "controller/diagnosis/machine_watch.h"

namespace routelet::controller {

void MachineWatch::look(std::chrono::steady_clock::time_point now)
{
    if (looked_ && now - *looked_ < interval_)
        return;
    looked_ = now;
    const Result<MachineFacts> machine = read_machine(options_);
    if (!machine)
        return; // the reconciler says so
    findings_ = findings_of(examine(*machine));
    std::erase_if(findings_, [](const Finding& finding) { return finding.code == "forwarding-off"; });
}

} // namespace routelet::controller
