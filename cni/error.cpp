#include "cni/error.h"

#include <boost/system/error_category.hpp>

namespace routelet::cni {
namespace {

const char* meaning(ErrorCode code) noexcept
{
    switch (code) {
    case ErrorCode::incompatible_version:
        return "incompatible CNI version";
    case ErrorCode::unsupported_field:
        return "unsupported field in network configuration";
    case ErrorCode::unknown_container:
        return "container unknown or does not exist";
    case ErrorCode::invalid_environment:
        return "invalid necessary environment variables";
    case ErrorCode::io_failure:
        return "I/O failure";
    case ErrorCode::decoding_failure:
        return "failed to decode content";
    case ErrorCode::invalid_config:
        return "invalid network configuration";
    case ErrorCode::invalid_netns:
        return "invalid network namespace";
    case ErrorCode::try_again_later:
        return "try again later";
    case ErrorCode::not_available:
        return "the plugin is not available";
    case ErrorCode::limited_connectivity:
        return "the plugin is not available, and the pods of the network have limited connectivity";
    case ErrorCode::system_failure:
        return "the kernel or the file system refused";
    case ErrorCode::addresses_exhausted:
        return "no address is left";
    case ErrorCode::already_attached:
        return "the container has this interface already";
    case ErrorCode::attachment_differs:
        return "the attachment is not as ADD left it";
    case ErrorCode::bridge_full:
        return "the bridge has no port left";
    case ErrorCode::host_port_taken:
        return "another pod has this port of the node";
    }
    return "unknown CNI error";
}

// Boost's base class has no virtual destructor, on purpose: categories are never deleted through it.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"
class Category final : public boost::system::error_category {
public:
    const char* name() const noexcept override { return "cni"; }
    std::string message(int value) const override { return meaning(static_cast<ErrorCode>(value)); }
};
#pragma GCC diagnostic pop

const Category& category() noexcept
{
    static const Category instance;
    return instance;
}

} // namespace

boost::system::error_code make_error_code(ErrorCode code) noexcept
{
    return {static_cast<int>(code), category()};
}

Error failure(ErrorCode code, std::string context)
{
    return {make_error_code(code), std::move(context)};
}

Error invalid_config(std::string context)
{
    return failure(ErrorCode::invalid_config, std::move(context));
}

int code_of(const Error& error) noexcept
{
    const bool is_ours = error.code.category() == category();
    return is_ours ? error.code.value() : static_cast<int>(ErrorCode::system_failure);
}

bool has_code(const Error& error, ErrorCode code) noexcept
{
    return error.code == make_error_code(code);
}

std::string message_of(const Error& error)
{
    return error.code.category() == category() ? error.context : error.text();
}

std::string details_of(const Error& error)
{
    return meaning(static_cast<ErrorCode>(code_of(error)));
}

} // namespace routelet::cni
