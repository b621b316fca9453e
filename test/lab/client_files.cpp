#include "test/lab/client_files.h"

#include "base/file.h"
#include "test/lab/base64.h"

#include <openssl/rand.h>

#include <stdexcept>

namespace routelet::lab {
namespace {

std::string random_token()
{
    unsigned char bytes[16];
    if (RAND_bytes(bytes, sizeof bytes) != 1)
        throw std::runtime_error("no random bytes for a token");
    std::string text;
    for (const unsigned char byte : bytes) {
        text += "0123456789abcdef"[byte >> 4U];
        text += "0123456789abcdef"[byte & 15U];
    }
    return text;
}

} // namespace

std::string token_of(const std::filesystem::path& tokens, const std::string& user)
{
    if (!std::filesystem::exists(tokens)) {
        const std::string lines = random_token() + "," + admin_name + ",1,\"system:masters\"\n" +
                                  random_token() + "," + agent_name + ",2,\"routelet:agents\"\n";
        write_file_atomically(tokens, lines, {.mode = 0600}).value();
    }
    const std::string content = read_file(tokens).value();
    const auto at = content.find("," + user + ",");
    if (at == std::string::npos)
        throw std::runtime_error(tokens.string() + " has no token for " + user);
    const auto newline = content.rfind('\n', at);
    const auto start = newline == std::string::npos ? 0 : newline + 1;
    return content.substr(start, at - start);
}

void write_kubeconfig(const std::filesystem::path& file, const std::string& url,
                      const std::filesystem::path& ca, const std::string& token)
{
    const std::string text = "apiVersion: v1\n"
                             "kind: Config\n"
                             "current-context: lab\n"
                             "clusters:\n"
                             "- name: lab\n"
                             "  cluster:\n"
                             "    server: " +
                             url +
                             "\n"
                             "    certificate-authority-data: " +
                             to_base64(read_file(ca).value()) +
                             "\n"
                             "users:\n"
                             "- name: lab\n"
                             "  user:\n"
                             "    token: " +
                             token +
                             "\n"
                             "contexts:\n"
                             "- name: lab\n"
                             "  context:\n"
                             "    cluster: lab\n"
                             "    user: lab\n";
    write_file_atomically(file, text, {.mode = 0600}).value();
}

} // namespace routelet::lab
