#pragma once
#include "test/lab/json.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace routelet::lab {

// Counts the writes to a store, as etcd's revision does: what metadata.resourceVersion shows.
using Version = std::uint64_t;

// An object never changes once it is stored; a write puts another in its place.
using Object = std::shared_ptr<const Json>;

// One write. `before` is empty when the object was created, `after` when it was deleted.
struct Change {
    Version version = 0;
    std::string key;
    Object before;
    Object after;
};

// The objects of an API server and the recent history of their changes. Pure: no I/O, no clock.
//
// Keys are "nodes/node01" and "events/default/name"; a collection is what starts with "nodes/".
// Always holds: each object's metadata.resourceVersion is the version of its last write.
// Not thread-safe.
class Store {
public:
    explicit Store(std::size_t history_limit = 10'000) : history_limit_(history_limit) {}

    Version version() const noexcept { return version_; }
    Version forgotten() const noexcept { return forgotten_; } // changes up to and with this one are not known

    Object find(const std::string& key) const;                   // empty when absent
    std::vector<Object> list(std::string_view collection) const; // in the order of their keys

    // The collection as it was at that version; nothing when that is forgotten or yet to come.
    std::optional<std::vector<Object>> list_at(std::string_view collection, Version version) const;

    // Creates or replaces, and returns what is now stored. A write that changes nothing is none: the version
    // stays. `object` must be a JSON object.
    Object put(const std::string& key, Json object);

    // Returns the last state, with the resourceVersion of its deletion; empty when there was none.
    Object remove(const std::string& key);

    // What happened since; nothing when that is no longer known. Empty for a version yet to come.
    std::optional<std::vector<Change>> changes_after(Version version, std::string_view collection) const;

    void compact(); // forgets all history

    Json snapshot() const;
    // What snapshot() gave: same objects, same version, no history.
    static Store restored(const Json& snapshot, std::size_t history_limit = 10'000);

private:
    void remember(Change change);

    std::map<std::string, Object, std::less<>> objects_;
    std::deque<Change> history_;
    std::size_t history_limit_;
    Version version_ = 1;
    Version forgotten_ = 1;
};

} // namespace routelet::lab
