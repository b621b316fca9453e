#include "k8sclient/event_correlator.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace routelet::k8s {
namespace {

// The entry that `is_it` holds for, or a new one, in front; the one that was met longest ago makes room.
template <class Entry, class Is, class Make>
Entry& front_entry(std::list<Entry>& entries, Is is_it, Make make)
{
    const auto found = std::ranges::find_if(entries, is_it);
    if (found != entries.end()) {
        entries.splice(entries.begin(), entries, found);
    } else {
        entries.push_front(make());
        if (entries.size() > EventCorrelator::most_keys)
            entries.pop_back();
    }
    return entries.front();
}

// "node01.18b2c3d4e5f60718", as client-go names them.
std::string event_name(const EventNote& note, Moment now)
{
    const auto nanos =
        std::chrono::duration_cast<std::chrono::nanoseconds>(now.wall.time_since_epoch()).count();
    char digits[17];
    const auto end = std::to_chars(digits, digits + sizeof digits, nanos, 16).ptr;
    return note.name + "." + std::string(digits, end);
}

} // namespace

std::optional<Event> EventCorrelator::observe(EventNote note, Moment now)
{
    EventNote alike = note;
    alike.message.clear();
    const bool is_combined = is_one_too_many(note, alike, now);
    const EventNote& key = is_combined ? alike : note;
    Known& known = front_entry(
        known_, [&](const Known& one) { return one.key == key; },
        [&] {
            return Known{key,
                         {.note = note,
                          .name = event_name(note, now),
                          .count = 0,
                          .first = now.wall,
                          .last = now.wall}};
        });
    known.event.count += 1;
    known.event.last = now.wall;
    if (is_combined)
        known.event.note.message = "(combined from similar events): " + note.message;
    if (!take_token(note.object_uid, now))
        return std::nullopt;
    return known.event;
}

bool EventCorrelator::is_one_too_many(const EventNote& note, const EventNote& alike, Moment now)
{
    Similar& similar = front_entry(
        similar_, [&](const Similar& one) { return one.key == alike; },
        [&] {
            return Similar{alike, {}, now.steady};
        });
    if (now.steady - similar.last > similar_time)
        similar.messages.clear();
    similar.last = now.steady;
    if (similar.messages.contains(note.message))
        return false;
    if (similar.messages.size() >= most_similar)
        return true;
    similar.messages.insert(note.message);
    return false;
}

bool EventCorrelator::take_token(const std::string& object_uid, Moment now)
{
    Bucket& bucket = front_entry(
        buckets_, [&](const Bucket& one) { return one.object_uid == object_uid; },
        [&] { return Bucket{.object_uid = object_uid, .filled = now.steady}; });
    const std::chrono::duration<double> passed = now.steady - bucket.filled;
    bucket.filled = now.steady;
    bucket.tokens = std::min<double>(burst, bucket.tokens + passed / refill_time);
    if (bucket.tokens < 1)
        return false;
    bucket.tokens -= 1;
    return true;
}

} // namespace routelet::k8s
