#pragma once
#include "base/result.h"
#include "controller/finding.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace routelet::controller {

// Where the health endpoint listens: an address and a port, "127.0.0.1:9482" or "[::1]:9482".
struct HttpAddress {
    std::string host; // an IP address, IPv6 without brackets
    std::uint16_t port = 0;

    static Result<HttpAddress> parse(std::string_view text); // fails with invalid_argument
    std::string to_string() const;
};

struct HttpResponse {
    int status = 200;
    std::string content_type = "text/plain; charset=utf-8";
    std::string body;
};

// A small HTTP/1.1 server for probes and `routelet status`: GET and HEAD, one request a connection, no
// bodies. A client costs at most 4 KiB and five seconds; beyond 16 at a time the oldest is dropped, so slow
// clients keep nobody out. Runs on its executor's one thread.
class HttpServer {
public:
    // Called for each request with its path, without the query. Status 404 is for what it does not know.
    using Handler = std::function<HttpResponse(std::string_view path)>;

    HttpServer(boost::asio::any_io_executor executor, HttpAddress address, Handler handler);
    ~HttpServer();

    // Never returns; ends by cancellation. An address that cannot be listened on is tried again every ten
    // seconds.
    boost::asio::awaitable<void> run();

    // "health-unavailable", while it cannot listen.
    std::vector<Finding> findings() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// GETs `path` from there, all within `patience`. A status other than 200 is an answer, no failure.
Result<HttpResponse> http_get(const HttpAddress& address, const std::string& path,
                              std::chrono::seconds patience);

} // namespace routelet::controller
