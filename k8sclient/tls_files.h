#pragma once
#include "base/result.h"
#include "k8sclient/config.h"

#include <optional>
#include <string>

namespace routelet::k8s {

// PEM texts that can be used: the CA, and a client certificate whose key is the one beside it.
struct TlsMaterial {
    std::string ca;          // empty: the system's roots
    std::string certificate; // empty: none
    Secret key;
};

// CA, client certificate and key of a configuration as their files are now. Files that are just being
// replaced may be empty, cut, or not belong together: then what they held before is used on, the CA and the
// pair each by itself.
class TlsFiles {
public:
    // Fails only when nothing of before can stand in.
    Result<TlsMaterial> read(const ClusterConfig& config);

    // Why something of before did stand in, at the last read().
    const std::optional<Error>& trouble() const noexcept { return trouble_; }

private:
    std::optional<TlsMaterial> last_good_;
    std::optional<Error> trouble_;
};

} // namespace routelet::k8s
