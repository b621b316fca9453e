#include "cni/sysctl.h"

#include "base/file.h"
#include "base/unique_fd.h"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <string>

namespace routelet::cni {
namespace {

const std::filesystem::path conf = "/proc/sys/net/ipv6/conf";

bool holds(const std::filesystem::path& setting, std::string_view value)
{
    const Result<std::string> content = read_file(setting);
    return content && std::string_view(*content).substr(0, content->find('\n')) == value;
}

Result<> write(const std::filesystem::path& setting, std::string_view value)
{
    const UniqueFd file(::open(setting.c_str(), O_WRONLY | O_CLOEXEC));
    if (!file || ::write(file.fd(), value.data(), value.size()) < 0)
        return last_errno("writing " + std::string(value) + " to " + setting.string());
    return {};
}

Result<> set(const std::filesystem::path& setting, std::string_view value)
{
    return holds(setting, value) ? Result<>() : write(setting, value);
}

// Interfaces whose accept_ra of 1 would come to mean 0.
Result<> keep_router_advertisements()
{
    std::error_code failed;
    std::filesystem::directory_iterator it(conf, failed);
    for (; !failed && it != std::filesystem::directory_iterator(); it.increment(failed)) {
        const std::filesystem::path interface = it->path();
        const std::string name = interface.filename().string();
        if (name == "all" || name == "default")
            continue; // they are patterns, not interfaces
        if (!holds(interface / "accept_ra", "1") || !holds(interface / "forwarding", "0"))
            continue;
        const Result<> kept = set(interface / "accept_ra", "2");
        if (!kept && kept.error().code != boost::system::errc::no_such_file_or_directory) // deleted just now
            return kept;
    }
    if (failed)
        return Error{failed, "listing " + conf.string()};
    return {};
}

} // namespace

Result<> turn_on_ipv6_forwarding()
{
    const std::filesystem::path forwarding = conf / "all/forwarding";
    if (holds(forwarding, "1"))
        return {};
    if (auto kept = keep_router_advertisements(); !kept)
        return kept;
    return set(forwarding, "1");
}

void ignore_router_advertisements(const netlink::Link& interface)
{
    if (interface.accepts_router_advertisements)
        ignore_router_advertisements(interface.name);
}

void ignore_router_advertisements(std::string_view new_interface)
{
    (void)write(conf / new_interface / "accept_ra", "0"); // see the header for why a failure is none
}

void keep_addresses_on_down(const netlink::Link& interface)
{
    if (!interface.keeps_ipv6_addresses)
        (void)write(conf / interface.name / "keep_addr_on_down", "1"); // likewise
}

Result<> enable_ipv6(std::string_view interface)
{
    return set(conf / interface / "disable_ipv6", "0");
}

} // namespace routelet::cni
