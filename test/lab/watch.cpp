#include "test/lab/watch.h"

#include "test/lab/refusal.h"
#include "test/lab/table.h"

#include <utility>

namespace routelet::lab {
namespace {

// With `type` before `object`, as the real server writes it; Json would sort them.
std::string line(std::string_view type, const Json& object)
{
    return R"({"type":")" + std::string(type) + R"(","object":)" + to_text(object) + "}\n";
}

// What a Go server prints for a Node of which only the resourceVersion is set.
Json bookmark_object(const std::string& kind, Version version)
{
    Json object = {
        {"apiVersion", "v1"},
        {"kind", kind},
        {"metadata", {{"creationTimestamp", nullptr}, {"resourceVersion", std::to_string(version)}}}};
    if (kind != "Node")
        return object;
    Json info = Json::object();
    for (const char* name :
         {"architecture", "bootID", "containerRuntimeVersion", "kernelVersion", "kubeProxyVersion",
          "kubeletVersion", "machineID", "operatingSystem", "osImage", "systemUUID"})
        info[name] = "";
    object["spec"] = Json::object();
    object["status"] = {{"daemonEndpoints", {{"kubeletEndpoint", {{"Port", 0}}}}},
                        {"nodeInfo", std::move(info)}};
    return object;
}

} // namespace

WatchFeed::WatchFeed(const Store& store, WatchStart start)
    : store_(store), start_(std::move(start)), seen_(start_.from)
{
}

std::vector<Frame> WatchFeed::next()
{
    std::vector<Frame> frames;
    if (over_)
        return frames;
    if (std::exchange(start_.initial, false)) {
        for (const Object& object : store_.list(start_.collection))
            if (start_.selector.matches(*object))
                frames.push_back(event("ADDED", *object));
        seen_ = store_.version();
        return frames;
    }

    const auto changes = store_.changes_after(seen_, start_.collection);
    if (!changes) {
        over_ = true;
        frames.push_back(error_frame(expired("too old resource version: " + std::to_string(seen_) + " (" +
                                             std::to_string(store_.forgotten()) + ")")
                                         .status()));
        return frames;
    }
    for (const Change& change : *changes)
        if (auto made = frame(change))
            frames.push_back(std::move(*made));
    seen_ = std::max(seen_, store_.version());
    return frames;
}

Frame WatchFeed::bookmark() const
{
    return {.what = Frame::What::bookmark, .text = line("BOOKMARK", bookmark_object(start_.kind, seen_))};
}

// An object that begins or ceases to match is added or deleted for this watcher.
std::optional<Frame> WatchFeed::frame(const Change& change)
{
    const bool before = change.before && start_.selector.matches(*change.before);
    const bool after = change.after && start_.selector.matches(*change.after);
    if (after)
        return event(before ? "MODIFIED" : "ADDED", *change.after);
    if (!before)
        return std::nullopt;
    Json last = *change.before;
    last["metadata"]["resourceVersion"] = std::to_string(change.version);
    return event("DELETED", last);
}

Frame WatchFeed::event(std::string_view type, const Json& object)
{
    if (start_.form == Form::plain)
        return {.what = Frame::What::event, .text = line(type, object)};
    Json rows = table(start_.kind, {&object}, std::chrono::system_clock::now());
    if (std::exchange(columns_sent_, true))
        rows["columnDefinitions"] = nullptr;
    return {.what = Frame::What::event, .text = line(type, rows)};
}

Frame error_frame(const Json& status)
{
    return {.what = Frame::What::error, .text = line("ERROR", status)};
}

} // namespace routelet::lab
