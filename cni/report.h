#pragma once
#include "base/log_line.h"

#include <functional>

namespace routelet::cni {

// Where something goes that a person should know of although the call goes on.
using Report = std::function<void(const LogLine&)>;

// To standard error, which runtimes put into their log. A call in which nothing is wrong writes nothing
// there.
void report_to_standard_error(const LogLine& line);

} // namespace routelet::cni
