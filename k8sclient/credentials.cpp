#include "k8sclient/credentials.h"

#include "base/file.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <memory>

namespace routelet::k8s {
namespace {

constexpr std::size_t pem_limit = 8U << 20U;   // bytes: a bundle of public roots is below 1 MB
constexpr std::size_t token_limit = 1U << 20U; // bytes
constexpr std::string_view white_space = " \t\r\n";

template <auto release>
struct Release {
    template <class Object>
    void operator()(Object* object) const noexcept
    {
        release(object);
    }
};
using Bio = std::unique_ptr<BIO, Release<BIO_free>>;
using Certificate = std::unique_ptr<X509, Release<X509_free>>;
using PrivateKey = std::unique_ptr<EVP_PKEY, Release<EVP_PKEY_free>>;

Bio memory_bio(const std::string& text)
{
    return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// OpenSSL asks for the passphrase of an encrypted key on the terminal unless somebody else answers.
int no_passphrase(char*, int, int, void*)
{
    return -1;
}

Error bad_pem(const PemSource& source, std::string_view what, std::string_view why)
{
    const std::string where = source.inline_pem.empty() ? " file " + source.file.string() : " given in place";
    return make_error(boost::system::errc::invalid_argument,
                      std::string(what) + where + ": " + std::string(why));
}

} // namespace

Result<std::string> read_pem(const PemSource& source, std::string_view what)
{
    if (!source.inline_pem.empty() || source.file.empty())
        return source.inline_pem;
    auto text = read_regular_file(source.file, pem_limit);
    if (!text)
        return text.error().within(what);
    return std::move(*text);
}

Result<> check_has_certificate(const std::string& pem, const PemSource& source, std::string_view what)
{
    const Bio bio = memory_bio(pem);
    const Certificate certificate(PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr));
    ERR_clear_error();
    if (!certificate)
        return bad_pem(source, what, "no certificate in it (expected PEM: -----BEGIN CERTIFICATE-----)");
    return {};
}

Result<> check_has_private_key(const std::string& pem, const PemSource& source)
{
    const Bio bio = memory_bio(pem);
    const PrivateKey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
    ERR_clear_error();
    if (key)
        return {};
    if (pem.find("ENCRYPTED") != std::string::npos)
        return bad_pem(source, "client key", "it is encrypted; a key without a passphrase is needed");
    return bad_pem(source, "client key", "no private key in it (expected PEM: -----BEGIN PRIVATE KEY-----)");
}

Result<Secret> parse_token(std::string_view text, std::string_view what)
{
    const std::size_t begin = std::min(text.find_first_not_of(white_space), text.size());
    text = text.substr(begin, text.find_last_not_of(white_space) + 1 - begin);
    if (text.empty())
        return make_error(boost::system::errc::invalid_argument, std::string(what) + " is empty");
    if (!std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; }))
        return make_error(boost::system::errc::invalid_argument,
                          std::string(what) + " holds a character that no token has");
    return Secret(std::string(text));
}

Result<Secret> read_token_file(const std::filesystem::path& file)
{
    auto text = read_regular_file(file, token_limit);
    if (!text)
        return text.error().within("token");
    return parse_token(*text, "token file " + file.string());
}

Result<std::string> decode_base64(std::string_view text)
{
    std::string packed;
    std::ranges::copy_if(text, std::back_inserter(packed),
                         [](char c) { return white_space.find(c) == std::string_view::npos; });
    const std::size_t padding = packed.size() - (packed.find_last_not_of('=') + 1);
    if (packed.size() % 4 != 0 || padding > 2)
        return make_error(boost::system::errc::invalid_argument, "not base64: its length is wrong");

    std::string bytes(packed.size() / 4 * 3, '\0');
    const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                     reinterpret_cast<const unsigned char*>(packed.data()),
                                     static_cast<int>(packed.size()));
    if (size < 0)
        return make_error(boost::system::errc::invalid_argument, "not base64");
    bytes.resize(static_cast<std::size_t>(size) - padding); // EVP_DecodeBlock counts padding as zero bytes
    return bytes;
}

std::string encode_base64(std::string_view bytes)
{
    std::string text((bytes.size() + 2) / 3 * 4, '\0');
    EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                    reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
    return text;
}

} // namespace routelet::k8s
