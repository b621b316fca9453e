#include "k8sclient/event_recorder.h"

#include "k8sclient/event_correlator.h"
#include "k8sclient/node_api.h"
#include "k8sclient/write_policy.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <deque>
#include <random>
#include <utility>

namespace routelet::k8s {

namespace asio = boost::asio;

struct EventRecorder::Impl {
    // What is to be written, with how many notes it stands for.
    struct Waiting {
        Event event;
        bool is_patch = false;
        std::size_t notes = 1;
        unsigned tries = 0;
    };

    Impl(const asio::any_io_executor& executor, ClusterConfig config, EventRecorderOptions given)
        : options(std::move(given)), api(executor, std::move(config)), timer(executor),
          backoff(options.backoff_first, options.backoff_most)
    {
    }

    EventRecorderOptions options;
    NodeApi api;
    asio::steady_timer timer; // until there is something to send, or to send again
    EventCorrelator correlator;
    std::deque<Waiting> waiting; // the first is being sent
    bool is_sending = false;
    Backoff backoff;
    EventCounts counts;
    std::function<void(const EventNote&, const Error&)> dropped;
    std::mt19937_64 random{std::random_device{}()};

    void add(Event event);
    asio::awaitable<void> sleep_until(asio::steady_timer::time_point when);
    asio::awaitable<void> send_first();
    asio::awaitable<void> act_on(Failure failure);
    void drop_first(std::size_t& count, const Error& why);
};

// What waits for the same Event is brought up to date: it is written once.
void EventRecorder::Impl::add(Event event)
{
    for (std::size_t i = is_sending ? 1 : 0; i < waiting.size(); ++i) {
        if (waiting[i].event.name != event.name)
            continue;
        waiting[i].event = std::move(event);
        waiting[i].notes += 1;
        return;
    }
    if (waiting.size() >= options.most_waiting) {
        ++counts.no_room;
        return;
    }
    const bool is_patch = event.count > 1;
    waiting.push_back({.event = std::move(event), .is_patch = is_patch});
    if (!is_sending)
        timer.cancel();
}

// Ends early when the timer is cancelled.
asio::awaitable<void> EventRecorder::Impl::sleep_until(asio::steady_timer::time_point when)
{
    timer.expires_at(when);
    boost::system::error_code woken;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    // Whoever cancels this coroutine is heard here; otherwise somebody has cancelled the timer.
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none)
        throw boost::system::system_error(woken);
}

asio::awaitable<void> EventRecorder::Impl::send_first()
{
    Waiting& first = waiting.front();
    ++first.tries;
    Connection::Request asked;
    asked.target = "/api/v1/namespaces/default/events";
    if (first.is_patch) {
        asked.method = Connection::Method::patch;
        asked.target += "/" + first.event.name;
        asked.content_type = "application/merge-patch+json";
        asked.body = event_count_patch(first.event);
    } else {
        asked.method = Connection::Method::post;
        asked.content_type = "application/json";
        asked.body = event_body(first.event, options.source);
    }
    asked.patience = options.patience;
    Answer<void> answer = co_await api.write(std::move(asked));
    api.close(); // the next one may be long in coming, and a POST must not be sent twice unseen
    if (!answer) {
        Failure failure = answer.error();
        co_await act_on(std::move(failure));
        co_return;
    }
    backoff.reset();
    counts.sent += first.notes;
    waiting.pop_front();
}

asio::awaitable<void> EventRecorder::Impl::act_on(Failure failure)
{
    Waiting& first = waiting.front();
    const EventAttempt attempt{.is_patch = first.is_patch, .tries = first.tries};
    switch (after_event(failure, attempt)) {
    case AfterEvent::is_there:
        counts.sent += first.notes;
        waiting.pop_front();
        co_return;
    case AfterEvent::create_anew:
        first.is_patch = false;
        co_return;
    case AfterEvent::drop:
        drop_first(first.tries >= EventAttempt::most_tries ? counts.given_up : counts.refused, failure.error);
        co_return;
    case AfterEvent::back_off:
        break;
    }
    const double jitter = std::uniform_real_distribution<double>(1, 2)(random);
    const auto pause = backoff.next(jitter, failure.retry_after);
    co_await sleep_until(asio::steady_timer::clock_type::now() + pause);
}

void EventRecorder::Impl::drop_first(std::size_t& count, const Error& why)
{
    const Waiting gone = std::move(waiting.front());
    waiting.pop_front();
    count += gone.notes;
    if (dropped)
        dropped(gone.event.note, why);
}

EventRecorder::EventRecorder(asio::any_io_executor executor, ClusterConfig config,
                             EventRecorderOptions options)
    : impl_(std::make_unique<Impl>(executor, std::move(config), std::move(options)))
{
}

EventRecorder::~EventRecorder() = default;

void EventRecorder::record(EventNote note)
{
    auto event = impl_->correlator.observe(std::move(note), Moment::now());
    if (event)
        impl_->add(std::move(*event));
    else
        ++impl_->counts.too_many;
}

void EventRecorder::on_dropped(std::function<void(const EventNote&, const Error&)> told)
{
    impl_->dropped = std::move(told);
}

asio::awaitable<void> EventRecorder::run()
{
    for (;;) {
        while (impl_->waiting.empty())
            co_await impl_->sleep_until(asio::steady_timer::time_point::max());
        impl_->is_sending = true;
        co_await impl_->send_first();
        impl_->is_sending = false;
    }
}

EventCounts EventRecorder::counts() const
{
    return impl_->counts;
}

} // namespace routelet::k8s
