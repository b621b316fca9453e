#pragma once
#include <string>

namespace routelet::k8s {

// A bearer token, password or private key. Has no operator<<, so a log line that would print it does not
// compile.
class Secret {
public:
    Secret() = default;
    explicit Secret(std::string value) : value_(std::move(value)) {}
    const std::string& reveal() const noexcept { return value_; }
    bool empty() const noexcept { return value_.empty(); }

private:
    std::string value_;
};

} // namespace routelet::k8s
