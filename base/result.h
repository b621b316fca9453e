#pragma once
#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>

#include <ostream>
#include <string>
#include <string_view>

namespace routelet {

// A failure that the caller is expected to handle: what the kernel, the API server or a file said.
struct Error {
    boost::system::error_code code; // errno, an Asio error, or an enum of ours
    std::string context;            // what was being done, and the answer's own words if it had any

    // "adding route 10.244.1.0/24: Nexthop has invalid gateway: Network is unreachable"
    std::string text() const;
    // The same failure, seen from one level up: "reading kubeconfig: " + context.
    Error within(std::string_view what) const;

    friend std::ostream& operator<<(std::ostream& out, const Error& error) { return out << error.text(); }
};

// boost::system::result with [[nodiscard]] on the type, which Boost 1.81 leaves out.
template <class T = void>
class [[nodiscard]] Result : public boost::system::result<T, Error> {
public:
    using boost::system::result<T, Error>::result;
};

// The error for a failed system call: errno, and what was being done.
Error last_errno(std::string context);
Error make_error(boost::system::errc::errc_t code, std::string context);

// Lets Result::value() throw boost::system::system_error with the error's context as its text.
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location& where);

} // namespace routelet
