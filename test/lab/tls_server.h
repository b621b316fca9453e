#pragma once
#include "test/lab/certificate.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace routelet::lab {

// What a client was seen to do.
struct Visit {
    std::string server_name; // SNI; empty: none was sent
    bool offered_alpn = false;
    std::string certificate; // common name of the client's certificate; empty: none
    std::string request;     // its head; empty: the handshake failed
};

struct TlsServerOptions {
    std::string address = "127.0.0.1";
    int max_version = 0; // TLS1_1_VERSION, ...; 0: the newest
    // In the middle of each reply: a KeyUpdate that wants one in return (RFC 8446 section 4.6.3); before
    // TLS 1.3 a HelloRequest, which begins a renegotiation (RFC 5246 section 7.4.1.1).
    bool asks_for_new_keys = false;
};

// A TLS server that answers one request on each connection, in the order of its replies, of which the last is
// repeated. On a thread of its own. Thread-safe.
class TlsServer {
public:
    explicit TlsServer(const IssuedCertificate& identity, TlsServerOptions options = {});
    ~TlsServer();

    std::uint16_t port() const;
    void present(const IssuedCertificate& identity); // from the next connection on
    // Whole responses, as they go over the wire.
    void reply_with(std::vector<std::string> replies);
    std::vector<Visit> visits() const;

private:
    class Thread;
    std::unique_ptr<Thread> thread_;
};

// A response with this status line and body, behind which the connection is closed.
std::string response(const std::string& status, const std::string& body);
// A list without nodes.
std::string empty_list();

} // namespace routelet::lab
