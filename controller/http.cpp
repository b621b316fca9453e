// The only file of this folder that includes Boost.Beast.
#include "controller/http.h"

#include "base/ip.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include <charconv>
#include <deque>
#include <vector>

namespace routelet::controller {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;
using Code = boost::system::error_code;
using namespace std::chrono_literals;

constexpr auto await_result = asio::as_tuple(asio::use_awaitable);

constexpr auto client_patience = 5s; // for all of a request and its answer
constexpr auto listen_retry = 10s;   // after an address that cannot be listened on
constexpr auto accept_retry = 1s;    // after running out of descriptors
constexpr std::size_t most_clients = 16;
constexpr std::size_t header_limit = 4096;        // bytes of a request
constexpr std::size_t answer_limit = 256U << 20U; // bytes of a status

tcp::endpoint endpoint_of(const HttpAddress& address)
{
    return {asio::ip::make_address(address.host), address.port};
}

void throw_if_cancelled(Code code)
{
    if (code == asio::error::operation_aborted)
        throw boost::system::system_error(code);
}

using Request = http::request<http::empty_body>;
using Response = http::response<http::string_body>;

Response answer(const Request& request, const HttpServer::Handler& handler)
{
    HttpResponse given;
    if (request.method() == http::verb::get || request.method() == http::verb::head) {
        const std::string_view target(request.target().data(), request.target().size());
        given = handler(target.substr(0, target.find('?')));
    } else {
        given = {.status = 405, .body = "only GET and HEAD\n"};
    }
    Response response(static_cast<http::status>(given.status), request.version());
    response.set(http::field::content_type, given.content_type);
    response.set(http::field::cache_control, "no-store");
    response.keep_alive(false);
    if (given.status == 405)
        response.set(http::field::allow, "GET, HEAD");
    response.content_length(given.body.size());
    if (request.method() != http::verb::head)
        response.body() = std::move(given.body);
    return response;
}

using Client = std::shared_ptr<beast::tcp_stream>;

// One request, one answer. Whatever goes wrong with a client is the client's business.
asio::awaitable<void> serve(Client client, HttpServer::Handler handler)
{
    client->expires_after(client_patience);
    beast::flat_buffer buffer(header_limit);
    http::request_parser<http::empty_body> parser;
    parser.header_limit(header_limit);
    // A body is of no interest: the answer, and the end of the connection, do not wait for it.
    const auto [read_code, read_bytes] =
        co_await http::async_read_header(*client, buffer, parser, await_result);
    if (read_code)
        co_return;
    const Response response = answer(parser.get(), handler);
    http::response_serializer<http::string_body> serializer(const_cast<Response&>(response));
    const auto [write_code, write_bytes] = co_await http::async_write(*client, serializer, await_result);
    if (write_code)
        co_return;
    Code ignored; // the answer is sent
    client->socket().shutdown(tcp::socket::shutdown_send, ignored);
}

} // namespace

Result<HttpAddress> HttpAddress::parse(std::string_view text)
{
    const auto wrong = [&] {
        return make_error(boost::system::errc::invalid_argument,
                          "\"" + std::string(text) +
                              "\" is not ADDRESS:PORT, like 127.0.0.1:9482 or [::1]:9482");
    };
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos)
        return wrong();
    std::string_view host = text.substr(0, colon);
    const std::string_view port = text.substr(colon + 1);
    const bool has_brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (has_brackets)
        host = host.substr(1, host.size() - 2);
    const auto address = IpAddress::parse(host);
    HttpAddress parsed{.host = std::string(host)};
    const auto [end, code] = std::from_chars(port.data(), port.data() + port.size(), parsed.port);
    if (!address || has_brackets != (address->family() == IpFamily::v6) || code != std::errc() ||
        end != port.data() + port.size() || parsed.port == 0)
        return wrong();
    return parsed;
}

std::string HttpAddress::to_string() const
{
    const bool is_v6 = host.find(':') != std::string::npos;
    return (is_v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

struct HttpServer::Impl {
    asio::any_io_executor executor;
    HttpAddress address;
    Handler handler;
    std::string trouble;                                  // why it cannot listen; empty while it does
    std::deque<std::weak_ptr<beast::tcp_stream>> clients; // the oldest first

    std::optional<tcp::acceptor> listen();
    asio::awaitable<void> accept_from(tcp::acceptor& acceptor);
    void make_room();
};

std::optional<tcp::acceptor> HttpServer::Impl::listen()
{
    const tcp::endpoint endpoint = endpoint_of(address);
    tcp::acceptor acceptor(executor);
    Code code;
    (void)acceptor.open(endpoint.protocol(), code);
    if (!code)
        (void)acceptor.set_option(tcp::acceptor::reuse_address(true), code);
    if (!code)
        (void)acceptor.bind(endpoint, code);
    if (!code)
        (void)acceptor.listen(tcp::acceptor::max_listen_connections, code);
    trouble = code ? code.message() : "";
    if (code)
        return std::nullopt;
    return acceptor;
}

void HttpServer::Impl::make_room()
{
    std::erase_if(clients, [](const auto& client) { return client.expired(); });
    if (clients.size() < most_clients)
        return;
    if (const Client oldest = clients.front().lock())
        oldest->cancel();
    clients.pop_front();
}

asio::awaitable<void> HttpServer::Impl::accept_from(tcp::acceptor& acceptor)
{
    for (;;) {
        auto [code, socket] = co_await acceptor.async_accept(await_result);
        throw_if_cancelled(code);
        if (code) {
            asio::steady_timer pause(executor, accept_retry);
            co_await pause.async_wait(asio::use_awaitable);
            continue;
        }
        make_room();
        const auto client = std::make_shared<beast::tcp_stream>(std::move(socket));
        clients.push_back(client);
        asio::co_spawn(executor, serve(client, handler), asio::detached);
    }
}

HttpServer::HttpServer(asio::any_io_executor executor, HttpAddress address, Handler handler)
    : impl_(std::make_unique<Impl>(Impl{std::move(executor), std::move(address), std::move(handler), {}, {}}))
{
}

HttpServer::~HttpServer() = default;

asio::awaitable<void> HttpServer::run()
{
    for (;;) {
        std::optional<tcp::acceptor> acceptor = impl_->listen();
        if (acceptor)
            co_await impl_->accept_from(*acceptor);
        asio::steady_timer pause(impl_->executor, listen_retry);
        co_await pause.async_wait(asio::use_awaitable);
    }
}

std::vector<Finding> HttpServer::findings() const
{
    if (impl_->trouble.empty())
        return {};
    return {
        {"health-unavailable",
         "cannot listen on " + impl_->address.to_string() + ": " + impl_->trouble +
             "; probes and routelet status get no answer",
         "stop whoever listens there (ss -ltnp), or give another --health-bind-address, and the same to the "
         "probes"}};
}

namespace {

asio::awaitable<void> fetch(HttpAddress address, std::string path, std::chrono::seconds patience,
                            Result<HttpResponse>& result)
{
    const std::string where = "GET http://" + address.to_string() + path;
    beast::tcp_stream stream(co_await asio::this_coro::executor);
    stream.expires_after(patience);
    const tcp::endpoint endpoint = endpoint_of(address);
    const auto [connect_code] = co_await stream.async_connect(endpoint, await_result);
    if (connect_code) {
        result = Error{connect_code, where};
        co_return;
    }
    http::request<http::empty_body> request(http::verb::get, path, 11);
    request.set(http::field::host, address.to_string());
    const auto [write_code, written] = co_await http::async_write(stream, request, await_result);
    if (write_code) {
        result = Error{write_code, where};
        co_return;
    }
    beast::flat_buffer buffer;
    http::response_parser<http::string_body> parser;
    parser.body_limit(answer_limit);
    const auto [read_code, got] = co_await http::async_read(stream, buffer, parser, await_result);
    if (read_code) {
        result = Error{read_code, where};
        co_return;
    }
    const auto& response = parser.get();
    result = HttpResponse{.status = static_cast<int>(response.result_int()),
                          .content_type = std::string(response[http::field::content_type]),
                          .body = response.body()};
}

} // namespace

Result<HttpResponse> http_get(const HttpAddress& address, const std::string& path,
                              std::chrono::seconds patience)
{
    asio::io_context io(1);
    Result<HttpResponse> result = HttpResponse{};
    asio::co_spawn(io, fetch(address, path, patience, result), asio::detached);
    io.run();
    return result;
}

} // namespace routelet::controller
