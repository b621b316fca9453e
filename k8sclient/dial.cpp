#include "k8sclient/dial.h"

#include "k8sclient/proxy_tunnel.h"
#include "k8sclient/server_url.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/tcp_stream.hpp>

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <chrono>
#include <memory>
#include <vector>

namespace routelet::k8s {
namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using Code = boost::system::error_code;

constexpr auto await_result = asio::as_tuple(asio::use_awaitable);

constexpr std::chrono::seconds resolve_patience{10};
constexpr std::chrono::seconds connect_patience{5}; // for each address
constexpr std::chrono::seconds tunnel_patience{15}; // the proxy has a server to connect to

// A dead peer is noticed after 30 s of silence: three probes, 5 s apart, after 15 s; and unacknowledged data
// after 30 s as well. NAT and load balancers keep the idle connection of a quiet watch in mind.
void watch_over(tcp::socket& socket)
{
    const auto set = [&](int level, int name, int value) {
        // Best effort: without it the deadlines of the reads remain.
        (void)::setsockopt(socket.native_handle(), level, name, &value, sizeof value);
    };
    set(SOL_SOCKET, SO_KEEPALIVE, 1);
    set(IPPROTO_TCP, TCP_KEEPIDLE, 15);
    set(IPPROTO_TCP, TCP_KEEPINTVL, 5);
    set(IPPROTO_TCP, TCP_KEEPCNT, 3);
    set(IPPROTO_TCP, TCP_USER_TIMEOUT, 30'000);
    set(IPPROTO_TCP, TCP_NODELAY, 1);
}

// getaddrinfo cannot be interrupted. So that neither a deadline nor a cancellation waits for it, it fills in
// a Lookup of its own, on which the timer wakes the coroutine.
struct Lookup {
    tcp::resolver resolver;
    asio::steady_timer done;
    Code code = asio::error::timed_out;
    std::vector<tcp::endpoint> endpoints;

    explicit Lookup(const asio::any_io_executor& executor) : resolver(executor), done(executor) {}
};

asio::awaitable<Result<std::vector<tcp::endpoint>>> look_up(asio::any_io_executor executor, std::string host,
                                                            std::uint16_t port)
{
    Code code;
    const auto address = asio::ip::make_address(host, code);
    if (!code)
        co_return std::vector{tcp::endpoint(address, port)};

    const auto lookup = std::make_shared<Lookup>(executor);
    lookup->done.expires_after(resolve_patience);
    lookup->resolver.async_resolve(host, std::to_string(port),
                                   [lookup](Code result, const tcp::resolver::results_type& entries) {
                                       lookup->code = result;
                                       lookup->endpoints.assign(entries.begin(), entries.end());
                                       lookup->done.cancel();
                                   });
    (void)co_await lookup->done.async_wait(await_result); // how it ended is in lookup->code
    const asio::cancellation_state cancellation = co_await asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != asio::cancellation_type::none)
        throw boost::system::system_error(asio::error::operation_aborted);
    if (lookup->code)
        co_return Error{lookup->code, "looking up " + host};
    co_return std::move(lookup->endpoints);
}

// Each of the addresses in turn.
asio::awaitable<Result<tcp::socket>> connect(asio::any_io_executor executor, Endpoint to)
{
    Result<std::vector<tcp::endpoint>> endpoints = co_await look_up(executor, to.host, to.port);
    if (!endpoints)
        co_return endpoints.error();
    Code last = asio::error::host_not_found;
    for (const tcp::endpoint& endpoint : *endpoints) {
        boost::beast::tcp_stream stream(executor);
        stream.expires_after(connect_patience);
        const auto [code] = co_await stream.async_connect(endpoint, await_result);
        if (code == asio::error::operation_aborted)
            throw boost::system::system_error(code);
        if (!code) {
            watch_over(stream.socket());
            co_return stream.release_socket();
        }
        last = code;
    }
    co_return Error{last, "connecting to " + join_host_port(to.host, to.port)};
}

asio::awaitable<Result<tcp::socket>> connect_through(asio::any_io_executor executor, Proxy proxy,
                                                     Endpoint server)
{
    const std::string what = join_host_port(server.host, server.port) + " through proxy " + proxy.url();
    Endpoint at{proxy.host, proxy.port};
    Result<tcp::socket> socket = co_await connect(executor, std::move(at));
    if (!socket)
        co_return socket.error().within(what);
    boost::beast::tcp_stream stream(std::move(*socket));
    stream.expires_after(tunnel_patience);
    Result<> opened = co_await open_tunnel(stream, std::move(proxy), std::move(server));
    if (!opened)
        co_return opened.error().within(what);
    co_return stream.release_socket();
}

} // namespace

asio::awaitable<Result<tcp::socket>> dial(asio::any_io_executor executor, ClusterConfig config)
{
    Endpoint server{config.host, config.port};
    if (const Proxy* proxy = config.proxy.for_server(config.host, config.port))
        return connect_through(std::move(executor), *proxy, std::move(server));
    return connect(std::move(executor), std::move(server));
}

} // namespace routelet::k8s
