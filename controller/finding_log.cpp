#include "controller/finding_log.h"

#include <algorithm>

namespace routelet::controller {

void FindingLog::tell(const std::vector<Finding>& findings)
{
    std::map<std::string, std::vector<Finding>> current;
    for (const Finding& finding : findings)
        current[finding.code].push_back(finding);

    for (const auto& [code, all] : current)
        for (const Finding& finding : all)
            if (const auto& before = told_[code]; std::ranges::find(before, finding) == before.end())
                log_.write(LogLine(LogLevel::warn, code)
                               .with("detail", finding.detail)
                               .with("remedy", finding.remedy));
    for (const auto& [code, before] : told_)
        if (!before.empty() && !current.contains(code))
            log_.write(LogLine(LogLevel::info, "finding-over").with("code", code));
    told_ = std::move(current);
}

} // namespace routelet::controller
