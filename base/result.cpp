#include "base/result.h"

#include <boost/system/system_error.hpp>

#include <cerrno>

namespace routelet {

std::string Error::text() const
{
    // What we refuse ourselves is said in full by the context; "Invalid argument" would add nothing.
    if (!code || code == boost::system::errc::make_error_code(boost::system::errc::invalid_argument))
        return context;
    if (context.empty())
        return code.message();
    return context + ": " + code.message();
}

Error Error::within(std::string_view what) const
{
    if (context.empty())
        return {code, std::string(what)};
    return {code, std::string(what) + ": " + context};
}

Error last_errno(std::string context)
{
    return {{errno, boost::system::system_category()}, std::move(context)};
}

Error make_error(boost::system::errc::errc_t code, std::string context)
{
    return {boost::system::errc::make_error_code(code), std::move(context)};
}

void throw_exception_from_error(const Error& error, const boost::source_location& where)
{
    (void)where; // the text says what was being done, which serves an operator better than a line number
    throw boost::system::system_error(error.code, error.context);
}

} // namespace routelet
