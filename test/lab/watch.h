#pragma once
#include "test/lab/request.h"
#include "test/lab/selector.h"
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
    Version from = 0;     // events after this one
    bool initial = false; // first an ADDED for each object that is there: resourceVersion "" or "0"
    bool bookmarks = false;
    Form form = Form::plain;
    std::optional<std::chrono::seconds> timeout;
};

// One line of a watch's body, with its newline.
struct Frame {
    enum class What { event, bookmark, error };
    What what = What::event;
    std::string text;
};

// Turns the changes of a store into the frames of one watch. Pure, like the store, which must outlive it.
class WatchFeed {
public:
    WatchFeed(const Store& store, WatchStart start);

    // What happened since the last call. The last frame is an error, and none will follow, when the store has
    // forgotten too much.
    std::vector<Frame> next();
    Frame bookmark() const; // "you have seen everything up to here" (KEP-956)
    bool over() const noexcept { return over_; }
    bool is_up_to_date() const noexcept { return seen_ >= store_.version(); }

private:
    std::optional<Frame> frame(const Change& change);
    Frame event(std::string_view type, const Json& object);

    const Store& store_;
    WatchStart start_;
    Version seen_;
    bool over_ = false;
    bool columns_sent_ = false; // a Table watch describes its columns once
};

// `{"type":"ERROR","object":STATUS}` and a newline: how a watch that has begun says no.
Frame error_frame(const Json& status);

} // namespace routelet::lab
