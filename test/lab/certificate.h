#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace routelet::lab {

// Where a server's TLS identity lies.
struct Identity {
    std::filesystem::path ca;          // PEM, for clients
    std::filesystem::path certificate; // PEM
    std::filesystem::path key;         // PEM, mode 0600
};

// Makes a CA and a server certificate signed by it (EC P-256, ten years) in `directory`, and uses those that
// are there already. The server certificate is made again when `names` changed; clients of the CA see no
// difference. Names that are IP addresses become iPAddress entries, others dNSName.
// Throws std::runtime_error with OpenSSL's words.
Identity identity_in(const std::filesystem::path& directory, const std::vector<std::string>& names);

} // namespace routelet::lab
