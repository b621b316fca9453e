#include "test/lab/time.h"

#include <ctime>
#include <iomanip>
#include <sstream>

namespace routelet::lab {

std::optional<std::chrono::system_clock::time_point> time_of(const std::string& text)
{
    std::tm parts{};
    std::istringstream in(text);
    in >> std::get_time(&parts, "%Y-%m-%dT%H:%M:%S");
    if (in.fail())
        return std::nullopt;
    return std::chrono::system_clock::from_time_t(::timegm(&parts));
}

} // namespace routelet::lab
