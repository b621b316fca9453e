#pragma once
#include "base/result.h"
#include "k8sclient/endpoints.h"
#include "k8sclient/proxy.h"

#include <boost/asio/awaitable.hpp>
#include <boost/beast/core/tcp_stream.hpp>

namespace routelet::k8s {

// Asks the proxy at the other end of `stream` for a way through to `server`, whose name the proxy looks up.
// From then on the stream's bytes are the server's. Fails with the proxy's own words; the caller sets the
// deadline.
boost::asio::awaitable<Result<>> open_tunnel(boost::beast::tcp_stream& stream, Proxy proxy, Endpoint server);

} // namespace routelet::k8s
