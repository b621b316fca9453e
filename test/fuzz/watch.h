#pragma once
#include "k8sclient/node_decoder.h"
#include "test/fuzz/pieces.h"
#include "test/fuzz/target.h"

#include <optional>

namespace routelet::fuzz {

struct DecodedWatch {
    std::vector<k8s::WatchEvent> events;
    std::optional<std::string> failure;
    bool between_frames = false; // at the end of what did not fail

    // The words of a failure may differ.
    friend bool operator==(const DecodedWatch& a, const DecodedWatch& b)
    {
        return a.events == b.events && a.failure.has_value() == b.failure.has_value() &&
               a.between_frames == b.between_frames;
    }
};

inline void require_nothing_more(k8s::WatchDecoder& decoder, std::string_view rest)
{
    std::vector<k8s::WatchEvent> events;
    for (const std::string_view more : {rest, std::string_view(" "), std::string_view()})
        require(!decoder.feed(more, events), "a watch decoder that failed accepts nothing more");
    require(events.empty(), "a watch decoder that failed hands out no more events");
}

inline DecodedWatch decode_watch(k8s::Encoding encoding, const std::vector<std::string_view>& pieces)
{
    DecodedWatch decoded;
    k8s::WatchDecoder decoder(encoding);
    require(decoder.between_frames(), "nothing has begun before the first byte");
    for (const std::string_view piece : pieces) {
        if (const auto fed = decoder.feed(piece, decoded.events); !fed) {
            require(!fed.error().text().empty(), "a failure says why");
            require_nothing_more(decoder, piece);
            decoded.failure = fed.error().text();
            return decoded;
        }
    }
    decoded.between_frames = decoder.between_frames();
    return decoded;
}

inline void check_event(const k8s::WatchEvent& event)
{
    using Type = k8s::WatchEvent::Type;
    const bool is_about_a_node = event.type != Type::bookmark && event.type != Type::error;
    require(is_about_a_node != event.node.name.empty(),
            "an event about a node has its name, others have none");
    require(!event.node.is_oversized, "no node of a small frame is oversized");
    if (!is_about_a_node)
        require(event.node == k8s::Node(), "a bookmark or an error carries no node");
    if (event.type == Type::error)
        require(event.version.empty(), "an error has no version");
    else
        require(event.status == k8s::Status(), "only an error has a status");
    require(event.type == Type::bookmark || !event.ends_initial_events,
            "only a bookmark ends the first list");
    require(event.status.code >= 0 && event.status.code < 1000, "a status code has three digits");
}

// What holds for the stream in `input`, whatever it is.
inline DecodedWatch check_watch(k8s::Encoding encoding, const CutBody& cut)
{
    DecodedWatch whole = decode_watch(encoding, {cut.body});
    for (const k8s::WatchEvent& event : whole.events)
        check_event(event);
    require(decode_watch(encoding, cut.pieces) == whole,
            "neither events nor success depend on how the stream is cut");
    if (!whole.between_frames)
        return whole;

    const DecodedWatch twice = decode_watch(encoding, {cut.body, cut.body});
    auto events = whole.events;
    events.insert(events.end(), whole.events.begin(), whole.events.end());
    require(twice.between_frames && twice.events == events, "no event depends on those before it");
    return whole;
}

} // namespace routelet::fuzz
