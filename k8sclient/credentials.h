#pragma once
#include "base/result.h"
#include "k8sclient/config.h"

#include <string>

namespace routelet::k8s {

// The PEM text of `source`, read now: files rotate. Empty for an empty source. `what` names it in errors:
// "CA", "client certificate".
Result<std::string> read_pem(const PemSource& source, std::string_view what);

// Fails unless `pem` holds a certificate that OpenSSL can read. Other blocks in it do not matter.
Result<> check_has_certificate(const std::string& pem, const PemSource& source, std::string_view what);
// The same for a private key without a passphrase.
Result<> check_has_private_key(const std::string& pem, const PemSource& source);

// A bearer token, white space at its ends removed. Fails when it is empty or could not stand in an HTTP
// header.
Result<Secret> parse_token(std::string_view text, std::string_view what);
Result<Secret> read_token_file(const std::filesystem::path& file);

// The bytes of standard base64, in which white space does not matter. Fails with invalid_argument.
Result<std::string> decode_base64(std::string_view text);
std::string encode_base64(std::string_view bytes);

} // namespace routelet::k8s
