#pragma once
#include <chrono>
#include <filesystem>
#include <memory>
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

// A certificate and its key, PEM.
struct IssuedCertificate {
    std::string certificate;
    std::string key;
};

// What a certificate is to say. Times are from now.
struct CertificateWish {
    std::vector<std::string> names = {}; // as for identity_in(); none: no subjectAltName
    std::string common_name = "routelet-lab";
    std::chrono::seconds begins = std::chrono::hours(-1);
    std::chrono::seconds ends = std::chrono::hours(1);
};

// A CA in memory, for certificates that are wrong in a way of one's own.
class Authority {
public:
    Authority();
    ~Authority();
    Authority(Authority&&) noexcept;

    const std::string& certificate() const noexcept { return certificate_; } // PEM
    IssuedCertificate issue(const CertificateWish& wish) const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
    std::string certificate_;
};

} // namespace routelet::lab
