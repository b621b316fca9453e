// What a credential plugin writes.
#include "k8sclient/exec_credential.h"
#include "test/fuzz/target.h"

#include <algorithm>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace routelet;
    using fuzz::require;
    const auto credential =
        k8s::decode_plugin_credential(fuzz::text_of(data, size), "client.authentication.k8s.io/v1");
    if (!credential) {
        require(!credential.error().text().empty(), "a failure says why");
        require(credential.error().text().find(fuzz::secret_mark) == std::string::npos,
                "no text of a credential is in an error");
        return 0;
    }
    const std::string& token = credential->token.reveal();
    require(!token.empty() || !credential->certificate.empty(), "a credential can be used");
    require(std::ranges::all_of(token, [](char c) { return c > ' ' && c < 0x7f; }),
            "a token can stand in an HTTP header");
    require(credential->certificate.empty() == credential->key.empty(), "a certificate comes with its key");
    return 0;
}
