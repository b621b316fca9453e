#include "k8sclient/tls.h"

#include "k8sclient/credentials.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/error.hpp>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

namespace routelet::k8s {
namespace {

namespace ssl = boost::asio::ssl;
using Code = boost::system::error_code;

// The name that the server's certificate must be for.
std::string expected_name(const ClusterConfig& config)
{
    std::string name = config.tls_server_name.empty() ? config.host : config.tls_server_name;
    return name.substr(0, name.find('%')); // a certificate knows no zones
}

bool is_address(const std::string& name)
{
    Code code;
    boost::asio::ip::make_address(name, code);
    return !code;
}

Error openssl_error(std::string context)
{
    return {Code(static_cast<int>(ERR_get_error()), boost::asio::error::get_ssl_category()),
            std::move(context)};
}

Result<> trust(ssl::context& context, const ClusterConfig& config, const std::string& ca)
{
    if (config.skip_tls_verify) {
        context.set_verify_mode(ssl::verify_none);
        return {};
    }
    context.set_verify_mode(ssl::verify_peer);
    // A certificate in the CA file is trusted for what it signed even when it is not self-signed, as in every
    // Kubernetes component.
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context.native_handle()), X509_V_FLAG_PARTIAL_CHAIN);
    Code code;
    if (ca.empty()) {
        context.set_default_verify_paths(code);
        return code ? Result<>(Error{code, "loading the system's certificate authorities"}) : Result<>();
    }
    context.add_certificate_authority(boost::asio::buffer(ca), code);
    return code ? Result<>(Error{code, "CA of " + config.origin}) : Result<>();
}

Result<> present(ssl::context& context, const std::string& certificate, const std::string& key,
                 std::string_view what)
{
    Code code;
    context.use_certificate_chain(boost::asio::buffer(certificate), code);
    if (!code)
        context.use_private_key(boost::asio::buffer(key), ssl::context::pem, code);
    if (code && ERR_GET_REASON(static_cast<unsigned long>(code.value())) != X509_R_KEY_VALUES_MISMATCH)
        return Error{code, std::string(what)};
    if (code || SSL_CTX_check_private_key(context.native_handle()) != 1)
        return make_error(boost::system::errc::invalid_argument,
                          std::string(what) + ": certificate and key do not belong together");
    return {};
}

// What to do about a certificate that was not accepted, for `result` of x509_vfy.h.
std::string explanation(long result, const ClusterConfig& config)
{
    switch (result) {
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        return config.ca.empty() ? "no CA is configured in " + config.origin +
                                       ", and none of the system's did sign the server's certificate"
                                 : "the CA in " + config.origin + " did not sign the server's certificate";
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return "the server's certificate has expired, or this machine's clock is wrong";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "the server's certificate is not valid yet, or this machine's clock is wrong";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return "the server's certificate is not for " + expected_name(config) +
               "; use a name that is in it, or give that as tls-server-name";
    default:
        return "the server's certificate was not accepted";
    }
}

} // namespace

Result<ssl::context> make_tls_context(const ClusterConfig& config, const TlsMaterial& material)
{
    ssl::context context(ssl::context::tls_client);
    SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
    if (auto trusted = trust(context, config, material.ca); !trusted)
        return trusted.error();
    if (material.certificate.empty())
        return context;
    auto presented = present(context, material.certificate, material.key.reveal(),
                             "client certificate of " + config.origin);
    if (!presented)
        return presented.error();
    return context;
}

Result<> check_authorities(const std::string& pem, std::string_view what)
{
    ssl::context context(ssl::context::tls_client);
    Code code;
    context.add_certificate_authority(boost::asio::buffer(pem), code);
    return code ? Result<>(Error{code, std::string(what)}) : Result<>();
}

Result<> check_key_pair(const std::string& certificate, const std::string& key, std::string_view what)
{
    ssl::context context(ssl::context::tls_client);
    return present(context, certificate, key, what);
}

Result<> set_server_name(SSL* ssl, const ClusterConfig& config)
{
    const std::string name = expected_name(config);
    X509_VERIFY_PARAM* verify = SSL_get0_param(ssl);
    bool is_set = false;
    if (is_address(name)) {
        is_set = X509_VERIFY_PARAM_set1_ip_asc(verify, name.c_str()) == 1;
    } else {
        // The common name of the subject is no name of the server (RFC 6125 section 6.4.4).
        X509_VERIFY_PARAM_set_hostflags(verify, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
        is_set = X509_VERIFY_PARAM_set1_host(verify, name.data(), name.size()) == 1 &&
                 SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                          const_cast<char*>(name.c_str())) == 1; // what SSL_set_tlsext_host_name expands to
    }
    if (!is_set)
        return openssl_error("setting the server name " + name);
    return {};
}

Error handshake_error(SSL* ssl, const ClusterConfig& config, boost::system::error_code code)
{
    std::string context = "TLS to " + config.url();
    const long result = SSL_get_verify_result(ssl);
    if (result != X509_V_OK && !config.skip_tls_verify)
        context += ": " + explanation(result, config) + " (" + X509_verify_cert_error_string(result) + ")";
    return {code, std::move(context)};
}

} // namespace routelet::k8s
