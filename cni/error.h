#pragma once
#include "base/result.h"

#include <string>
#include <system_error>
#include <type_traits>

namespace routelet::cni {

// The numbers of the CNI error object (CNI SPEC 1.1.0, "Error"). 0-99 are the specification's, 8 is libcni's,
// from 100 on they are ours.
enum class ErrorCode {
    incompatible_version = 1,
    unsupported_field = 2, // the message has to name key and value
    unknown_container = 3,
    invalid_environment = 4, // the message has to name the variables
    io_failure = 5,
    decoding_failure = 6,
    invalid_config = 7,
    invalid_netns = 8,
    try_again_later = 11,
    not_available = 50,        // STATUS: ADD cannot be served
    limited_connectivity = 51, // STATUS: and pods that are there have no network either
    system_failure = 100,
    addresses_exhausted = 101,
    already_attached = 102,
    attachment_differs = 103, // CHECK
    bridge_full = 104,        // a Linux bridge has 1023 ports
    host_port_taken = 105,    // by another pod of the node
};

boost::system::error_code make_error_code(ErrorCode code) noexcept;

// The context is the whole message: what is wrong, where, and what to do.
Error failure(ErrorCode code, std::string context);
Error invalid_config(std::string context); // failure(ErrorCode::invalid_config, ...)

// The number that the error object carries: an ErrorCode's own, system_failure for an errno.
int code_of(const Error& error) noexcept;
bool has_code(const Error& error, ErrorCode code) noexcept;

// The error object's `msg` and `details`.
std::string message_of(const Error& error);
std::string details_of(const Error& error);

} // namespace routelet::cni

template <>
struct boost::system::is_error_code_enum<routelet::cni::ErrorCode> : std::true_type {
};
