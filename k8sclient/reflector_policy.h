#pragma once
#include "base/result.h"
#include "k8sclient/node_decoder.h"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

// What NodeReflector does after which answer. Pure.
namespace routelet::k8s {

// Why a request did not give what it should.
struct Failure {
    enum class Why {
        transport,   // no connection, a timeout, a body that was cut
        refused,     // an HTTP status other than 200
        event,       // an ERROR event in a watch
        undecodable, // bytes that are not what was asked for
        endless,     // a streaming list whose end does not come
        ignored,     // a write that was accepted, and is not in the object that the answer shows
    };
    Why why = Why::transport;
    Error error;
    Status status; // refused, event: its code is the HTTP status at least
    std::optional<std::chrono::seconds> retry_after = {};

    // The server has forgotten the version that was asked for.
    bool is_expired() const;
};

// How current a list has to be (Kubernetes API concepts, "Resource versions").
enum class ListMode {
    streaming,    // as the first events of a watch that then goes on (KEP-3157): current, and cheap for the
                  // server
    not_older,    // than our version, from the server's memory; while we have none, whatever is there
    latest_paged, // from etcd, in pages
    latest_whole, // from etcd at once, for when a page came too late
};

// The mode of the next attempt after `failure` of one in `mode`; the same means: wait before it.
ListMode after_list_failure(ListMode mode, const Failure& failure);

std::string list_target(ListMode mode, std::string_view version, std::size_t page_size,
                        std::string_view continue_token);
std::string watch_target(std::string_view version, std::chrono::seconds timeout);
// Of a streaming list that is not older than `version`; the latest one if empty.
std::string streaming_target(std::string_view version, std::chrono::seconds timeout);

// The server does not have streaming lists: there is no use in asking again soon. What it says depends on its
// version: 422 before 1.32 or when switched off; an ERROR event when its etcd is too old; no end of the list.
bool refuses_streaming(const Failure& failure);

// Whether a list is to be believed. A server whose store is being restored, or a proxy before it, may answer
// with an empty list or the beginning of one, and it looks like any other: the cluster gone. A list that
// lacks most of what was there is asked for once more, from etcd, and believed when it says so again.
class ListDoubt {
public:
    // `nodes` are in a list that is complete. While it is doubtful it counts for nothing.
    bool is_doubtful(std::size_t nodes);
    void added() noexcept { ++known_; }
    void deleted() noexcept { known_ -= known_ > 0 ? 1 : 0; }
    std::size_t known() const noexcept { return known_; } // about how many there are

private:
    static constexpr std::size_t few = 3; // of them any may go at once

    std::size_t known_ = 1;              // at first, the one that we run on
    std::optional<std::size_t> doubted_; // what the last list said, when it was doubtful
};

// How a watch came to its end.
struct WatchEnd {
    std::optional<Failure> failure;      // none: the server ended it in good order
    std::chrono::milliseconds lasted{0}; // since the server accepted it; 0 if it did not
    std::size_t events = 0;              // bookmarks included
    bool advanced = false;               // to another version than it began with
    bool suspiciously_silent = false;    // no event and no bookmark, from a server that sends bookmarks
};

enum class AfterWatch { resume_now, resume_later, relist };

// Remembers what went wrong at one version, since what fails there again and again will not get better.
class WatchHistory {
public:
    AfterWatch next(const WatchEnd& end);

private:
    unsigned undecodable_ = 0;     // at this version
    unsigned internal_errors_ = 0; // at this version
};

// first * 2^n up to most, times a random factor.
class Backoff {
public:
    Backoff(std::chrono::milliseconds first, std::chrono::milliseconds most) : first_(first), most_(most) {}

    // `jitter` is from [1, 2). A server's Retry-After is honoured from 1 s to 60 s.
    std::chrono::milliseconds next(double jitter, std::optional<std::chrono::seconds> retry_after = {});
    void reset() noexcept { delay_ = std::chrono::milliseconds(0); }
    bool is_fresh() const noexcept { return delay_.count() == 0; } // no failure since the last reset

private:
    std::chrono::milliseconds first_;
    std::chrono::milliseconds most_;
    std::chrono::milliseconds delay_{0};
};

// Spreads the lists of a cluster's agents when the API server restarts and all of them are expired at once:
// the time within which to begin, by the number of nodes.
std::chrono::milliseconds relist_spread(std::size_t nodes);

// A refusal for the log: what was refused, the server's words, and the way out where there is one. A status
// of 200 with what no API server sends is one too: somebody else answered. `body` is the response's, or its
// beginning.
struct Refusal {
    std::string url;    // "https://10.0.0.1:6443/api/v1/nodes"
    std::string origin; // of the configuration
    int code = 0;
    std::string reason; // of the status line
    std::string content_type;
    std::string content_encoding = {};
    std::string_view body;
    enum class Of { nodes, node_status, events };
    Of of = Of::nodes; // what was asked for
    std::string method = "GET";
};
Failure describe_refusal(const Refusal& refusal);

// The same of an ERROR event, with which a watch ends.
Failure describe_error_event(const Status& status);

} // namespace routelet::k8s
