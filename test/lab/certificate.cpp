#include "test/lab/certificate.h"

#include "base/file.h"
#include "base/ip.h"
#include "base/join.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <memory>
#include <stdexcept>

namespace routelet::lab {
namespace {

template <auto free_it>
struct Free {
    template <class Thing>
    void operator()(Thing* thing) const noexcept
    {
        free_it(thing);
    }
};
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Free<X509_EXTENSION_free>>;
using Memory = std::unique_ptr<BIO, Free<BIO_free_all>>;

constexpr long ten_years = 10L * 365 * 24 * 3600; // seconds
constexpr long a_day = 24L * 3600;

void check(bool good, const char* doing)
{
    if (good)
        return;
    char text[256];
    ERR_error_string_n(ERR_get_error(), text, sizeof text);
    throw std::runtime_error(std::string(doing) + ": " + text);
}

Key make_key()
{
    Key key(EVP_EC_gen("P-256"));
    check(key != nullptr, "making a key");
    return key;
}

void add_extension(X509* certificate, X509* issuer, int what, const std::string& value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, what, value.c_str()));
    check(extension != nullptr, "making a certificate extension");
    check(X509_add_ext(certificate, extension.get(), -1) == 1, "adding a certificate extension");
}

// A certificate with subject, times and key, not yet signed.
Certificate draft(const char* common_name, EVP_PKEY* key)
{
    Certificate certificate(X509_new());
    check(certificate != nullptr, "making a certificate");
    X509_set_version(certificate.get(), X509_VERSION_3);
    unsigned char serial[8];
    check(RAND_bytes(serial, sizeof serial) == 1, "making a serial number");
    std::uint64_t number = 0;
    for (const unsigned char byte : serial)
        number = number << 8U | byte;
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate.get()), number >> 1U);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -a_day);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), ten_years);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(common_name), -1, -1, 0);
    check(X509_set_pubkey(certificate.get(), key) == 1, "setting a certificate's key");
    return certificate;
}

Certificate make_ca(EVP_PKEY* key)
{
    Certificate ca = draft("routelet-lab-ca", key);
    X509_set_issuer_name(ca.get(), X509_get_subject_name(ca.get()));
    add_extension(ca.get(), ca.get(), NID_basic_constraints, "critical,CA:TRUE");
    add_extension(ca.get(), ca.get(), NID_key_usage, "critical,keyCertSign,cRLSign,digitalSignature");
    add_extension(ca.get(), ca.get(), NID_subject_key_identifier, "hash");
    check(X509_sign(ca.get(), key, EVP_sha256()) != 0, "signing the CA certificate");
    return ca;
}

// Signs what `server` says, with the extensions of a server.
void finish(const Certificate& server, X509* ca, EVP_PKEY* ca_key, const std::string& alternative_names)
{
    X509_set_issuer_name(server.get(), X509_get_subject_name(ca));
    add_extension(server.get(), ca, NID_basic_constraints, "critical,CA:FALSE");
    add_extension(server.get(), ca, NID_key_usage, "critical,digitalSignature");
    add_extension(server.get(), ca, NID_ext_key_usage, "serverAuth,clientAuth");
    add_extension(server.get(), ca, NID_authority_key_identifier, "keyid");
    if (!alternative_names.empty())
        add_extension(server.get(), ca, NID_subject_alt_name, alternative_names);
    check(X509_sign(server.get(), ca_key, EVP_sha256()) != 0, "signing the server certificate");
}

std::string content_of(BIO* memory)
{
    char* bytes = nullptr;
    const long length = BIO_get_mem_data(memory, &bytes);
    return {bytes, static_cast<std::size_t>(length)};
}

std::string pem_of(X509* certificate)
{
    const Memory memory(BIO_new(BIO_s_mem()));
    check(PEM_write_bio_X509(memory.get(), certificate) == 1, "writing a certificate");
    return content_of(memory.get());
}

std::string pem_of(EVP_PKEY* key)
{
    const Memory memory(BIO_new(BIO_s_mem()));
    check(PEM_write_bio_PKCS8PrivateKey(memory.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1,
          "writing a key");
    return content_of(memory.get());
}

void save(const std::filesystem::path& file, X509* certificate)
{
    write_file_atomically(file, pem_of(certificate)).value();
}

void save(const std::filesystem::path& file, EVP_PKEY* key)
{
    write_file_atomically(file, pem_of(key), {.mode = 0600}).value();
}

Memory opened(const std::string& content)
{
    return Memory(BIO_new_mem_buf(content.data(), static_cast<int>(content.size())));
}

std::string alternative_names(const std::vector<std::string>& names)
{
    std::string text;
    for (const auto& name : names)
        append_item(text, (IpAddress::parse(name) ? "IP:" : "DNS:") + name, ",");
    return text;
}

} // namespace

Identity identity_in(const std::filesystem::path& directory, const std::vector<std::string>& names)
{
    const Identity identity{directory / "ca.crt", directory / "server.crt", directory / "server.key"};
    const auto ca_key_file = directory / "ca.key";
    const auto names_file = directory / "server.names";
    if (!std::filesystem::exists(identity.ca) || !std::filesystem::exists(ca_key_file)) {
        const Key key = make_key();
        save(ca_key_file, key.get());
        save(identity.ca, make_ca(key.get()).get());
        std::filesystem::remove(names_file);
    }

    const std::string wanted = alternative_names(names);
    const auto present = read_file(names_file);
    if (present && *present == wanted)
        return identity;

    const std::string ca_text = read_file(identity.ca).value();
    const std::string ca_key_text = read_file(ca_key_file).value();
    const Certificate ca(PEM_read_bio_X509(opened(ca_text).get(), nullptr, nullptr, nullptr));
    const Key ca_key(PEM_read_bio_PrivateKey(opened(ca_key_text).get(), nullptr, nullptr, nullptr));
    check(ca != nullptr && ca_key != nullptr, "reading the CA");
    const Key key = make_key();
    save(identity.key, key.get());
    const Certificate server = draft("routelet-lab-apiserver", key.get());
    finish(server, ca.get(), ca_key.get(), wanted);
    save(identity.certificate, server.get());
    write_file_atomically(names_file, wanted).value();
    return identity;
}

struct Authority::Impl {
    Key key;
    Certificate certificate;
};

Authority::Authority()
{
    Key key = make_key();
    Certificate ca = make_ca(key.get());
    certificate_ = pem_of(ca.get());
    impl_ = std::make_unique<Impl>(Impl{std::move(key), std::move(ca)});
}

Authority::~Authority() = default;
Authority::Authority(Authority&&) noexcept = default;

IssuedCertificate Authority::issue(const CertificateWish& wish) const
{
    const Key key = make_key();
    const Certificate certificate = draft(wish.common_name.c_str(), key.get());
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), wish.begins.count());
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), wish.ends.count());
    finish(certificate, impl_->certificate.get(), impl_->key.get(), alternative_names(wish.names));
    return {pem_of(certificate.get()), pem_of(key.get())};
}

} // namespace routelet::lab
