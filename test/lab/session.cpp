#include "test/lab/session.h"

#include "test/lab/access.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <algorithm>
#include <cstdio>
#include <sstream>

namespace routelet::lab {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using Clock = std::chrono::steady_clock;
using HttpRequest = http::request<http::string_body>;

constexpr auto never = Clock::time_point::max();
constexpr std::uint64_t body_limit = 3U << 20U; // bytes; of a request, as the real server's

Request understood(const HttpRequest& message, const std::filesystem::path& tokens)
{
    Request request;
    request.method = std::string(message.method_string());
    set_target(request, std::string(message.target()));
    request.accept = std::string(message[http::field::accept]);
    const std::string type(message[http::field::content_type]);
    request.content_type = type.substr(0, type.find_first_of("; "));
    request.body = message.body();
    const std::string authorization(message[http::field::authorization]);
    constexpr std::string_view scheme = "Bearer ";
    if (authorization.starts_with(scheme))
        request.user = find_user(tokens, std::string_view(authorization).substr(scheme.size()));
    return request;
}

Fault::Requests kind_of(const Request& request)
{
    if (request.method != "GET")
        return Fault::Requests::write;
    const auto& path = request.path;
    const bool is_collection = path.size() == 3 || (path.size() == 5 && path[2] == "namespaces");
    if (path.empty() || path[0] != "api" || !is_collection)
        return Fault::Requests::get;
    return request.flag("watch") ? Fault::Requests::watch : Fault::Requests::list;
}

std::string head_text(const Reply& reply, bool is_chunked)
{
    std::ostringstream text;
    text << "HTTP/1.1 " << reply.status << ' ' << http::obsolete_reason(http::int_to_status(reply.status))
         << "\r\nCache-Control: no-cache, private\r\nContent-Type: " << reply.content_type << "\r\n";
    if (!reply.retry_after.empty())
        text << "Retry-After: " << reply.retry_after << "\r\n";
    if (is_chunked)
        text << "Transfer-Encoding: chunked\r\n\r\n";
    else
        text << "Content-Length: " << reply.body.size() << "\r\n\r\n";
    return text.str();
}

std::string chunk_text(const std::string& bytes)
{
    char size[24];
    const auto length = static_cast<std::size_t>(std::snprintf(size, sizeof size, "%zx\r\n", bytes.size()));
    std::string text;
    text.reserve(length + bytes.size() + 2);
    return text.append(size, length).append(bytes).append("\r\n");
}

class TlsSession final : public Session, public std::enable_shared_from_this<TlsSession> {
public:
    TlsSession(asio::ip::tcp::socket socket, asio::ssl::context& tls, Lab& lab)
        : stream_(std::move(socket), tls), timer_(stream_.get_executor()), lab_(lab)
    {
    }

    asio::awaitable<void> run();
    void cut() override { close(true); }

private:
    asio::awaitable<bool> open();
    asio::awaitable<HttpRequest> read();
    asio::awaitable<bool> serve(Request request);
    asio::awaitable<Answer> answer(Request request);
    asio::awaitable<bool> send(Reply reply, std::optional<Fault> fault);
    asio::awaitable<bool> send_raw(Fault fault);
    asio::awaitable<bool> watch(WatchStart start, std::optional<Fault> fault);
    asio::awaitable<bool> send_frames(BodyStage& stage, std::vector<Frame> frames);
    asio::awaitable<bool> play(std::vector<Step> steps);
    asio::awaitable<void> write(std::string bytes);
    asio::awaitable<void> end_body();
    asio::awaitable<void> pause(Clock::time_point until);
    asio::awaitable<void> stall();
    void notice_hangup();
    void close(bool reset);

    asio::ssl::stream<asio::ip::tcp::socket> stream_;
    asio::steady_timer timer_;
    Lab& lab_;
    boost::beast::flat_buffer buffer_;
    std::size_t record_ = 0;  // of the present request, in lab_.requests
    bool is_chunked_ = false; // the body of the present reply
    bool is_reading_ = false; // notice_hangup() is under way
    bool is_closed_ = false;
};

// Ends by an exception of Asio's when the connection does.
asio::awaitable<void> TlsSession::run()
{
    bool goes_on = co_await open();
    while (goes_on) {
        const HttpRequest message = co_await read();
        Request request = understood(message, lab_.tokens);
        goes_on = co_await serve(std::move(request));
        goes_on = goes_on && message.keep_alive();
    }
    close(false);
}

// The TLS handshake, or the fault that takes its place.
asio::awaitable<bool> TlsSession::open()
{
    stream_.next_layer().set_option(asio::ip::tcp::no_delay(true));
    const auto fault = lab_.faults.strike(Fault::Requests::connect);
    if (fault && fault->what == Fault::What::delay) {
        const auto until = Clock::now() + fault->delay;
        co_await pause(until);
    } else if (fault && fault->what == Fault::What::garbage) {
        const std::string bytes = fault->body.empty() ? "220 this is no TLS\r\n" : fault->body;
        co_await asio::async_write(stream_.next_layer(), asio::buffer(bytes), asio::use_awaitable);
        co_return false;
    } else if (fault && fault->what == Fault::What::silence) {
        co_await pause(never); // until cut: without TLS there is nothing to read a hangup from
        co_return false;
    } else if (fault) {
        close(true);
        co_return false;
    }
    co_await stream_.async_handshake(asio::ssl::stream_base::server, asio::use_awaitable);
    co_return true;
}

asio::awaitable<HttpRequest> TlsSession::read()
{
    while (is_reading_) // a watch that has ended left it behind; the next request's bytes end it
        co_await pause(never);
    http::request_parser<http::string_body> parser;
    parser.body_limit(body_limit);
    co_await http::async_read(stream_, buffer_, parser, asio::use_awaitable);
    co_return parser.release();
}

// False when the connection is not to be used again.
asio::awaitable<bool> TlsSession::serve(Request request)
{
    record_ = lab_.requests.size();
    lab_.requests.push_back({.method = request.method,
                             .target = request.target,
                             .status = 0,
                             .user = request.user ? request.user->name : "",
                             .when = Clock::now()});
    if (auto reply = answer_lab(lab_, request)) {
        const bool sent = co_await send(std::move(*reply), std::nullopt);
        co_return sent;
    }

    const std::optional<Fault> fault = lab_.faults.strike(kind_of(request), request.target);
    if (fault && fault->what == Fault::What::refuse) {
        close(true);
        co_return false;
    }
    if (fault && fault->what == Fault::What::silence && fault->after_bytes + fault->after_frames == 0) {
        co_await stall();
        co_return false;
    }
    if (fault && fault->what == Fault::What::raw) {
        const bool goes_on = co_await send_raw(*fault);
        co_return goes_on;
    }
    if (fault && fault->what == Fault::What::delay) {
        const auto until = Clock::now() + fault->delay;
        while (Clock::now() < until)
            co_await pause(until);
    }
    request.sees_nothing = fault && fault->what == Fault::What::empty_list;
    const Form status_form = negotiate_status(request.accept);
    Answer answered = Reply{};
    if (!fault || fault->what != Fault::What::status)
        answered = co_await answer(std::move(request));
    if (auto* start = std::get_if<WatchStart>(&answered)) {
        const bool ended_well = co_await watch(std::move(*start), fault);
        co_return ended_well;
    }
    Reply reply = disturbed(fault, std::get<Reply>(std::move(answered)), status_form);
    const bool sent = co_await send(std::move(reply), fault);
    if (lab_.requests[record_].method != "GET" && lab_.on_write)
        lab_.on_write(lab_.requests[record_]);
    co_return sent;
}

// A Reply or a WatchStart, after having waited for the version that the request is about.
asio::awaitable<Answer> TlsSession::answer(Request request)
{
    const auto patience_ends = Clock::now() + lab_.version_wait;
    const Version before = lab_.store.version();
    Answer answered = lab_.api.answer(request, true);
    while (auto* wait = std::get_if<WaitFor>(&answered)) {
        const bool patient = Clock::now() < patience_ends && !is_closed_;
        if (patient && lab_.store.version() < wait->version)
            co_await pause(patience_ends);
        else
            answered = lab_.api.answer(request, patient);
    }
    if (lab_.store.version() != before)
        lab_.on_change();
    co_return answered;
}

asio::awaitable<bool> TlsSession::send(Reply reply, std::optional<Fault> fault)
{
    lab_.requests[record_].status = reply.status;
    is_chunked_ = reply.status < 400;
    BodyStage stage(std::move(fault));
    std::string head = head_text(reply, is_chunked_);
    co_await write(std::move(head));

    std::vector<Step> steps = stage.begin();
    bool goes_on = co_await play(std::move(steps));
    Frame body{.what = Frame::What::event, .text = std::move(reply.body)};
    while (goes_on && !body.text.empty()) {
        steps = stage.pass(body);
        goes_on = co_await play(std::move(steps));
        body.text = reply.more ? reply.more() : std::string();
    }
    if (goes_on && is_chunked_)
        co_await end_body();
    co_return goes_on;
}

asio::awaitable<bool> TlsSession::send_raw(Fault fault)
{
    co_await write(std::move(fault.body));
    if (fault.ending == Fault::Ending::none)
        co_return true;
    if (fault.ending == Fault::Ending::goodbye) {
        boost::system::error_code cut; // the client's goodbye is not owed
        co_await stream_.async_shutdown(asio::redirect_error(asio::use_awaitable, cut));
    }
    close(fault.ending == Fault::Ending::reset);
    co_return false;
}

asio::awaitable<bool> TlsSession::watch(WatchStart start, std::optional<Fault> fault)
{
    const auto end = start.timeout ? Clock::now() + *start.timeout : never;
    const bool bookmarks = start.bookmarks;
    BodyStage stage(fault, start.form);
    Reply head{.content_type = std::string(watch_content_type(start.form))};
    WatchFeed feed(lab_.store, std::move(start));
    if (fault && fault->what == Fault::What::content_type)
        head.content_type = fault->content_type;
    lab_.requests[record_].status = head.status;
    is_chunked_ = true;
    notice_hangup();
    std::string head_bytes = head_text(head, true);
    co_await write(std::move(head_bytes));

    std::vector<Step> steps = stage.begin();
    bool goes_on = co_await play(std::move(steps));
    auto next_bookmark = bookmarks ? Clock::now() + lab_.bookmark_interval : never;
    while (goes_on && !is_closed_) {
        std::vector<Frame> frames = feed.next();
        const bool at_end = Clock::now() >= end;
        if (bookmarks && !feed.over() && feed.is_past_initial() &&
            (at_end || Clock::now() >= next_bookmark)) {
            frames.push_back(feed.bookmark());
            next_bookmark = Clock::now() + lab_.bookmark_interval;
        }
        goes_on = co_await send_frames(stage, std::move(frames));
        if (goes_on && (feed.over() || at_end)) {
            co_await end_body();
            co_return true;
        }
        const auto next = std::min(end, next_bookmark);
        if (goes_on && !is_closed_ && feed.is_up_to_date())
            co_await pause(next);
    }
    co_return false;
}

asio::awaitable<bool> TlsSession::send_frames(BodyStage& stage, std::vector<Frame> frames)
{
    bool goes_on = true;
    for (std::size_t i = 0; i < frames.size() && goes_on; ++i) {
        std::vector<Step> steps = stage.pass(frames[i]);
        goes_on = co_await play(std::move(steps));
    }
    co_return goes_on;
}

// False when the steps have ended the connection or the body.
asio::awaitable<bool> TlsSession::play(std::vector<Step> steps)
{
    for (const Step& step : steps) {
        const auto until = Clock::now() + step.pause;
        while (Clock::now() < until)
            co_await pause(until);
        std::string bytes = is_chunked_ && !step.bytes.empty() ? chunk_text(step.bytes) : step.bytes;
        co_await write(std::move(bytes));
        if (step.then == Step::Then::go_on)
            continue;
        if (step.then == Step::Then::end)
            co_await end_body();
        else if (step.then == Step::Then::stall)
            co_await stall();
        else
            close(step.then == Step::Then::reset);
        co_return false;
    }
    co_return true;
}

asio::awaitable<void> TlsSession::write(std::string bytes)
{
    if (!bytes.empty())
        co_await asio::async_write(stream_, asio::buffer(bytes), asio::use_awaitable);
}

asio::awaitable<void> TlsSession::end_body()
{
    std::string last_chunk = "0\r\n\r\n";
    co_await write(std::move(last_chunk));
}

// Until then, or until the store changes, or the client hangs up.
asio::awaitable<void> TlsSession::pause(Clock::time_point until)
{
    boost::system::error_code woken;
    timer_.expires_at(until);
    lab_.waiting.insert(&timer_);
    co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    lab_.waiting.erase(&timer_);
}

// Says nothing until the client has had enough.
asio::awaitable<void> TlsSession::stall()
{
    notice_hangup();
    while (!is_closed_)
        co_await pause(never);
}

// Reads while nothing is expected, to learn of a client's end. What comes instead is the next request.
void TlsSession::notice_hangup()
{
    if (is_reading_)
        return;
    is_reading_ = true;
    stream_.async_read_some(buffer_.prepare(4096),
                            [self = shared_from_this()](boost::system::error_code error, std::size_t size) {
                                self->is_reading_ = false;
                                self->buffer_.commit(size);
                                self->is_closed_ = self->is_closed_ || error;
                                self->timer_.cancel();
                            });
}

void TlsSession::close(bool reset)
{
    auto& socket = stream_.next_layer();
    boost::system::error_code ignored; // it may be closed already
    is_closed_ = true;
    if (reset)
        socket.set_option(asio::socket_base::linger(true, 0), ignored);
    socket.close(ignored);
    timer_.cancel();
}

// The end of a connection is no news; anything else is a bug of the lab and must be seen.
void ended(const std::shared_ptr<TlsSession>& session, std::exception_ptr why)
{
    session->cut();
    try {
        if (why)
            std::rethrow_exception(why);
    } catch (const boost::system::system_error&) {
    }
}

} // namespace

std::weak_ptr<Session> serve(asio::ip::tcp::socket socket, asio::ssl::context& tls, Lab& lab)
{
    auto executor = socket.get_executor();
    auto session = std::make_shared<TlsSession>(std::move(socket), tls, lab);
    asio::co_spawn(executor, session->run(),
                   [session](std::exception_ptr why) { ended(session, std::move(why)); });
    return session;
}

} // namespace routelet::lab
