#pragma once
#include "controller/finding.h"
#include "controller/log.h"

#include <map>
#include <string>
#include <vector>

namespace routelet::controller {

// Tells findings in the log when they appear, when what they say changes, and when they are over, and is
// silent in between.
class FindingLog {
public:
    explicit FindingLog(const Log& log) : log_(log) {}

    // All that there are now. The event is the finding's code.
    void tell(const std::vector<Finding>& findings);

private:
    const Log& log_;
    std::map<std::string, std::vector<Finding>> told_; // by code
};

} // namespace routelet::controller
