#pragma once
#include <string_view>

namespace routelet {

std::string_view version() noexcept; // "0.1.0"
std::string_view commit() noexcept;  // abbreviated git commit that was built, "unknown" outside a checkout

} // namespace routelet
