#include "controller/agent.h"

#include "base/version.h"
#include "controller/egress_task.h"
#include "controller/neighbor_task.h"
#include "controller/node_life.h"
#include "controller/reconciler.h"
#include "k8sclient/node_reflector.h"
#include "netlink/monitor.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <set>

namespace asio = boost::asio;

namespace routelet::controller {
namespace {

// So that no Node can have the API server's own address: nothing would mend that.
Reconciler::Options with_api_servers(Reconciler::Options options, const k8s::ClusterConfig& cluster)
{
    options.plan.api_servers = addresses_of(cluster);
    return options;
}

// Turns what the API server, the kernel and the clock say into calls of the Reconciler. One thread.
class Agent : public k8s::NodeObserver {
public:
    Agent(asio::io_context& io, const RunOptions& options, const Log& log, Kernel& kernel,
          netlink::Monitor monitor, const k8s::ClusterConfig& cluster)
        : io_(io), log_(log), monitor_(std::move(monitor)),
          reconciler_(kernel, log, with_api_servers(options.reconciler, cluster)),
          life_(io, options.life, log, reconciler_, cluster), egress_(io, options.egress, log),
          neighbors_(io, log, reconciler_), check_interval_(options.check_interval), timer_(io)
    {
        life_.add_findings([this] { return egress_.findings(); });
    }

    void start();
    std::size_t routes_in_place() const noexcept { return reconciler_.routes_in_place(); }

    void list_begins() override
    {
        reconciler_.begin_nodes();
        life_.own_node().begin_list();
    }
    void listed(k8s::Node node) override
    {
        note_size(node);
        reconciler_.list_node(node);
        life_.own_node().list(node);
    }
    void replaced(Clock::time_point received) override
    {
        const bool first = !listed_;
        listed_ = true;
        life_.own_node().end_list();
        if (reconciler_.end_nodes())
            schedule({first ? "start" : "node", received});
    }
    void upserted(k8s::Node node, Clock::time_point received) override
    {
        note_size(node);
        life_.own_node().upsert(node);
        if (reconciler_.upsert_node(node))
            schedule({"node", received});
    }
    void deleted(k8s::Node node, Clock::time_point received) override
    {
        oversized_.erase(node.name);
        life_.own_node().erase(node.name);
        if (reconciler_.erase_node(node.name))
            schedule({"node", received});
    }
    void heard() override { life_.note_api_heard(); }
    void noticed(const k8s::WatchNotice& notice) override;
    void access_noticed(const k8s::AccessNotice& notice) override;

private:
    asio::awaitable<void> watch_kernel();
    asio::awaitable<void> check_now_and_then();
    // Events that were read together are acted on together, from the first one's time.
    void schedule(const Cause& cause);
    void reconcile(const Cause& cause);
    void act(const Cause& cause);
    void follow_up(const Cause& cause);
    void call_again(bool done);
    Result<bool> drain_notifications();
    void report_trouble(const k8s::WatchNotice& notice);
    void note_size(const k8s::Node& node);

    asio::io_context& io_;
    const Log& log_;
    netlink::Monitor monitor_;
    Reconciler reconciler_;
    NodeLife life_;
    EgressTask egress_;
    NeighborTask neighbors_;
    std::chrono::seconds check_interval_;

    bool listed_ = false;
    std::optional<Cause> scheduled_;

    std::optional<std::uint64_t> followed_; // the reconciler's generation
    asio::steady_timer timer_;              // for what failed or waits
    std::chrono::seconds retry_in_{1};

    std::set<std::string> oversized_; // nodes that were told of

    std::string trouble_; // the API error last logged, empty while all is well
    Clock::time_point trouble_logged_{};
};

// A task that ends by anything but cancellation is a bug: better to be restarted than to route half-blind.
void rethrow(const std::exception_ptr& failure)
{
    if (failure)
        std::rethrow_exception(failure);
}

void Agent::start()
{
    asio::co_spawn(io_, watch_kernel(), rethrow);
    asio::co_spawn(io_, check_now_and_then(), rethrow);
    asio::co_spawn(io_, egress_.watch(), rethrow);
    asio::co_spawn(io_, neighbors_.watch(), rethrow);
    life_.start(rethrow);
}

void Agent::schedule(const Cause& cause)
{
    if (scheduled_)
        return;
    scheduled_ = cause;
    asio::post(io_, [this] {
        const Cause due = *scheduled_;
        scheduled_.reset();
        reconcile(due);
    });
}

void Agent::reconcile(const Cause& cause)
{
    if (!drain_notifications())
        reconciler_.distrust_mirror(); // watch_kernel() meets the same error, and tells it
    act(cause);
}

// Requires: no notification waits.
void Agent::act(const Cause& cause)
{
    timer_.cancel();
    const bool done = reconciler_.reconcile(cause);
    if (reconciler_.has_more()) {
        asio::post(io_, [this, cause] { reconcile(cause); });
        return;
    }
    follow_up(cause);
    call_again(done);
}

// What depends on the routes.
void Agent::follow_up(const Cause& cause)
{
    if (followed_ != reconciler_.generation()) {
        followed_ = reconciler_.generation();
        egress_.follow(reconciler_.plan(), reconciler_.own_routes(), cause);
    }
    life_.look();
}

// What failed is tried again more and more slowly, what waits when it is due.
void Agent::call_again(bool done)
{
    constexpr std::chrono::seconds least{1};
    constexpr std::chrono::seconds most{30};

    std::optional<Clock::time_point> due = reconciler_.due();
    if (done) {
        retry_in_ = least;
    } else {
        const auto retry = Clock::now() + retry_in_;
        due = due ? std::min(*due, retry) : retry;
        retry_in_ = std::min(retry_in_ * 2, most);
    }
    if (!due)
        return;
    timer_.expires_at(*due);
    timer_.async_wait([this](const boost::system::error_code& cancelled) {
        if (!cancelled)
            reconcile({"retry", Clock::now()});
    });
}

asio::awaitable<void> Agent::watch_kernel()
{
    asio::posix::stream_descriptor readable(io_, ::dup(monitor_.fd()));
    for (;;) {
        co_await readable.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
        const auto received = Clock::now();
        auto matters = drain_notifications();
        if (!matters) {
            log_.write(LogLine(LogLevel::error, "kernel-watch-failed").with("error", matters.error()));
            reconciler_.note_unread();
            schedule({"kernel", received});
            asio::steady_timer pause(io_, std::chrono::seconds(1));
            co_await pause.async_wait(asio::use_awaitable);
        } else if (*matters && !scheduled_) {
            act({"kernel", received}); // at once: packets wait for it
        }
    }
}

// Reads all that waits, up to a bound: a dump is newer than every notification that was sent before it, so
// one that is read after it would be old news taken for new.
Result<bool> Agent::drain_notifications()
{
    constexpr int most_reads = 1024;
    bool matters = false;
    for (int i = 0; i < most_reads; ++i) {
        const auto events = monitor_.read();
        if (!events)
            return events.error();
        if (events->empty())
            break;
        matters = reconciler_.observe(*events) || matters;
    }
    return matters;
}

// The safety net: what it finds has escaped the notifications.
asio::awaitable<void> Agent::check_now_and_then()
{
    asio::steady_timer timer(io_);
    for (;;) {
        timer.expires_after(check_interval_);
        co_await timer.async_wait(asio::use_awaitable);
        reconciler_.distrust_mirror();
        reconcile({"check", Clock::now()});
        egress_.check({"check", Clock::now()});
    }
}

void Agent::noticed(const k8s::WatchNotice& notice)
{
    using What = k8s::WatchNotice::What;
    if (notice.what == What::failed)
        return report_trouble(notice);
    life_.note_api_works();
    if (!trouble_.empty() && (notice.what == What::listed || notice.what == What::watching)) {
        log_.write(LogLine(LogLevel::info, "api-recovered"));
        trouble_.clear();
    }
    switch (notice.what) {
    case What::listed:
        log_.write(LogLine(LogLevel::info, "nodes-listed")
                       .with("nodes", notice.nodes)
                       .with("version", notice.version)
                       .with("streamed", notice.streamed)
                       .with("took_ms", notice.took.count()));
        break;
    case What::watching:
        log_.write(LogLine(LogLevel::debug, "watch-started").with("version", notice.version));
        break;
    case What::closed:
        log_.write(LogLine(LogLevel::debug, "watch-closed").with("version", notice.version));
        break;
    case What::doubtful:
        log_.write(
            LogLine(LogLevel::warn, "nodes-list-doubtful")
                .with("nodes", notice.nodes)
                .with("known", notice.known)
                .with("detail", "the list lacks most nodes; nothing is changed unless the next one agrees")
                .with("retry_ms", notice.retry_in.count()));
        break;
    case What::no_streaming:
        log_.write(LogLine(LogLevel::info, "streaming-list-refused")
                       .with("error", notice.error ? notice.error->text() : "unknown")
                       .with("next", "plain list"));
        break;
    case What::expired:
        log_.write(
            LogLine(LogLevel::info, "watch-expired").with("version", notice.version).with("next", "relist"));
        break;
    case What::failed:
        break;
    }
}

// A Node that is too large is told of once, until it is not.
void Agent::note_size(const k8s::Node& node)
{
    if (!node.is_oversized) {
        if (!oversized_.empty())
            oversized_.erase(node.name);
    } else if (oversized_.insert(node.name).second) {
        log_.write(LogLine(LogLevel::warn, "node-oversized")
                       .with("node", node.name)
                       .with("limit_bytes", k8s::object_limit)
                       .with("detail", "its routes stay as they are")
                       .with("remedy", "find out who fills this Node object, with kubectl get node -o json"));
    }
}

void Agent::access_noticed(const k8s::AccessNotice& notice)
{
    using What = k8s::AccessNotice::What;
    switch (notice.what) {
    case What::connected: {
        LogLine line(LogLevel::info, "api-connected");
        line.add("api", notice.server);
        if (notice.error)
            line.add("left", *notice.error);
        log_.write(line);
        life_.note_api_server(notice.server);
        break;
    }
    case What::credentials_kept:
        log_.write(LogLine(LogLevel::warn, "credentials-kept")
                       .with("error", *notice.error)
                       .with("detail", "what the file held before is used on"));
        break;
    case What::credentials_good:
        log_.write(LogLine(LogLevel::info, "credentials-good"));
        break;
    }
}

// The same trouble is told once a minute, however often it is met.
void Agent::report_trouble(const k8s::WatchNotice& notice)
{
    const std::string text = notice.error ? notice.error->text() : "unknown";
    life_.note_api_fails(text);
    const bool repeated = text == trouble_ && Clock::now() - trouble_logged_ < std::chrono::minutes(1);
    log_.write(
        LogLine(repeated ? LogLevel::debug : LogLevel::warn, "api-failed")
            .with("error", text)
            .with("retry_ms", notice.retry_in.count())
            .with("detail", listed_ ? "routes stay as they are" : "routes stay as an earlier run left them"));
    if (!repeated) {
        trouble_ = text;
        trouble_logged_ = Clock::now();
    }
}

std::string proxy_text(const k8s::ClusterConfig& cluster)
{
    const k8s::Proxy* proxy = cluster.proxy.for_server(cluster.host, cluster.port);
    return proxy == nullptr ? "none" : proxy->url();
}

void tell_start(const RunOptions& options, const k8s::ClusterConfig& cluster, const Log& log)
{
    const std::string& node = options.reconciler.plan.node_name;
    LogLine line(LogLevel::info, "agent-started");
    line.add("version", version());
    line.add("commit", commit());
    line.add("role", node.empty() ? "router" : "node");
    if (!node.empty())
        line.add("node", node);
    line.add("api", cluster.urls());
    line.add("config", cluster.origin);
    line.add("proxy", proxy_text(cluster));
    line.add("protocol", to_int(options.reconciler.identity.protocol) + 0);
    line.add("metric", options.reconciler.identity.metric);
    line.add("metrics", RouteIdentity::metrics);
    log.write(line);
}

} // namespace

Result<> run_agent(const RunOptions& options, const Log& log)
{
    auto cluster = load_cluster(options.api_server);
    if (!cluster)
        return cluster.error();
    auto monitor = netlink::Monitor::open(); // before the first dump, so that nothing falls in between
    if (!monitor)
        return monitor.error();
    auto kernel = NetlinkKernel::open();
    if (!kernel)
        return kernel.error();

    tell_start(options, *cluster, log);
    if (cluster->skip_tls_verify)
        log.write(LogLine(LogLevel::warn, "api-insecure")
                      .with("detail", "the API server's certificate is not verified: anybody on the path can "
                                      "give this machine routes")
                      .with("remedy", "give certificate-authority instead of insecure-skip-tls-verify"));

    asio::io_context io(1);
    Agent agent(io, options, log, *kernel, std::move(*monitor), *cluster);
    k8s::NodeReflector reflector(io.get_executor(), std::move(*cluster), agent);
    agent.start();
    asio::co_spawn(io, reflector.run(), rethrow);

    asio::signal_set signals(io, SIGTERM, SIGINT);
    signals.async_wait([&](const boost::system::error_code&, int signal) {
        log.write(LogLine(LogLevel::info, "agent-stopped")
                      .with("signal", signal == SIGTERM ? "SIGTERM" : "SIGINT")
                      .with("routes_left", agent.routes_in_place()));
        // Not io.stop(): a DNS look-up that hangs cannot be cancelled, and would keep the process from
        // ending.
        std::_Exit(exit_ok);
    });
    io.run();
    return make_error(boost::system::errc::state_not_recoverable, "the agent has nothing left to do");
}

} // namespace routelet::controller
