#include "k8sclient/node_reflector.h"

#include "k8sclient/node_api.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <random>
#include <utility>

namespace routelet::k8s {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using Clock = NodeObserver::Clock;
using What = WatchNotice::What;
using std::chrono::milliseconds;

constexpr auto good_watch = 10s; // resets the backoff, whatever came of it
constexpr std::size_t most_pages = 1000;
constexpr auto no_streaming_for = 1h;    // after the server refused one: it may be upgraded
constexpr unsigned most_cut_streams = 2; // in a row; then a plain list may come through

milliseconds since(Clock::time_point start)
{
    return std::chrono::duration_cast<milliseconds>(Clock::now() - start);
}

Failure undecodable(const Error& error)
{
    Failure failure;
    failure.why = Failure::Why::undecodable;
    failure.error = error;
    return failure;
}

} // namespace

struct NodeReflector::Impl {
    // A list that is being put together; its nodes are with the observer.
    struct Listing {
        Clock::time_point start = Clock::now();
        std::size_t nodes = 0;
        std::size_t pages = 0;
        std::string version;
        std::string continue_token;
        Clock::time_point received;
        std::vector<Node> deleted; // while it was streamed
    };

    Impl(asio::any_io_executor on, ClusterConfig config, NodeObserver& told, ReflectorOptions with)
        : executor(on), observer(told), options(with),
          api(on, std::move(config), with.encoding, with.patience),
          backoff(with.backoff_first, with.backoff_most)
    {
        api.on_notice([this](const AccessNotice& notice) { observer.access_noticed(notice); });
    }

    asio::any_io_executor executor;
    NodeObserver& observer;
    ReflectorOptions options;
    NodeApi api;
    Backoff backoff;
    bool is_outage = false; // no answer since a connection failed
    WatchHistory history;
    std::mt19937_64 random{std::random_device{}()};
    std::string version;                                         // of the last list, event or bookmark
    Clock::time_point streaming_from = Clock::time_point::min(); // streaming lists are asked for again
    unsigned cut_streams = 0;                                    // in a row
    ListDoubt list_doubt;
    bool bookmarks_seen = false;
    std::optional<WatchDecoder> decoder; // of the stream that is open
    Clock::time_point stream_start;
    Clock::time_point stream_last; // by then it is to have ended

    WatchNotice notice_of(What what) const
    {
        WatchNotice notice;
        notice.what = what;
        notice.version = version;
        return notice;
    }

    // A factor from [1, 2).
    double jitter() { return std::uniform_real_distribution<double>(1, 2)(random); }
    // Uniform from [0, most].
    milliseconds up_to(milliseconds most)
    {
        return milliseconds(std::uniform_int_distribution<milliseconds::rep>(0, most.count())(random));
    }

    // An outage makes the waits long, and says nothing of a server that answers again: what it ends early at
    // first, such as a watch while it starts, is tried again soon.
    void note_unanswered(const Failure& failure) { is_outage |= failure.why == Failure::Why::transport; }
    void note_answered()
    {
        if (std::exchange(is_outage, false))
            backoff.reset();
    }

    asio::awaitable<void> pause(milliseconds delay);
    asio::awaitable<ListMode> list_until_complete();
    asio::awaitable<Answer<Listing>> list_once(ListMode mode);
    asio::awaitable<Answer<Listing>> list_in_pages(ListMode mode);
    asio::awaitable<Answer<Listing>> list_as_stream();
    asio::awaitable<std::optional<Failure>> read_initial_events(Listing& listing);
    asio::awaitable<void> follow(ListMode listed);
    asio::awaitable<WatchEnd> watch_once();
    asio::awaitable<WatchEnd> read_events();

    ListMode first_list_mode() const;
    std::chrono::seconds some_watch_timeout();
    void note_list_failure(ListMode mode, Failure& failure);
    void take_initial_event(WatchEvent event, Listing& listing);
    void complete(Listing listing, ListMode mode);
    void announce_doubt(const Listing& listing);
    void pass_on(std::vector<WatchEvent> events, Clock::time_point received, WatchEnd& end);
    void apply(WatchEvent event, Clock::time_point received);
    milliseconds announce_list_failure(const Failure& failure, bool is_last_resort);
    milliseconds announce_watch_end(const WatchEnd& end, AfterWatch next);
};

asio::awaitable<void> NodeReflector::Impl::pause(milliseconds delay)
{
    asio::steady_timer timer(executor, delay);
    co_await timer.async_wait(asio::use_awaitable);
}

ListMode NodeReflector::Impl::first_list_mode() const
{
    const bool streams = options.streaming_list && Clock::now() >= streaming_from;
    return streams ? ListMode::streaming : ListMode::not_older;
}

// Random, so that the watches of a cluster's agents do not all end at once.
std::chrono::seconds NodeReflector::Impl::some_watch_timeout()
{
    const auto least = options.watch_timeout_least;
    return least +
           std::chrono::seconds(std::uniform_int_distribution<std::int64_t>(0, least.count() - 1)(random));
}

// Returns how the list came: of a streaming one the stream is open still.
asio::awaitable<ListMode> NodeReflector::Impl::list_until_complete()
{
    for (ListMode mode = first_list_mode();;) {
        Answer<Listing> listing = co_await list_once(mode);
        if (listing) {
            note_answered();
            if (!list_doubt.is_doubtful(listing->nodes)) {
                complete(std::move(*listing), mode);
                co_return mode;
            }
            announce_doubt(*listing);
            api.close();
            mode = ListMode::latest_paged;
            co_await pause(options.doubt);
            continue;
        }
        Failure failure = listing.error();
        note_list_failure(mode, failure);
        const ListMode next = after_list_failure(mode, failure);
        const milliseconds delay = announce_list_failure(failure, next == mode);
        mode = next;
        co_await pause(delay);
    }
}

asio::awaitable<Answer<NodeReflector::Impl::Listing>> NodeReflector::Impl::list_once(ListMode mode)
{
    observer.list_begins();
    return mode == ListMode::streaming ? list_as_stream() : list_in_pages(mode);
}

void NodeReflector::Impl::note_list_failure(ListMode mode, Failure& failure)
{
    note_unanswered(failure);
    if (mode != ListMode::streaming)
        return;
    const bool was_begun = decoder && failure.why != Failure::Why::event;
    if (was_begun && ++cut_streams >= most_cut_streams)
        failure.why = Failure::Why::endless;
    if (refuses_streaming(failure))
        streaming_from = Clock::now() + no_streaming_for;
}

void NodeReflector::Impl::complete(Listing listing, ListMode mode)
{
    version = std::move(listing.version);
    cut_streams = 0;
    WatchNotice notice = notice_of(What::listed);
    notice.nodes = listing.nodes;
    notice.streamed = mode == ListMode::streaming;
    notice.took = since(listing.start);
    observer.noticed(notice);
    observer.replaced(listing.received);
    for (Node& node : listing.deleted)
        observer.deleted(std::move(node), listing.received);
    observer.heard();
}

void NodeReflector::Impl::announce_doubt(const Listing& listing)
{
    WatchNotice notice = notice_of(What::doubtful);
    notice.nodes = listing.nodes;
    notice.known = list_doubt.known();
    notice.retry_in = options.doubt;
    observer.noticed(notice);
}

asio::awaitable<Answer<NodeReflector::Impl::Listing>> NodeReflector::Impl::list_in_pages(ListMode mode)
{
    Listing listing;
    const auto keep = [&](Node node) {
        ++listing.nodes;
        observer.listed(std::move(node));
    };
    do {
        std::string target = list_target(mode, version, options.page_size, listing.continue_token);
        Answer<NodeApi::Page> page = co_await api.list(std::move(target), keep);
        if (!page)
            co_return page.error();
        const bool goes_round =
            !page->continue_token.empty() && page->continue_token == listing.continue_token;
        if (goes_round || ++listing.pages > most_pages)
            co_return undecodable({{}, "the pages of the list of nodes have no end"});
        listing.version = std::move(page->version);
        listing.continue_token = std::move(page->continue_token);
        listing.received = page->received;
    } while (!listing.continue_token.empty());
    co_return listing;
}

// The nodes as the events that a watch begins with, up to the bookmark that ends them.
asio::awaitable<Answer<NodeReflector::Impl::Listing>> NodeReflector::Impl::list_as_stream()
{
    decoder.reset();
    const auto timeout = some_watch_timeout();
    std::string target = streaming_target(version, timeout);
    Answer<Encoding> accepted = co_await api.watch(std::move(target));
    if (!accepted)
        co_return accepted.error();

    decoder.emplace(*accepted);
    stream_start = Clock::now();
    stream_last = stream_start + timeout + options.patience.watch_end;
    Listing listing;
    std::optional<Failure> failure = co_await read_initial_events(listing);
    if (failure) {
        api.close();
        co_return *failure;
    }
    co_return listing;
}

asio::awaitable<std::optional<Failure>> NodeReflector::Impl::read_initial_events(Listing& listing)
{
    while (listing.version.empty()) {
        const Clock::time_point deadline =
            std::min<Clock::time_point>(Clock::now() + options.patience.list, stream_last);
        Answer<std::string_view> piece = co_await api.read_some(deadline);
        listing.received = Clock::now();
        if (!piece)
            co_return piece.error();
        if (piece->empty())
            co_return undecodable({{}, "the streaming list of nodes ended before it was complete"});
        std::vector<WatchEvent> events;
        Result<> fed = decoder->feed(*piece, events);
        for (WatchEvent& event : events) {
            if (event.type == WatchEvent::Type::error)
                co_return describe_error_event(event.status);
            take_initial_event(std::move(event), listing);
        }
        if (!fed) {
            api.distrust_protobuf();
            co_return undecodable(fed.error().within("streaming list of nodes"));
        }
    }
    co_return std::nullopt;
}

// What follows the last bookmark in the same piece is as good as listed: it is passed on after the list.
void NodeReflector::Impl::take_initial_event(WatchEvent event, Listing& listing)
{
    using Type = WatchEvent::Type;
    const bool is_after_them = !listing.version.empty() && !event.version.empty();
    if (event.ends_initial_events || is_after_them)
        listing.version = event.version;
    if (event.type == Type::deleted) {
        listing.deleted.push_back(std::move(event.node));
    } else if (event.type == Type::added || event.type == Type::modified) {
        std::erase_if(listing.deleted, [&](const Node& gone) { return gone.name == event.node.name; });
        ++listing.nodes;
        observer.listed(std::move(event.node));
    }
}

// Returns how long to wait: not at all when there is another way to ask.
milliseconds NodeReflector::Impl::announce_list_failure(const Failure& failure, bool is_last_resort)
{
    const milliseconds delay = is_last_resort ? backoff.next(jitter(), failure.retry_after) : milliseconds(0);
    WatchNotice notice = notice_of(failure.is_expired()                            ? What::expired
                                   : !is_last_resort && refuses_streaming(failure) ? What::no_streaming
                                                                                   : What::failed);
    notice.retry_in = delay;
    notice.error = failure.error;
    observer.noticed(notice);
    return delay;
}

// Watches on, over any number of connections, the first of which is open after a streaming list; returns when
// only a new list can help.
asio::awaitable<void> NodeReflector::Impl::follow(ListMode listed)
{
    for (bool is_open = listed == ListMode::streaming;; is_open = false) {
        WatchEnd end;
        if (is_open)
            end = co_await read_events();
        else
            end = co_await watch_once();
        if (end.events > 0 || end.lasted >= good_watch)
            backoff.reset();
        const AfterWatch next = history.next(end);
        const milliseconds delay = announce_watch_end(end, next);
        if (delay.count() > 0)
            co_await pause(delay);
        if (next == AfterWatch::relist)
            co_return;
    }
}

// Returns how long to wait before what is next.
milliseconds NodeReflector::Impl::announce_watch_end(const WatchEnd& end, AfterWatch next)
{
    const bool is_expired = end.failure && end.failure->is_expired();
    WatchNotice notice = notice_of(is_expired ? What::expired : end.failure ? What::failed : What::closed);
    if (next == AfterWatch::relist && is_expired && backoff.is_fresh()) {
        notice.retry_in = up_to(relist_spread(list_doubt.known()));
        (void)backoff.next(1); // should the next watch fail the same way, it is waited for
    } else if (next != AfterWatch::resume_now) {
        notice.retry_in = backoff.next(jitter(), end.failure ? end.failure->retry_after : std::nullopt);
    }

    if (end.failure)
        notice.error = end.failure->error;
    observer.noticed(notice);
    return notice.retry_in;
}

asio::awaitable<WatchEnd> NodeReflector::Impl::watch_once()
{
    const auto timeout = some_watch_timeout();
    std::string target = watch_target(version, timeout);
    Answer<Encoding> accepted = co_await api.watch(std::move(target));
    if (!accepted) {
        note_unanswered(accepted.error());
        WatchEnd refused;
        refused.failure = accepted.error();
        co_return refused;
    }

    note_answered();
    decoder.emplace(*accepted);
    stream_start = Clock::now();
    stream_last = stream_start + timeout + options.patience.watch_end;
    WatchEnd end = co_await read_events();
    co_return end;
}

// Of the stream that is open, to its end.
asio::awaitable<WatchEnd> NodeReflector::Impl::read_events()
{
    observer.noticed(notice_of(What::watching));
    WatchEnd end;
    while (!end.failure) {
        const Clock::time_point idle = Clock::now() + options.patience.bookmark;
        const Clock::time_point deadline = bookmarks_seen ? std::min(idle, stream_last) : stream_last;
        Answer<std::string_view> piece = co_await api.read_some(deadline);
        const Clock::time_point received = Clock::now();
        if (!piece) {
            end.failure = piece.error();
            break;
        }
        if (piece->empty()) {
            if (!decoder->between_frames())
                end.failure = undecodable({{}, "the watch ended in the middle of an event"});
            break;
        }
        std::vector<WatchEvent> events;
        Result<> fed = decoder->feed(*piece, events);
        pass_on(std::move(events), received, end);
        if (!fed && !end.failure) {
            api.distrust_protobuf();
            end.failure = undecodable(fed.error().within("watch of nodes"));
        }
    }
    if (end.failure)
        api.close();
    end.lasted = since(stream_start);
    // After its store was restored from a backup, a server may be behind our version: it then sends neither
    // event nor bookmark, nor an error, until it has caught up.
    end.suspiciously_silent = bookmarks_seen && end.events == 0 && end.lasted >= options.patience.bookmark;
    co_return end;
}

void NodeReflector::Impl::pass_on(std::vector<WatchEvent> events, Clock::time_point received, WatchEnd& end)
{
    for (WatchEvent& event : events) {
        if (event.type == WatchEvent::Type::error) {
            end.failure = describe_error_event(event.status);
            return;
        }
        ++end.events;
        const std::string reached = event.version;
        apply(std::move(event), received);
        if (!reached.empty() && reached != version) {
            version = reached;
            end.advanced = true;
        }
    }
}

void NodeReflector::Impl::apply(WatchEvent event, Clock::time_point received)
{
    switch (event.type) {
    case WatchEvent::Type::added:
        list_doubt.added();
        [[fallthrough]];
    case WatchEvent::Type::modified:
        observer.upserted(std::move(event.node), received);
        break;
    case WatchEvent::Type::deleted:
        list_doubt.deleted();
        observer.deleted(std::move(event.node), received);
        break;
    case WatchEvent::Type::bookmark:
        bookmarks_seen = true;
        break;
    case WatchEvent::Type::error:
        return;
    }
    observer.heard();
}

NodeReflector::NodeReflector(asio::any_io_executor executor, ClusterConfig config, NodeObserver& observer,
                             ReflectorOptions options)
    : impl_(std::make_unique<Impl>(std::move(executor), std::move(config), observer, options))
{
}

NodeReflector::~NodeReflector() = default;

asio::awaitable<void> NodeReflector::run()
{
    for (;;) {
        const ListMode listed = co_await impl_->list_until_complete();
        co_await impl_->follow(listed);
    }
}

} // namespace routelet::k8s
