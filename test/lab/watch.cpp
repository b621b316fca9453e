#include "test/lab/watch.h"

#include "test/lab/protobuf.h"
#include "test/lab/refusal.h"
#include "test/lab/table.h"

#include <utility>

namespace routelet::lab {
namespace {

// `object` as an event of a watch, in JSON with `type` first, as the real server writes it; Json would sort
// them.
std::string event_text(std::string_view type, std::string_view kind, const Json& object, Form form)
{
    if (form == Form::protobuf)
        return protobuf_event(type, to_protobuf(kind, object));
    return R"({"type":")" + std::string(type) + R"(","object":)" + to_text(object) + "}\n";
}

// What a Go server of 1.34 prints for a Node of which only the resourceVersion is set, and annotations
// perhaps.
Json bookmark_object(const std::string& kind, Version version, Json annotations)
{
    Json object = {
        {"apiVersion", "v1"}, {"kind", kind}, {"metadata", {{"resourceVersion", std::to_string(version)}}}};
    if (!annotations.empty())
        object["metadata"]["annotations"] = std::move(annotations);
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

constexpr std::size_t initial_batch = 64; // events

} // namespace

WatchFeed::WatchFeed(const Store& store, WatchStart start)
    : store_(store), start_(std::move(start)), seen_(start_.from)
{
}

std::vector<Frame> WatchFeed::next()
{
    if (over_)
        return {};
    if (!start_.refusal.is_null())
        return refused(start_.refusal);
    if (start_.initial)
        return initial_events();

    const auto changes = store_.changes_after(seen_, start_.collection);
    if (!changes)
        return refused(expired("too old resource version: " + std::to_string(seen_) + " (" +
                               std::to_string(store_.forgotten()) + ")")
                           .status());
    std::vector<Frame> frames;
    for (const Change& change : *changes)
        if (auto made = frame(change))
            frames.push_back(std::move(*made));
    seen_ = std::max(seen_, store_.version());
    return frames;
}

std::vector<Frame> WatchFeed::initial_events()
{
    if (!initial_) {
        initial_ = start_.sees_nothing ? std::vector<Object>() : store_.list(start_.collection);
        seen_ = store_.version();
    }
    std::vector<Frame> frames;
    for (; initial_sent_ < initial_->size() && frames.size() < initial_batch; ++initial_sent_)
        if (const Object& object = (*initial_)[initial_sent_]; start_.selector.matches(*object))
            frames.push_back(event("ADDED", *object));
    const std::size_t simulated = start_.simulated ? start_.simulated->count() : 0;
    for (; simulated_sent_ < simulated && frames.size() < initial_batch; ++simulated_sent_)
        frames.push_back(
            {.what = Frame::What::event, .text = start_.simulated->added(simulated_sent_, start_.form)});
    if (initial_sent_ < initial_->size() || simulated_sent_ < simulated)
        return frames;

    start_.initial = false;
    initial_.reset();
    if (start_.marks_initial)
        frames.push_back(bookmark({{"k8s.io/initial-events-end", "true"}}));
    return frames;
}

std::vector<Frame> WatchFeed::refused(const Json& status)
{
    over_ = true;
    return {error_frame(status, start_.form)};
}

Frame WatchFeed::bookmark(Json annotations) const
{
    const Json object = bookmark_object(start_.kind, seen_, std::move(annotations));
    return {.what = Frame::What::bookmark, .text = event_text("BOOKMARK", start_.kind, object, start_.form)};
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
    if (start_.form != Form::table)
        return {.what = Frame::What::event, .text = event_text(type, start_.kind, object, start_.form)};
    Json rows = table(start_.kind, {&object}, std::chrono::system_clock::now());
    if (std::exchange(columns_sent_, true))
        rows["columnDefinitions"] = nullptr;
    return {.what = Frame::What::event, .text = event_text(type, start_.kind, rows, start_.form)};
}

Frame error_frame(const Json& status, Form form)
{
    return {.what = Frame::What::error, .text = event_text("ERROR", "Status", status, form)};
}

} // namespace routelet::lab
