// What `script/bench api` measures as "routelet": NodeReflector into NodeTable, as the agent has them, and
// nothing else. Prints JSON, one object a line:
//
//   {"what":"listed","ms":..,"nodes":..,"rss_kb":..,"cpu_ms":..,"streamed":..}    the node table is complete
// and with --follow, at its end:
//   {"what":"seen","sequence":..,"received_ns":..,"table_ns":..}                   for each change that
//   matters
//   {"what":"followed","seconds":..,"events":..,"changed":..,"cpu_ms":..,"rss_kb":..,
//    "table_us":{"median":..,"p99":..,"max":..}}                from the bytes being read to the node table,
//    each event
//
// Times without a unit's end are milliseconds since ROUTELET_BENCH_STARTED (measure.cpp), else since main();
// nanoseconds are of CLOCK_MONOTONIC, which all processes share. A change that matters carries its sequence
// number in an InternalIP (informer/load). Whatever goes wrong with the server ends it with status 1: a retry
// is not measured.
#include "controller/node_table.h"
#include "k8sclient/node_reflector.h"
#include "test/bench/usage.h"

#include <CLI/CLI.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

using namespace routelet;
using bench::cpu_ms;
namespace asio = boost::asio;

namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;
using Microseconds = std::chrono::duration<double, std::micro>;
using Seconds = std::chrono::duration<double>;

constexpr auto first_event_patience = std::chrono::seconds(60);

struct Options {
    std::string kubeconfig;
    k8s::ReflectorOptions reflector;
    double follow = 0; // seconds
};

Clock::time_point started_by_parent()
{
    const char* text = std::getenv("ROUTELET_BENCH_STARTED");
    return text == nullptr ? Clock::now() : Clock::time_point(std::chrono::nanoseconds(std::stoll(text)));
}

long long to_ns(Clock::time_point time)
{
    return std::chrono::nanoseconds(time.time_since_epoch()).count();
}

// The sequence number that an address of 198.18.0.0/15 (RFC 2544, benchmarking) stands for.
std::optional<unsigned> sequence_of(const k8s::Node& node)
{
    for (const std::string& text : node.internal_ips) {
        const auto address = IpAddress::parse(text);
        if (!address || address->family() != IpFamily::v4)
            continue;
        const auto bytes = address->bytes();
        if (bytes[0] == 198 && (bytes[1] & 0xfeU) == 18)
            return (bytes[1] & 1U) << 16U | static_cast<unsigned>(bytes[2]) << 8U | bytes[3];
    }
    return std::nullopt;
}

// Of sorted values; the nearest rank.
double percentile(const std::vector<double>& sorted, double percent)
{
    if (sorted.empty())
        return 0;
    const auto rank = static_cast<std::size_t>(percent / 100 * static_cast<double>(sorted.size()));
    return sorted[std::min(rank, sorted.size() - 1)];
}

class Subject : public k8s::NodeObserver {
public:
    Subject(asio::io_context& io, const Options& options, Clock::time_point started)
        : io_(io), end_(io), follow_(options.follow), started_(started)
    {
    }

    void list_begins() override { table_.begin_list(); }
    void listed(k8s::Node node) override { table_.list(node); }
    void replaced(Clock::time_point received) override;
    void upserted(k8s::Node node, Clock::time_point received) override;
    void deleted(k8s::Node node, Clock::time_point received) override;
    void noticed(const k8s::WatchNotice& notice) override;

private:
    struct Seen {
        unsigned sequence;
        Clock::time_point received;
        Clock::time_point done;
    };

    void begin_following(Clock::time_point now);
    void note_event(Clock::time_point received, Clock::time_point done);
    void finish();

    asio::io_context& io_;
    asio::steady_timer end_;
    Seconds follow_;
    Clock::time_point started_;
    controller::NodeTable table_;
    bool streamed_ = false;

    bool is_following_ = false;
    Clock::time_point follow_started_;
    double cpu_before_ms_ = 0;
    std::size_t changed_ = 0;
    std::vector<double> took_us_; // each event's way from the bytes to the table
    std::vector<Seen> seen_;
};

void Subject::replaced(Clock::time_point /*received*/)
{
    table_.end_list();
    const Milliseconds took = Clock::now() - started_;
    std::printf(
        "{\"what\":\"listed\",\"ms\":%.3f,\"nodes\":%zu,\"rss_kb\":%ld,\"cpu_ms\":%.3f,\"streamed\":%s}\n",
        took.count(), table_.nodes().size(), bench::status_kb("VmHWM:"), cpu_ms(),
        streamed_ ? "true" : "false");
    std::fflush(stdout);
    if (follow_.count() == 0)
        return io_.stop();
    end_.expires_after(first_event_patience);
    end_.async_wait([this](const boost::system::error_code& cancelled) {
        if (!cancelled && !is_following_)
            throw std::runtime_error("no event came in time");
    });
}

void Subject::upserted(k8s::Node node, Clock::time_point received)
{
    const bool matters = table_.upsert(node);
    const Clock::time_point done = Clock::now();
    if (!is_following_)
        begin_following(received);
    note_event(received, done);
    if (!matters)
        return;
    ++changed_;
    if (const auto sequence = sequence_of(node))
        seen_.push_back({*sequence, received, done});
}

void Subject::deleted(k8s::Node node, Clock::time_point received)
{
    table_.erase(node.name);
    note_event(received, Clock::now());
}

// The window begins with the first event, when the load has begun.
void Subject::begin_following(Clock::time_point now)
{
    is_following_ = true;
    follow_started_ = now;
    cpu_before_ms_ = cpu_ms();
    end_.expires_at(now + std::chrono::duration_cast<Clock::duration>(follow_));
    end_.async_wait([this](const boost::system::error_code& cancelled) {
        if (!cancelled)
            finish();
    });
}

void Subject::note_event(Clock::time_point received, Clock::time_point done)
{
    took_us_.push_back(Microseconds(done - received).count());
}

void Subject::finish()
{
    const double cpu = cpu_ms() - cpu_before_ms_;
    const Seconds lasted = Clock::now() - follow_started_;
    for (const Seen& seen : seen_)
        std::printf("{\"what\":\"seen\",\"sequence\":%u,\"received_ns\":%lld,\"table_ns\":%lld}\n",
                    seen.sequence, to_ns(seen.received), to_ns(seen.done));
    std::ranges::sort(took_us_);
    std::printf("{\"what\":\"followed\",\"seconds\":%.3f,\"events\":%zu,\"changed\":%zu,\"cpu_ms\":%.3f,"
                "\"rss_kb\":%ld,\"table_us\":{\"median\":%.2f,\"p99\":%.2f,\"max\":%.2f}}\n",
                lasted.count(), took_us_.size(), changed_, cpu, bench::status_kb("VmHWM:"),
                percentile(took_us_, 50), percentile(took_us_, 99), percentile(took_us_, 100));
    io_.stop();
}

void Subject::noticed(const k8s::WatchNotice& notice)
{
    using What = k8s::WatchNotice::What;
    if (notice.what == What::listed)
        streamed_ = notice.streamed;
    const bool is_trouble = notice.what == What::failed || notice.what == What::no_streaming ||
                            notice.what == What::doubtful || notice.what == What::expired;
    if (is_trouble)
        throw std::runtime_error(notice.error ? notice.error->text()
                                              : "the list or the watch did not succeed");
}

void run(const Options& options, Clock::time_point started)
{
    k8s::ClusterConfig cluster = k8s::load_config(options.kubeconfig, {}).value();
    asio::io_context io(1);
    Subject subject(io, options, started);
    k8s::NodeReflector reflector(io.get_executor(), std::move(cluster), subject, options.reflector);
    asio::co_spawn(io, reflector.run(), [](const std::exception_ptr& failure) {
        if (failure)
            std::rethrow_exception(failure);
    });
    io.run();
}

} // namespace

int main(int argc, char** argv)
try {
    const Clock::time_point started = started_by_parent();
    Options options;
    CLI::App app("The API client of the agent alone, for script/bench: lists Nodes, and says what that took");
    app.add_option("--kubeconfig", options.kubeconfig,
                   "of the API server; KUBECONFIG or in-cluster unless given");
    app.add_option("--encoding", options.reflector.encoding, "json or protobuf (default)")
        ->transform(CLI::CheckedTransformer(std::map<std::string, k8s::Encoding>{
            {"json", k8s::Encoding::json}, {"protobuf", k8s::Encoding::protobuf}}));
    app.add_flag("--streaming-list,!--no-streaming-list", options.reflector.streaming_list,
                 "list as the beginning of a watch (default), or without as a LIST");
    app.add_option("--follow", options.follow, "after the list, seconds to watch from the first event on")
        ->check(CLI::PositiveNumber);
    CLI11_PARSE(app, argc, argv);
    run(options, started);
} catch (const std::exception& error) {
    std::cerr << "routelet-bench-client: " << error.what() << '\n';
    return 1;
}
