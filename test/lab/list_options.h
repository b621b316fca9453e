#pragma once
#include "test/lab/request.h"
#include "test/lab/store.h"

#include <optional>
#include <string>

namespace routelet::lab {

// What a LIST or WATCH is asked for, with the defaults of the API filled in (meta/v1 ListOptions). The
// selectors are not here.
struct ListOptions {
    bool watch = false;
    std::optional<Version> version; // nothing: the newest
    std::string match;              // resourceVersionMatch
    std::size_t limit = 0;          // 0: all
    std::string continue_token;
    bool bookmarks = false;
    bool initial_events = false;          // of a watch: first an ADDED for each object that is there
    std::optional<std::uint64_t> timeout; // seconds

    // A bookmark says where the initial events end (KEP-3157). `watch_list` is the WatchList feature gate.
    bool marks_initial_events = false;
};

// Throws the Refusals of the real server for what does not go together: 422 with each of the causes, 400 for
// what is no number.
ListOptions list_options(const Request& request, bool watch_list);

} // namespace routelet::lab
