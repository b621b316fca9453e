#include "k8sclient/node_api.h"

#include <boost/beast/core/error.hpp>

namespace routelet::k8s {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

constexpr auto patch_patience = 15s;              // for the head and for all of the body
constexpr std::size_t refusal_limit = 64U << 10U; // bytes

Failure transport_failure(Error error)
{
    Failure failure;
    failure.error = std::move(error);
    return failure;
}

bool is_timeout(const Error& error)
{
    return error.code == boost::system::errc::timed_out || error.code == boost::beast::error::timeout;
}

// A server that another one can stand in for: it is not ready, or sends its clients away.
bool is_going_down(const ResponseHead& head)
{
    return head.status == 503 || (head.closes && (head.status == 429 || head.status >= 500));
}

const char* name_of(Connection::Method method)
{
    switch (method) {
    case Connection::Method::get:
        break;
    case Connection::Method::patch:
        return "PATCH";
    case Connection::Method::post:
        return "POST";
    }
    return "GET";
}

Refusal::Of asked_of(Connection::Method method, const std::string& target)
{
    if (method == Connection::Method::get)
        return Refusal::Of::nodes;
    return target.starts_with("/api/v1/nodes/") ? Refusal::Of::node_status : Refusal::Of::events;
}

} // namespace

NodeApi::NodeApi(asio::any_io_executor executor, ClusterConfig config, Encoding preferred,
                 ReadPatience patience)
    : access_(std::move(executor), std::move(config)), encoding_(preferred), patience_(patience)
{
}

asio::awaitable<Answer<NodeApi::Page>> NodeApi::list(std::string target, std::function<void(Node)> each)
{
    const Clock::time_point last = Clock::now() + patience_.whole_list;
    Answer<Encoding> encoding = co_await get(target, patience_.list);
    if (!encoding)
        co_return encoding.error();

    NodeListDecoder decoder(*encoding);
    for (;;) {
        const Clock::time_point deadline = std::min<Clock::time_point>(Clock::now() + patience_.list, last);
        Answer<std::string_view> piece = co_await read_some(deadline);
        if (!piece)
            co_return piece.error();
        Result<> fed = decoder.feed(*piece);
        for (Node& node : decoder.take_nodes())
            each(std::move(node));
        const bool is_end = piece->empty();
        Result<NodeList> list = !fed ? Result<NodeList>(fed.error()) : is_end ? decoder.finish() : NodeList();
        if (!list) {
            close();
            if (!fed)
                distrust_protobuf();
            co_return undecodable("GET", target, list.error());
        }
        if (is_end)
            co_return Page{std::move(list->version), std::move(list->continue_token), Clock::now()};
    }
}

asio::awaitable<Answer<Encoding>> NodeApi::watch(std::string target)
{
    return get(std::move(target), patience_.watch_head);
}

asio::awaitable<Answer<std::string_view>> NodeApi::read_some(Clock::time_point deadline)
{
    Result<std::string_view> piece = co_await connection_->read_some(deadline);
    if (!piece) {
        close();
        if (is_timeout(piece.error()))
            access_.leave(piece.error());
        co_return transport_failure(piece.error());
    }
    if (piece->empty() && !connection_->is_reusable())
        close();
    co_return *piece;
}

asio::awaitable<Answer<Node>> NodeApi::patch_status(std::string node, std::string body)
{
    Connection::Request asked;
    asked.method = Connection::Method::patch;
    asked.target = "/api/v1/nodes/" + node + "/status";
    asked.content_type = "application/strategic-merge-patch+json";
    asked.body = std::move(body);
    asked.patience = patch_patience;
    const std::string target = asked.target;
    Answer<Encoding> accepted = co_await request(std::move(asked));
    if (!accepted)
        co_return accepted.error();

    NodeDecoder decoder;
    const Clock::time_point deadline = Clock::now() + patch_patience;
    for (;;) {
        Answer<std::string_view> piece = co_await read_some(deadline);
        if (!piece)
            co_return piece.error();
        const bool is_end = piece->empty();
        Result<> fed = decoder.feed(*piece);
        Result<Node> patched = !fed ? Result<Node>(fed.error()) : is_end ? decoder.finish() : Node();
        if (!patched) {
            close();
            co_return undecodable("PATCH", target, patched.error());
        }
        if (is_end)
            co_return *patched;
    }
}

asio::awaitable<Answer<void>> NodeApi::write(Connection::Request asked)
{
    const auto patience = asked.patience;
    Answer<Encoding> accepted = co_await request(std::move(asked));
    if (!accepted)
        co_return accepted.error();
    const Clock::time_point deadline = Clock::now() + patience;
    for (;;) {
        Answer<std::string_view> piece = co_await read_some(deadline);
        if (!piece || piece->empty())
            co_return Answer<void>(); // it is done, whatever becomes of the answer's rest
    }
}

Failure NodeApi::undecodable(const char* method, const std::string& target, const Error& why)
{
    Failure failure =
        transport_failure(why.within(std::string(method) + " " + access_.cluster().url() + target));
    failure.why = Failure::Why::undecodable;
    return failure;
}

asio::awaitable<Answer<Encoding>> NodeApi::get(std::string target, std::chrono::milliseconds patience)
{
    Connection::Request asked;
    asked.target = std::move(target);
    asked.patience = patience;
    return request(std::move(asked));
}

// 401 is answered by one more try with everything read anew: the token may just have been rotated. And 406 by
// one in JSON, which every server has.
asio::awaitable<Answer<Encoding>> NodeApi::request(Connection::Request asked)
{
    const bool is_get = asked.method == Connection::Method::get;
    for (bool is_retry = false;;) {
        if (is_get)
            asked.accept = accept_header(encoding_);
        Answer<ResponseHead> head = co_await send(asked);
        if (!head)
            co_return head.error();
        const std::optional<Encoding> encoding = encoding_of(head->content_type);
        const bool is_created = head->status == 201 && asked.method == Connection::Method::post;
        if ((head->status == 200 || is_created) && encoding && head->content_encoding.empty())
            co_return *encoding;
        Failure failure = co_await read_refusal(asked.method, asked.target, *head);
        if (is_going_down(*head)) {
            close();
            access_.leave(failure.error);
        }
        if (head->status == 406 && is_get && encoding_ != Encoding::json) {
            encoding_ = Encoding::json;
            continue;
        }
        if (head->status != 401 || is_retry)
            co_return failure;
        is_retry = true;
        access_.reject_credentials();
        close();
    }
}

// A connection that was kept may have been closed by the server meanwhile: then once more on a new one.
asio::awaitable<Answer<ResponseHead>> NodeApi::send(Connection::Request asked)
{
    for (;;) {
        Result<bool> is_another = co_await access_.refresh();
        if (!is_another)
            co_return transport_failure(is_another.error());
        if (*is_another)
            close();
        const bool is_kept = connection_.has_value();
        if (!is_kept) {
            Result<Connection> opened = co_await access_.open();
            if (!opened)
                co_return transport_failure(opened.error());
            connection_ = std::move(*opened);
        }
        asked.authorization = access_.authorization();
        Result<ResponseHead> head = co_await connection_->send(asked);
        if (head)
            co_return *head;
        close();
        if (!is_kept || is_timeout(head.error()))
            access_.leave(head.error());
        if (!is_kept)
            co_return transport_failure(head.error());
    }
}

asio::awaitable<Failure> NodeApi::read_refusal(Connection::Method method, std::string target,
                                               ResponseHead head)
{
    std::string body;
    const Clock::time_point deadline = Clock::now() + patience_.refusal;
    while (body.size() < refusal_limit) {
        Answer<std::string_view> piece = co_await read_some(deadline);
        if (!piece || piece->empty())
            break;
        body += *piece;
    }
    if (connection_ && !connection_->is_reusable())
        close();
    Failure failure = describe_refusal({.url = access_.cluster().url() + target,
                                        .origin = access_.cluster().origin,
                                        .code = head.status,
                                        .reason = head.reason,
                                        .content_type = head.content_type,
                                        .content_encoding = head.content_encoding,
                                        .body = body,
                                        .of = asked_of(method, target),
                                        .method = name_of(method)});
    failure.retry_after = head.retry_after;
    co_return failure;
}

} // namespace routelet::k8s
