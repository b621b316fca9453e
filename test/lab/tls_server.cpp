#include "test/lab/tls_server.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>

#include <poll.h>

#include <atomic>
#include <mutex>
#include <stdexcept>
#include <thread>

namespace routelet::lab {
namespace {

namespace asio = boost::asio;
using Code = boost::system::error_code;
using asio::ip::tcp;

asio::ssl::context context_for(const IssuedCertificate& identity, int max_version)
{
    asio::ssl::context context(asio::ssl::context::tls_server);
    SSL_CTX_set_cipher_list(context.native_handle(), "DEFAULT:@SECLEVEL=0"); // for TLS 1.1
    SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context.native_handle(), max_version);
    context.use_certificate_chain(asio::buffer(identity.certificate));
    context.use_private_key(asio::buffer(identity.key), asio::ssl::context::pem);
    context.set_verify_mode(asio::ssl::verify_peer); // asks for the client's, and takes any or none
    context.set_verify_callback([](bool, asio::ssl::verify_context&) { return true; });
    return context;
}

// Called for clients that offer ALPN only: as a server that would rather speak HTTP/2.
int prefer_h2(SSL*, const unsigned char** chosen, unsigned char* length, const unsigned char*, unsigned,
              void* visit)
{
    static const unsigned char h2[] = {'h', '2'};
    static_cast<Visit*>(visit)->offered_alpn = true;
    *chosen = h2;
    *length = sizeof h2;
    return SSL_TLSEXT_ERR_OK;
}

int note_server_name(SSL* ssl, int*, void* visit)
{
    const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    static_cast<Visit*>(visit)->server_name = name == nullptr ? "" : name;
    return SSL_TLSEXT_ERR_OK;
}

std::string common_name_of_client(SSL* ssl)
{
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(SSL_get1_peer_certificate(ssl), X509_free);
    char name[64] = "";
    if (certificate)
        X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, name,
                                  sizeof name);
    return name;
}

// Of which the peer hears with the next bytes that it is sent.
void ask_for_new_keys(asio::ssl::stream<tcp::socket>& stream, Code& code)
{
    SSL* ssl = stream.native_handle();
    const bool asked = SSL_version(ssl) >= TLS1_3_VERSION ? SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED) == 1
                                                          : SSL_renegotiate(ssl) == 1;
    if (!asked)
        throw std::logic_error("OpenSSL does not ask for new keys");
    if (SSL_version(ssl) < TLS1_3_VERSION)
        stream.handshake(asio::ssl::stream_base::server,
                         code); // sends the HelloRequest, and waits for nothing
}

} // namespace

class TlsServer::Thread {
public:
    Thread(const IssuedCertificate& identity, const TlsServerOptions& options)
        : acceptor_(io_, {asio::ip::make_address(options.address), 0}), options_(options),
          identity_(identity), replies_{empty_list()}, thread_([this] { serve(); })
    {
    }
    ~Thread()
    {
        is_over_ = true;
        thread_.join();
    }
    std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
    template <class Work>
    auto locked(Work work)
    {
        const std::lock_guard lock(mutex_);
        return work(*this);
    }

    IssuedCertificate& identity() { return identity_; }
    std::vector<std::string>& replies() { return replies_; }
    std::vector<Visit>& visits() { return visits_; }

private:
    void serve()
    {
        while (!is_over_) {
            pollfd waiting{.fd = acceptor_.native_handle(), .events = POLLIN, .revents = 0};
            if (::poll(&waiting, 1, 20) != 1)
                continue;
            attend(acceptor_.accept());
        }
    }
    void note(const Visit& visit)
    {
        const std::lock_guard lock(mutex_);
        visits_.push_back(visit);
    }
    void attend(tcp::socket socket)
    {
        Visit visit;
        asio::ssl::context context =
            locked([](Thread& self) { return context_for(self.identity_, self.options_.max_version); });
        SSL_CTX_set_alpn_select_cb(context.native_handle(), prefer_h2, &visit);
        SSL_CTX_set_tlsext_servername_callback(context.native_handle(), note_server_name);
        SSL_CTX_set_tlsext_servername_arg(context.native_handle(), &visit);

        asio::ssl::stream<tcp::socket> stream(std::move(socket), context);
        Code code;
        stream.handshake(asio::ssl::stream_base::server, code);
        if (code)
            return note(visit);
        visit.certificate = common_name_of_client(stream.native_handle());
        asio::streambuf buffer;
        const std::size_t size = asio::read_until(stream, buffer, "\r\n\r\n", code);
        if (code)
            return note(visit);
        visit.request.assign(asio::buffers_begin(buffer.data()),
                             asio::buffers_begin(buffer.data()) + static_cast<std::ptrdiff_t>(size));
        note(visit); // before the client can act on the reply
        const std::string reply = next_reply();
        const std::size_t part = options_.asks_for_new_keys ? reply.size() / 2 : reply.size();
        asio::write(stream, asio::buffer(reply, part), code);
        if (options_.asks_for_new_keys && !code)
            ask_for_new_keys(stream, code);
        if (!code)
            asio::write(stream, asio::buffer(reply) + part, code);
        stream.shutdown(code);
    }
    std::string next_reply()
    {
        const std::lock_guard lock(mutex_);
        const std::string reply = replies_.front();
        if (replies_.size() > 1)
            replies_.erase(replies_.begin());
        return reply;
    }

    asio::io_context io_;
    tcp::acceptor acceptor_;
    const TlsServerOptions options_;
    std::mutex mutex_;
    IssuedCertificate identity_;
    std::vector<std::string> replies_;
    std::vector<Visit> visits_;
    std::atomic<bool> is_over_ = false;
    std::thread thread_; // the last: it uses all of the above
};

TlsServer::TlsServer(const IssuedCertificate& identity, TlsServerOptions options)
    : thread_(std::make_unique<Thread>(identity, options))
{
}
TlsServer::~TlsServer() = default;

std::uint16_t TlsServer::port() const
{
    return thread_->port();
}

void TlsServer::present(const IssuedCertificate& identity)
{
    thread_->locked([&](Thread& self) { self.identity() = identity; });
}

void TlsServer::reply_with(std::vector<std::string> replies)
{
    thread_->locked([&](Thread& self) { self.replies() = std::move(replies); });
}

std::vector<Visit> TlsServer::visits() const
{
    return thread_->locked([](Thread& self) { return self.visits(); });
}

std::string response(const std::string& status, const std::string& body)
{
    return "HTTP/1.1 " + status +
           "\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: " +
           std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string empty_list()
{
    return response("200 OK",
                    R"({"kind":"NodeList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[]})");
}

} // namespace routelet::lab
