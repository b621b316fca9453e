#pragma once
#include "test/lab/json.h"

#include <exception>
#include <optional>
#include <string>
#include <vector>

namespace routelet::lab {

// A request that is answered with a Status object (meta/v1 Status) instead of what it asked for. Thrown from
// the depth of a handler and caught in one place, Api::answer(), so that handlers read as the good case.
class Refusal : public std::exception {
public:
    Refusal(unsigned code, std::string reason, std::string message, Json details = nullptr);

    unsigned code() const noexcept { return code_; }
    const Json& status() const noexcept { return status_; }                              // kind Status
    const std::optional<unsigned>& retry_after() const noexcept { return retry_after_; } // seconds
    const char* what() const noexcept override { return message_.c_str(); }

    Refusal with_retry_after(unsigned seconds) &&;
    Refusal with_metadata(Json metadata) &&;

private:
    unsigned code_;
    std::string message_;
    Json status_;
    std::optional<unsigned> retry_after_;
};

// The wording of k8s.io/apimachinery/pkg/api/errors, which clients and people match on.
Json status_failure(unsigned code, const std::string& reason, const std::string& message,
                    Json details = nullptr);
Refusal bad_request(const std::string& message);
Refusal unauthorized();
Refusal path_not_found();
Refusal not_acceptable(bool protobuf_is_known);
Refusal not_found(const std::string& resource, const std::string& name);
Refusal already_exists(const std::string& resource, const std::string& name);
Refusal conflict(const std::string& resource, const std::string& name, const std::string& why);
Refusal invalid(const std::string& kind, const std::string& name, const std::string& field,
                const std::string& why);

// One of the things that are wrong with a query.
struct FieldError {
    std::string reason;  // FieldValueForbidden
    std::string message; // Forbidden: ...
    std::string field;
};
Refusal invalid_options(const std::vector<FieldError>& errors);

Refusal expired(const std::string& message);
Refusal version_too_large(std::uint64_t wanted, std::uint64_t current);

} // namespace routelet::lab
