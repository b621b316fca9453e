#pragma once
#include "k8sclient/connection.h"
#include "k8sclient/encoding.h"
#include "k8sclient/read_patience.h"
#include "k8sclient/reflector_policy.h"
#include "k8sclient/server_access.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/system/result.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace routelet::k8s {

// What a request gave, or why it gave nothing.
template <class T>
using Answer = boost::system::result<T, Failure>;

// Requests about Nodes, and Events of them, over one connection at a time, which is kept for the next request
// as long as the server keeps it. Servers and credentials are ServerAccess's. Private to k8sclient; stay on
// its executor.
class NodeApi {
public:
    using Clock = std::chrono::steady_clock;

    // Asks for `preferred`, and for JSON from then on when the server does not have that, or an answer in it
    // could not be decoded.
    NodeApi(boost::asio::any_io_executor executor, ClusterConfig config, Encoding preferred = Encoding::json,
            ReadPatience patience = {});

    // To be told from then on how the server is reached.
    void on_notice(std::function<void(const AccessNotice&)> told) { access_.on_notice(std::move(told)); }

    // One page of a list, or all of it. Its nodes go to `each` as they arrive, and count only once all is
    // there.
    struct Page {
        std::string version;
        std::string continue_token;
        Clock::time_point received; // when its last bytes were read
    };
    boost::asio::awaitable<Answer<Page>> list(std::string target, std::function<void(Node)> each);

    // A strategic merge patch of the status subresource. Gives the Node as the server has it then.
    boost::asio::awaitable<Answer<Node>> patch_status(std::string node, std::string body);

    // A POST or a PATCH; the answer's body is read and dropped. An answer that breaks off after its head
    // counts as whole.
    boost::asio::awaitable<Answer<void>> write(Connection::Request asked);

    // Starts a watch, in the encoding that is returned; then read_some() gives what the server sends.
    boost::asio::awaitable<Answer<Encoding>> watch(std::string target);
    // Empty at the proper end. A stream that is not read to its end must be closed.
    boost::asio::awaitable<Answer<std::string_view>> read_some(Clock::time_point deadline);
    void close() noexcept { connection_.reset(); }

    // An answer could not be decoded: JSON may be what is wrong least.
    void distrust_protobuf() noexcept { encoding_ = Encoding::json; }

private:
    boost::asio::awaitable<Answer<Encoding>> get(std::string target, std::chrono::milliseconds patience);
    boost::asio::awaitable<Answer<Encoding>> request(Connection::Request asked);
    boost::asio::awaitable<Answer<ResponseHead>> send(Connection::Request asked);
    boost::asio::awaitable<Failure> read_refusal(Connection::Method method, std::string target,
                                                 ResponseHead head);
    Failure undecodable(const char* method, const std::string& target, const Error& why);

    ServerAccess access_;
    Encoding encoding_; // that is asked for
    ReadPatience patience_;
    std::optional<Connection> connection_;
};

} // namespace routelet::k8s
