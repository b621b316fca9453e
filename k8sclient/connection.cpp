// The only file of this folder that includes Beast's HTTP.
#include "k8sclient/connection.h"

#include "base/version.h"
#include "k8sclient/dial.h"
#include "k8sclient/server_url.h"
#include "k8sclient/tls.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include <sys/utsname.h>

#include <charconv>
#include <vector>

namespace routelet::k8s {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace chrono = std::chrono;
using tcp = asio::ip::tcp;
using Code = boost::system::error_code;
using Stream = asio::ssl::stream<beast::tcp_stream>;

constexpr auto await_result = asio::as_tuple(asio::use_awaitable);

constexpr chrono::seconds handshake_patience{10};
constexpr chrono::seconds write_patience{30};
constexpr std::size_t read_size = 64U << 10U;    // bytes
constexpr std::size_t header_limit = 64U << 10U; // bytes; the API server's are below 1 KiB, proxies add some
constexpr int most_interim_responses = 8;

// Nothing in here cancels an operation, so an aborted one means that the coroutine is cancelled.
void throw_if_cancelled(Code code)
{
    if (code == asio::error::operation_aborted)
        throw boost::system::system_error(code);
}

// "routelet/0.1.0 (linux/amd64)", with the names of the Go world, which API server logs are sorted by.
std::string user_agent()
{
    utsname system{};
    ::uname(&system);
    std::string machine = system.machine;
    if (machine == "x86_64")
        machine = "amd64";
    if (machine == "aarch64")
        machine = "arm64";
    return "routelet/" + std::string(version()) + " (linux/" + machine + ")";
}

// The form in whole seconds; the API server sends no dates.
std::optional<chrono::seconds> parse_retry_after(std::string_view text)
{
    int seconds = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (code != std::errc() || end != text.data() + text.size() || seconds < 0)
        return std::nullopt;
    return chrono::seconds(seconds);
}

} // namespace

struct Connection::Impl {
    Impl(const ClusterConfig& cluster, asio::ssl::context tls, tcp::socket socket)
        : config(cluster), context(std::move(tls)), stream(std::move(socket), context), body(read_size)
    {
        buffer.reserve(read_size);
    }

    ClusterConfig config;
    asio::ssl::context context;
    Stream stream;
    beast::flat_buffer buffer;
    std::optional<http::response_parser<http::buffer_body>> parser;
    std::vector<char> body;
    std::string agent = user_agent();

    beast::tcp_stream& transport() { return stream.next_layer(); }
    std::string url; // method and all, of the last request, for messages
    http::request<http::string_body> request_for(const Request& asked) const;
    asio::awaitable<Code> read_head();
};

http::request<http::string_body> Connection::Impl::request_for(const Request& asked) const
{
    const auto method = asked.method == Method::patch  ? http::verb::patch
                        : asked.method == Method::post ? http::verb::post
                                                       : http::verb::get;
    http::request<http::string_body> request(method, config.path_prefix + asked.target, 11);
    request.set(http::field::host, join_host_port(config.host, config.port));
    request.set(http::field::user_agent, agent);
    request.set(http::field::accept, asked.accept);
    if (!asked.authorization.empty())
        request.set(http::field::authorization, asked.authorization.reveal());
    for (const auto& [name, value] : config.headers)
        request.insert(name, value);
    if (!asked.content_type.empty()) {
        request.set(http::field::content_type, asked.content_type);
        request.body() = asked.body;
        request.prepare_payload();
    }
    return request;
}

// Skips interim responses (1xx).
asio::awaitable<Code> Connection::Impl::read_head()
{
    for (int tries = 0; tries < most_interim_responses; ++tries) {
        parser.emplace();
        parser->header_limit(header_limit);
        parser->body_limit(boost::none);
        const auto [code, bytes] = co_await http::async_read_header(stream, buffer, *parser, await_result);
        throw_if_cancelled(code);
        if (code)
            co_return code;
        const int status = parser->get().result_int();
        if (status >= 200)
            co_return Code();
    }
    co_return make_error_code(boost::system::errc::protocol_error);
}

Connection::Connection(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Connection::Connection(Connection&&) noexcept = default;
Connection& Connection::operator=(Connection&&) noexcept = default;
Connection::~Connection() = default;

asio::awaitable<Result<Connection>> Connection::open(asio::any_io_executor executor, ClusterConfig config,
                                                     TlsMaterial material)
{
    Result<asio::ssl::context> context = make_tls_context(config, material);
    if (!context)
        co_return context.error();
    Result<tcp::socket> transport = co_await dial(executor, config);
    if (!transport)
        co_return transport.error();

    auto impl = std::make_unique<Impl>(config, std::move(*context), std::move(*transport));
    if (auto named = set_server_name(impl->stream.native_handle(), config); !named)
        co_return named.error();
    impl->transport().expires_after(handshake_patience);
    const auto [code] = co_await impl->stream.async_handshake(asio::ssl::stream_base::client, await_result);
    throw_if_cancelled(code);
    if (code)
        co_return handshake_error(impl->stream.native_handle(), config, code);
    co_return Connection(std::move(impl));
}

asio::awaitable<Result<ResponseHead>> Connection::send(Request asked)
{
    http::request<http::string_body> request = impl_->request_for(asked);
    impl_->url = std::string(request.method_string()) + " " + impl_->config.url() + asked.target;
    impl_->transport().expires_after(write_patience);
    const auto [write_code, bytes] = co_await http::async_write(impl_->stream, request, await_result);
    throw_if_cancelled(write_code);
    if (write_code)
        co_return Error{write_code, impl_->url + ": sending the request"};

    impl_->transport().expires_after(asked.patience);
    const Code code = co_await impl_->read_head();
    if (code)
        co_return Error{code, impl_->url + ": waiting for the response"};

    const auto& response = impl_->parser->get();
    ResponseHead head;
    head.status = static_cast<int>(response.result_int());
    head.reason = std::string(response.reason());
    head.content_type = std::string(response[http::field::content_type]);
    head.content_encoding = std::string(response[http::field::content_encoding]);
    head.closes = !response.keep_alive();
    head.retry_after = parse_retry_after(std::string(response[http::field::retry_after]));
    co_return head;
}

asio::awaitable<Result<std::string_view>> Connection::read_some(Clock::time_point deadline)
{
    impl_->transport().expires_at(deadline);
    // One step of the parser may be a chunk's header only, without a byte of the body.
    while (!impl_->parser->is_done()) {
        auto& body = impl_->parser->get().body();
        body.data = impl_->body.data();
        body.size = impl_->body.size();
        const auto [code, bytes] =
            co_await http::async_read_some(impl_->stream, impl_->buffer, *impl_->parser, await_result);
        throw_if_cancelled(code);
        if (code && code != http::error::need_buffer)
            co_return Error{code, impl_->url + ": the response was cut short"};
        const std::size_t size = impl_->body.size() - impl_->parser->get().body().size;
        if (size > 0)
            co_return std::string_view(impl_->body.data(), size);
    }
    co_return std::string_view();
}

bool Connection::is_reusable() const
{
    return !impl_->parser || (impl_->parser->is_done() && impl_->parser->get().keep_alive());
}

} // namespace routelet::k8s
