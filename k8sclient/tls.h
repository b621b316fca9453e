#pragma once
#include "base/result.h"
#include "k8sclient/config.h"
#include "k8sclient/tls_files.h"

#include <boost/asio/ssl/context.hpp>
#include <openssl/ssl.h>

#include <string>
#include <string_view>

namespace routelet::k8s {

// A client context that trusts and presents `material`: TLS 1.2 or newer, the configured CA only, else the
// system's roots.
Result<boost::asio::ssl::context> make_tls_context(const ClusterConfig& config, const TlsMaterial& material);

// Fails unless every certificate of `pem` can be read: a bundle that is cut is none.
Result<> check_authorities(const std::string& pem, std::string_view what);

// Fails unless `key` is the key of the first certificate in `certificate`; each may hold more than that, so
// that both may be one text.
Result<> check_key_pair(const std::string& certificate, const std::string& key, std::string_view what);

// Sets what a handshake is to verify, and the name to send. IP addresses match IP entries of the certificate
// only, and are not sent (RFC 6066 section 3).
Result<> set_server_name(SSL* ssl, const ClusterConfig& config);

// Why the handshake over `ssl` failed, in an operator's words: "TLS to https://10.0.0.1:6443: the CA in ...
// did not sign the server's certificate (self-signed certificate): certificate verify failed".
Error handshake_error(SSL* ssl, const ClusterConfig& config, boost::system::error_code code);

} // namespace routelet::k8s
