#pragma once
#include "test/lab/negotiate.h"
#include "test/lab/selector.h"
#include "test/lab/simulated_nodes.h"
#include "test/lab/store.h"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace routelet::lab {

// A watch as it was asked for.
struct WatchStart {
    std::string collection; // of the store: "nodes/"
    std::string kind;       // "Node"
    Selector selector;
    Version from = 0;           // events after this one
    bool initial = false;       // first an ADDED for each object that is there, whatever its version
    bool marks_initial = false; // then a bookmark that says that this was all (KEP-3157)
    bool bookmarks = false;
    Form form = Form::json;
    std::optional<std::chrono::seconds> timeout = {};
    bool sees_nothing = false;                 // a fault: the initial events are none
    const SimulatedNodes* simulated = nullptr; // among the initial events, behind the store's
    Json refusal = nullptr;                    // a Status: the watch is nothing but this ERROR
};

// One event of a watch's body as its form has it: a line of JSON with its newline, or a length and protobuf.
struct Frame {
    enum class What { event, bookmark, error };
    What what = What::event;
    std::string text;
};

// Turns the changes of a store into the frames of one watch. Pure, like the store, which must outlive it.
class WatchFeed {
public:
    WatchFeed(const Store& store, WatchStart start);

    // What happened since the last call; of the initial events, some of them. The last frame is an error, and
    // none will follow, when the store has forgotten too much.
    std::vector<Frame> next();
    Frame bookmark() const
    {
        return bookmark(Json::object());
    } // "you have seen everything up to here" (KEP-956)
    bool over() const noexcept { return over_; }
    bool is_past_initial() const noexcept { return !start_.initial; } // before, a bookmark would say too much
    bool is_up_to_date() const noexcept { return !start_.initial && seen_ >= store_.version(); }

private:
    std::vector<Frame> initial_events();
    std::vector<Frame> refused(const Json& status);
    Frame bookmark(Json annotations) const;
    std::optional<Frame> frame(const Change& change);
    Frame event(std::string_view type, const Json& object);

    const Store& store_;
    WatchStart start_;
    Version seen_;
    bool over_ = false;
    std::optional<std::vector<Object>> initial_; // what was there at the start, and is being sent
    std::size_t initial_sent_ = 0;
    std::size_t simulated_sent_ = 0;
    bool columns_sent_ = false; // a Table watch describes its columns once
};

// An event of type ERROR with a Status: how a watch that has begun says no.
Frame error_frame(const Json& status, Form form);

} // namespace routelet::lab
