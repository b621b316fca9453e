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

constexpr auto good_watch = 10s;         // resets the backoff, whatever came of it
constexpr auto bookmark_patience = 150s; // bookmarks come every minute from a server that sends them
constexpr auto grace = 15s;              // beyond the timeout that the server was asked for
constexpr std::size_t most_pages = 1000;

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

Failure event_failure(const Status& status)
{
    Failure failure;
    failure.why = Failure::Why::event;
    failure.status = status;
    failure.error.context = "the server ended the watch: " + std::to_string(status.code) + " " +
                            status.reason + (status.message.empty() ? "" : ": " + status.message);
    return failure;
}

} // namespace

struct NodeReflector::Impl {
    // A list that is being put together from its pages.
    struct Listing {
        std::vector<Node> nodes;
        std::string version;
        std::string continue_token;
        Clock::time_point received;
        std::size_t pages = 0;
    };

    Impl(asio::any_io_executor on, ClusterConfig config, NodeObserver& told, ReflectorOptions with)
        : executor(on), observer(told), options(with), api(on, std::move(config)),
          backoff(with.backoff_first, with.backoff_most)
    {
    }

    asio::any_io_executor executor;
    NodeObserver& observer;
    ReflectorOptions options;
    NodeApi api;
    Backoff backoff;
    bool is_outage = false; // no answer since a connection failed
    WatchHistory history;
    std::mt19937_64 random{std::random_device{}()};
    std::string version; // of the last list, event or bookmark
    ListMode list_mode = ListMode::from_cache;
    std::size_t nodes = 0; // in the last list
    bool bookmarks_seen = false;

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
    asio::awaitable<void> list_until_complete();
    asio::awaitable<Answer<Listing>> list_once(ListMode mode);
    asio::awaitable<void> follow();
    asio::awaitable<WatchEnd> watch_once();
    asio::awaitable<WatchEnd> read_events(Clock::time_point last);

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

// Every page of a list; nothing of it is used unless all of them came.
asio::awaitable<Answer<NodeReflector::Impl::Listing>> NodeReflector::Impl::list_once(ListMode mode)
{
    Listing listing;
    do {
        std::string target = list_target(mode, version, options.page_size, listing.continue_token);
        Answer<NodeApi::Page> page = co_await api.list(std::move(target));
        if (!page)
            co_return page.error();
        NodeList& list = page->list;
        std::ranges::move(list.nodes, std::back_inserter(listing.nodes));
        const bool goes_round = !list.continue_token.empty() && list.continue_token == listing.continue_token;
        if (goes_round || ++listing.pages > most_pages)
            co_return undecodable({{}, "the pages of the list of nodes have no end"});
        listing.version = std::move(list.version);
        listing.continue_token = std::move(list.continue_token);
        listing.received = page->received;
    } while (!listing.continue_token.empty());
    co_return listing;
}

asio::awaitable<void> NodeReflector::Impl::list_until_complete()
{
    for (;;) {
        const Clock::time_point start = Clock::now();
        Answer<Listing> listing = co_await list_once(list_mode);
        if (listing) {
            note_answered();
            version = std::move(listing->version);
            list_mode = ListMode::not_older;
            nodes = listing->nodes.size();
            WatchNotice notice = notice_of(What::listed);
            notice.nodes = nodes;
            notice.took = since(start);
            observer.noticed(notice);
            observer.replaced(std::move(listing->nodes), listing->received);
            co_return;
        }
        note_unanswered(listing.error());
        const ListMode next = after_list_failure(list_mode, listing.error());
        const milliseconds delay = announce_list_failure(listing.error(), next == list_mode);
        list_mode = next;
        co_await pause(delay);
    }
}

// Returns how long to wait: not at all when there is another way to ask.
milliseconds NodeReflector::Impl::announce_list_failure(const Failure& failure, bool is_last_resort)
{
    const milliseconds delay = is_last_resort ? backoff.next(jitter(), failure.retry_after) : milliseconds(0);
    WatchNotice notice = notice_of(failure.is_expired() ? What::expired : What::failed);
    notice.retry_in = delay;
    notice.error = failure.error;
    observer.noticed(notice);
    return delay;
}

// Watches on, over any number of connections; returns when only a new list can help.
asio::awaitable<void> NodeReflector::Impl::follow()
{
    for (;;) {
        WatchEnd end = co_await watch_once();
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
        notice.retry_in = up_to(relist_spread(nodes));
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
    const auto least = options.watch_timeout_least;
    const auto timeout =
        least +
        std::chrono::seconds(std::uniform_int_distribution<std::int64_t>(0, least.count() - 1)(random));
    std::string target = watch_target(version, timeout);
    Answer<void> accepted = co_await api.watch(std::move(target));
    if (!accepted) {
        note_unanswered(accepted.error());
        WatchEnd refused;
        refused.failure = accepted.error();
        co_return refused;
    }

    note_answered();
    observer.noticed(notice_of(What::watching));
    const Clock::time_point start = Clock::now();
    const Clock::time_point last = start + timeout + grace;
    WatchEnd end = co_await read_events(last);
    end.lasted = since(start);
    // After its store was restored from a backup, a server may be behind our version: it then sends neither
    // event nor bookmark, nor an error, until it has caught up.
    end.suspiciously_silent = bookmarks_seen && end.events == 0 && end.lasted >= bookmark_patience;
    co_return end;
}

asio::awaitable<WatchEnd> NodeReflector::Impl::read_events(Clock::time_point last)
{
    WatchEnd end;
    WatchDecoder decoder;
    while (!end.failure) {
        const Clock::time_point idle = Clock::now() + bookmark_patience;
        const Clock::time_point deadline = bookmarks_seen ? std::min(idle, last) : last;
        Answer<std::string_view> piece = co_await api.read_some(deadline);
        const Clock::time_point received = Clock::now();
        if (!piece) {
            end.failure = piece.error();
            break;
        }
        if (piece->empty()) {
            if (!decoder.between_frames())
                end.failure = undecodable({{}, "the watch ended in the middle of an event"});
            break;
        }
        std::vector<WatchEvent> events;
        Result<> fed = decoder.feed(*piece, events);
        pass_on(std::move(events), received, end);
        if (!fed && !end.failure)
            end.failure = undecodable(fed.error().within("watch of nodes"));
    }
    if (end.failure)
        api.close();
    co_return end;
}

void NodeReflector::Impl::pass_on(std::vector<WatchEvent> events, Clock::time_point received, WatchEnd& end)
{
    for (WatchEvent& event : events) {
        if (event.type == WatchEvent::Type::error) {
            end.failure = event_failure(event.status);
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
    case WatchEvent::Type::modified:
        observer.upserted(std::move(event.node), received);
        break;
    case WatchEvent::Type::deleted:
        observer.deleted(std::move(event.node), received);
        break;
    case WatchEvent::Type::bookmark:
        bookmarks_seen = true;
        break;
    case WatchEvent::Type::error:
        break;
    }
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
        co_await impl_->list_until_complete();
        co_await impl_->follow();
    }
}

} // namespace routelet::k8s
