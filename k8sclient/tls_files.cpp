#include "k8sclient/tls_files.h"

#include "k8sclient/credentials.h"
#include "k8sclient/tls.h"

namespace routelet::k8s {
namespace {

struct Pair {
    std::string certificate;
    Secret key;
};

Result<std::string> read_ca(const ClusterConfig& config)
{
    auto pem = read_pem(config.ca, "CA");
    if (!pem || config.ca.empty())
        return pem;
    if (auto usable = check_has_certificate(*pem, config.ca, "CA"); !usable)
        return usable.error();
    if (auto usable = check_authorities(*pem, "CA of " + config.origin); !usable)
        return usable.error();
    return pem;
}

Result<Pair> read_pair(const ClusterConfig& config)
{
    if (config.client_certificate.empty())
        return Pair();
    auto certificate = read_pem(config.client_certificate, "client certificate");
    if (!certificate)
        return certificate.error();
    auto key = read_pem(config.client_key, "client key");
    if (!key)
        return key.error();
    if (auto usable = check_has_certificate(*certificate, config.client_certificate, "client certificate");
        !usable)
        return usable.error();
    if (auto usable = check_has_private_key(*key, config.client_key); !usable)
        return usable.error();
    if (auto usable = check_key_pair(*certificate, *key, "client certificate of " + config.origin); !usable)
        return usable.error();
    return Pair{std::move(*certificate), Secret(std::move(*key))};
}

} // namespace

Result<TlsMaterial> TlsFiles::read(const ClusterConfig& config)
{
    trouble_.reset();
    const Result<std::string> ca = read_ca(config);
    const Result<Pair> pair = read_pair(config);
    if (!ca || !pair)
        trouble_ = ca ? pair.error() : ca.error();
    if (trouble_ && !last_good_)
        return *trouble_;

    TlsMaterial material = last_good_.value_or(TlsMaterial());
    if (ca)
        material.ca = *ca;
    if (pair) {
        material.certificate = pair->certificate;
        material.key = pair->key;
    }
    last_good_ = material;
    return material;
}

} // namespace routelet::k8s
