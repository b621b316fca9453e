#pragma once
#include "base/result.h"
#include "k8sclient/access_notice.h"
#include "k8sclient/config.h"
#include "k8sclient/encoding.h"
#include "k8sclient/node.h"
#include "k8sclient/read_patience.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace routelet::k8s {

// How list and watch are going, for the log.
struct WatchNotice {
    enum class What {
        listed,       // a list was complete: `nodes` of them at `version`, in `took`, `streamed` or not
        watching,     // the server accepted a watch from `version`
        closed,       // the server ended the watch in good order; resumed from `version`
        expired,      // the server has forgotten `version` (HTTP 410): a new list follows
        doubtful,     // the list has only `nodes` of about `known`: it counts if another in `retry_in` agrees
        no_streaming, // the server refused a streaming list, with `error`: a plain one follows
        failed,       // `error`; the next attempt, a list or a watch from `version`, is made in `retry_in`
    };
    What what = What::failed;
    std::string version; // resourceVersion, opaque
    std::size_t nodes = 0;
    std::size_t known = 0;
    bool streamed = false;
    std::chrono::milliseconds took{0};
    std::chrono::milliseconds retry_in{0};
    std::optional<Error> error;
};

// Who wants to know about Nodes. Called from NodeReflector::run() on its executor; `received` is when the
// bytes that said so were read from the connection.
class NodeObserver {
public:
    using Clock = std::chrono::steady_clock;

    virtual ~NodeObserver() = default;
    // A list begins: its nodes come one by one, the same one twice perhaps, of which the last counts. Nothing
    // of it counts before replaced(); a list that is interrupted is followed by the beginning of another.
    virtual void list_begins() = 0;
    virtual void listed(Node node) = 0;
    // The list is complete: nodes that are not in it are gone.
    virtual void replaced(Clock::time_point received) = 0;
    // ADDED or MODIFIED; the same state may come more than once. Never between list_begins() and replaced().
    virtual void upserted(Node node, Clock::time_point received) = 0;
    // DELETED, with the node's last state.
    virtual void deleted(Node node, Clock::time_point received) = 0;
    // The server has said something: a list that is complete, an event, or a bookmark, which says only that
    // it is there and has nothing else to say. Comes after what else is told of it.
    virtual void heard() {}
    virtual void noticed(const WatchNotice& notice) = 0;
    // Which server is asked, and files of credentials that could not be used.
    virtual void access_noticed(const AccessNotice& /*notice*/) {}
};

struct ReflectorOptions {
    std::chrono::milliseconds backoff_first{800}; // doubled each time, times a random 1 to 2
    std::chrono::milliseconds backoff_most{30'000};
    std::chrono::seconds watch_timeout_least{300}; // asked of the server, random up to twice this
    std::chrono::milliseconds doubt{10'000};       // before a list that lacks most nodes is asked for again
    std::size_t page_size = 500;                   // objects a page of a list from etcd
    Encoding encoding = Encoding::protobuf;        // preferred; JSON is what every server has
    bool streaming_list = true;                    // where the server has it (KEP-3157)
    ReadPatience patience = {};
};

// LIST, then WATCH of Nodes, for ever (Kubernetes API concepts, "Efficient detection of changes"): resumed
// from the last resourceVersion or bookmark after a connection is lost, listed anew only when the server has
// forgotten it (410), with exponential backoff and jitter. Cancel the coroutine to end it.
class NodeReflector {
public:
    NodeReflector(boost::asio::any_io_executor executor, ClusterConfig config, NodeObserver& observer,
                  ReflectorOptions options = {});
    ~NodeReflector();

    // Never returns; ends by cancellation (throws operation_aborted).
    boost::asio::awaitable<void> run();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace routelet::k8s
