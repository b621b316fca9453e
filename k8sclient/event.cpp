#include "k8sclient/event.h"

#include "base/rfc3339.h"

#include <nlohmann/json.hpp>

namespace routelet::k8s {
namespace {

using nlohmann::json;

constexpr std::size_t longest_reason = 128; // bytes; apiserver's limits for events.k8s.io
constexpr std::size_t longest_message = 1024;

// At most `most` bytes, without half a character (RFC 3629: bytes within one are 10xxxxxx).
std::string cut(const std::string& text, std::size_t most)
{
    if (text.size() <= most)
        return text;
    std::size_t end = most;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U)
        --end;
    return text.substr(0, end);
}

std::string to_text(const json& object)
{
    return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

} // namespace

std::string event_body(const Event& event, const EventSource& source)
{
    const EventNote& note = event.note;
    return to_text(
        {{"apiVersion", "v1"},
         {"kind", "Event"},
         {"metadata", {{"name", event.name}, {"namespace", "default"}}},
         {"involvedObject",
          {{"apiVersion", "v1"}, {"kind", note.kind}, {"name", note.name}, {"uid", note.object_uid}}},
         {"type", note.type == EventNote::Type::warning ? "Warning" : "Normal"},
         {"reason", cut(note.reason, longest_reason)},
         {"message", cut(note.message, longest_message)},
         {"source", {{"component", source.component}, {"host", source.host}}},
         {"firstTimestamp", to_rfc3339(event.first)},
         {"lastTimestamp", to_rfc3339(event.last)},
         {"count", event.count},
         {"reportingComponent", source.component},
         {"reportingInstance", source.host}});
}

std::string event_count_patch(const Event& event)
{
    return to_text({{"count", event.count},
                    {"lastTimestamp", to_rfc3339(event.last)},
                    {"message", cut(event.note.message, longest_message)}});
}

} // namespace routelet::k8s
