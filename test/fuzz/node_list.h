#pragma once
#include "k8sclient/node_decoder.h"
#include "test/fuzz/pieces.h"
#include "test/fuzz/target.h"

#include <optional>

namespace routelet::fuzz {

struct DecodedList {
    std::vector<k8s::Node> nodes; // all that were handed out
    std::optional<k8s::NodeList> list;
    std::string failure; // when there is no list

    // The words of a failure may differ.
    friend bool operator==(const DecodedList& a, const DecodedList& b)
    {
        return a.nodes == b.nodes && a.list == b.list;
    }
};

inline void require_nothing_more(k8s::NodeListDecoder& decoder, std::string_view rest)
{
    for (const std::string_view more : {rest, std::string_view(" "), std::string_view()})
        require(!decoder.feed(more), "a list decoder that failed accepts nothing more");
    require(!decoder.finish(), "a list decoder that failed has no list");
    require(decoder.take_nodes().empty(), "a list decoder that failed hands out no more nodes");
}

inline DecodedList decode_list(k8s::Encoding encoding, const std::vector<std::string_view>& pieces)
{
    DecodedList decoded;
    k8s::NodeListDecoder decoder(encoding);
    const auto take = [&] {
        for (k8s::Node& node : decoder.take_nodes())
            decoded.nodes.push_back(std::move(node));
    };
    for (const std::string_view piece : pieces) {
        const auto fed = decoder.feed(piece);
        take();
        if (fed)
            continue;
        require(!fed.error().text().empty(), "a failure says why");
        require_nothing_more(decoder, piece);
        decoded.failure = fed.error().text();
        return decoded;
    }
    auto finished = decoder.finish();
    if (finished)
        decoded.list = std::move(*finished);
    else
        decoded.failure = finished.error().text();
    return decoded;
}

// What holds for the list in `input`, whatever it is.
inline DecodedList check_list(k8s::Encoding encoding, const CutBody& cut)
{
    DecodedList whole = decode_list(encoding, {cut.body});
    for (const k8s::Node& node : whole.nodes) {
        require(!node.name.empty(), "a node has a name");
        require(!node.is_oversized, "no node of a small list is oversized");
    }
    if (whole.list) {
        require(!whole.list->version.empty(), "a list has a version");
        require(whole.list->nodes.empty(), "nodes that were taken are in no list");
    }
    require(decode_list(encoding, cut.pieces) == whole,
            "neither nodes nor success depend on how the body is cut");
    return whole;
}

} // namespace routelet::fuzz
