#include "test/fuzz/json_meaning.h"
#include "test/fuzz/node_list.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace routelet;
    const auto cut = fuzz::cut_body(fuzz::text_of(data, size));
    fuzz::DecodedList decoded = fuzz::check_list(k8s::Encoding::json, cut);

    const auto document = fuzz::parse_object(cut.body);
    if (!document)
        return 0;
    const auto meant = fuzz::meant_list(document->object);
    if (decoded.list) {
        decoded.list->nodes = std::move(decoded.nodes);
        fuzz::require(decoded.list == meant, "a list is read as another parser reads it");
    } else if (document->items <= 1 && decoded.failure.find("JSON") == std::string::npos) {
        // Twice is refused, and what is JSON is for Boost to say.
        fuzz::require(!meant, "a list that is as it should be is not refused");
    }
    return 0;
}
