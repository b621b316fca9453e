#include "test/lab/store.h"

#include <algorithm>
#include <utility>

namespace routelet::lab {
namespace {

Object at_version(Json object, Version version)
{
    object["metadata"]["resourceVersion"] = std::to_string(version);
    return std::make_shared<const Json>(std::move(object));
}

} // namespace

Object Store::find(const std::string& key) const
{
    const auto found = objects_.find(key);
    return found == objects_.end() ? nullptr : found->second;
}

std::vector<Object> Store::list(std::string_view collection) const
{
    std::vector<Object> found;
    for (auto at = objects_.lower_bound(collection);
         at != objects_.end() && at->first.starts_with(collection); ++at)
        found.push_back(at->second);
    return found;
}

std::optional<std::vector<Object>> Store::list_at(std::string_view collection, Version version) const
{
    if (version > version_ || version < forgotten_)
        return std::nullopt;

    std::map<std::string, Object> then;
    for (auto at = objects_.lower_bound(collection);
         at != objects_.end() && at->first.starts_with(collection); ++at)
        then.insert(*at);
    for (auto change = history_.rbegin(); change != history_.rend() && change->version > version; ++change) {
        if (!change->key.starts_with(collection))
            continue;
        if (change->before)
            then[change->key] = change->before;
        else
            then.erase(change->key);
    }

    std::vector<Object> found;
    for (auto& [key, object] : then)
        found.push_back(std::move(object));
    return found;
}

Object Store::put(const std::string& key, Json object)
{
    Object& place = objects_[key];
    if (place) {
        object["metadata"]["resourceVersion"] = text_at(*place, {"metadata", "resourceVersion"});
        if (object == *place)
            return place;
    }
    const Object before = std::exchange(place, at_version(std::move(object), ++version_));
    remember({.version = version_, .key = key, .before = before, .after = place});
    return place;
}

Object Store::remove(const std::string& key)
{
    const auto found = objects_.find(key);
    if (found == objects_.end())
        return nullptr;
    const Object before = found->second;
    objects_.erase(found);
    ++version_;
    remember({.version = version_, .key = key, .before = before, .after = nullptr});
    return at_version(*before, version_);
}

std::optional<std::vector<Change>> Store::changes_after(Version version, std::string_view collection) const
{
    if (version < forgotten_)
        return std::nullopt;
    std::vector<Change> changes;
    const auto first = std::ranges::upper_bound(history_, version, {}, &Change::version);
    std::copy_if(first, history_.end(), std::back_inserter(changes),
                 [&](const Change& change) { return change.key.starts_with(collection); });
    return changes;
}

void Store::compact()
{
    history_.clear();
    forgotten_ = version_;
}

Json Store::snapshot() const
{
    Json objects = Json::object();
    for (const auto& [key, object] : objects_)
        objects[key] = *object;
    return {{"version", version_}, {"objects", std::move(objects)}};
}

Store Store::restored(const Json& snapshot, std::size_t history_limit)
{
    Store store(history_limit);
    store.version_ = snapshot.at("version").get<Version>();
    store.forgotten_ = store.version_;
    for (const auto& [key, object] : snapshot.at("objects").items())
        store.objects_[key] = std::make_shared<const Json>(object);
    return store;
}

void Store::remember(Change change)
{
    history_.push_back(std::move(change));
    if (history_.size() <= history_limit_)
        return;
    forgotten_ = history_.front().version;
    history_.pop_front();
}

} // namespace routelet::lab
