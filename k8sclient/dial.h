#pragma once
#include "base/result.h"
#include "k8sclient/config.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace routelet::k8s {

// A TCP connection that ends at the server of `config`, straight or through the proxy that the configuration
// has for it: looks the name up, tries each of its addresses, and lets the kernel notice a dead peer within
// 30 s. Ends at once by cancellation, with operation_aborted thrown. The error names whom it could not reach.
boost::asio::awaitable<Result<boost::asio::ip::tcp::socket>> dial(boost::asio::any_io_executor executor,
                                                                  ClusterConfig config);

} // namespace routelet::k8s
