#include "cni/report.h"

#include <unistd.h>

#include <chrono>

namespace routelet::cni {

void report_to_standard_error(const LogLine& line)
{
    const std::string text = to_logfmt(line, std::chrono::system_clock::now()) + "\n";
    if (::write(STDERR_FILENO, text.data(), text.size()) < 0)
        return; // and nobody is left to tell
}

} // namespace routelet::cni
