#include "controller/boot_stamp.h"

#include "base/file.h"

namespace routelet::controller {

Result<> stamp_with_boot(const std::filesystem::path& file)
{
    const Result<std::string> boot = read_file("/proc/sys/kernel/random/boot_id");
    if (!boot)
        return boot.error();
    const Result<std::string> present = read_regular_file(file);
    if (present && *present == *boot)
        return {};
    std::error_code failed;
    std::filesystem::create_directories(file.parent_path(), failed);
    if (failed)
        return Error{failed, "making the folder " + file.parent_path().string()};
    return write_file_atomically(file, *boot);
}

} // namespace routelet::controller
