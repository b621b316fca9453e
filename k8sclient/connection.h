#pragma once
#include "base/result.h"
#include "k8sclient/config.h"
#include "k8sclient/tls_files.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace routelet::k8s {

// What precedes a response's body.
struct ResponseHead {
    int status = 0;     // HTTP status code
    std::string reason; // of the status line: "Forbidden"
    std::string content_type;
    std::string content_encoding; // what we never ask for: "gzip"
    bool closes = false;          // the server ends the connection behind it
    std::optional<std::chrono::seconds> retry_after;
};

// One TLS connection to the API server that speaks HTTP/1.1, for one request after the other. Private to
// k8sclient. Every wait has a deadline and ends at once by cancellation of the coroutine, with
// operation_aborted thrown. Not thread-safe: stay on its executor. After a failure it can only be destroyed.
class Connection {
public:
    using Clock = std::chrono::steady_clock;

    // Connects to the server at the config's host and port (dial.h), and does the handshake.
    static boost::asio::awaitable<Result<Connection>> open(boost::asio::any_io_executor executor,
                                                           ClusterConfig config, TlsMaterial material);
    Connection(Connection&&) noexcept;
    Connection& operator=(Connection&&) noexcept;
    ~Connection();

    // Sends a request and reads the head of its response, waiting for that as long as `patience`.
    enum class Method { get, patch, post };
    struct Request {
        Method method = Method::get;
        std::string target; // path and query
        std::string accept = "application/json";
        std::string content_type; // of the body; none without one
        std::string body;
        Secret authorization; // the header's value; none when empty
        std::chrono::milliseconds patience{60'000};
    };
    boost::asio::awaitable<Result<ResponseHead>> send(Request request);

    // The next bytes of the body, valid until the next call; empty at its proper end. Fails when the body is
    // cut, and with a timeout at `deadline`.
    boost::asio::awaitable<Result<std::string_view>> read_some(Clock::time_point deadline);

    // The last response was read to its end, and the server keeps the connection open.
    bool is_reusable() const;

private:
    struct Impl;
    explicit Connection(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

} // namespace routelet::k8s
