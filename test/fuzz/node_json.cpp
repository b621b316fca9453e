// One Node, as the answer to a write has it.
#include "test/fuzz/json_meaning.h"
#include "test/fuzz/pieces.h"
#include "test/fuzz/target.h"

namespace {

using namespace routelet;
using fuzz::require;

Result<k8s::Node> decode(const std::vector<std::string_view>& pieces)
{
    k8s::NodeDecoder decoder;
    for (const std::string_view piece : pieces) {
        if (const auto fed = decoder.feed(piece); !fed) {
            for (const std::string_view more : {piece, std::string_view(" "), std::string_view()})
                require(!decoder.feed(more), "a node decoder that failed accepts nothing more");
            require(!decoder.finish(), "a node decoder that failed has no node");
            return fed.error();
        }
    }
    return decoder.finish();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto cut = fuzz::cut_body(fuzz::text_of(data, size));
    const auto node = decode({cut.body});
    const auto in_pieces = decode(cut.pieces);
    require(node.has_value() == in_pieces.has_value() && (!node || *node == *in_pieces),
            "neither the node nor success depend on how the body is cut");
    require(node ? !node->name.empty() : !node.error().text().empty(),
            "a node has a name, and a failure says why");

    const auto document = fuzz::parse_object(cut.body);
    if (!document)
        return 0;
    const k8s::Node meant = fuzz::meant_node(document->object);
    const bool is_node = fuzz::text_at(document->object, "kind") == "Node" && !meant.name.empty();
    if (node)
        require(is_node && *node == meant, "a node is read as another parser reads it");
    else if (document->items == 0 && node.error().text().find("JSON") == std::string::npos)
        require(!is_node, "a node that is as it should be is not refused");
    return 0;
}
