#pragma once
#include "test/lab/lab.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>

#include <memory>

namespace routelet::lab {

// One connection of a client, until either side ends it. Belongs to the thread of its socket.
class Session {
public:
    virtual ~Session() = default;
    virtual void cut() = 0; // at once, as a crash of the server would
};

// Serves a connection; the session keeps itself alive while it lasts. `lab` and `tls` must outlive it.
std::weak_ptr<Session> serve(boost::asio::ip::tcp::socket socket, boost::asio::ssl::context& tls, Lab& lab);

} // namespace routelet::lab
