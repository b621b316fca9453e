#include "test/fuzz/json_meaning.h"
#include "test/fuzz/watch.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace routelet;
    const auto cut = fuzz::cut_body(fuzz::text_of(data, size));
    const fuzz::DecodedWatch decoded = fuzz::check_watch(k8s::Encoding::json, cut);

    const auto frame = fuzz::parse_object(cut.body); // of streams of one frame only
    if (!frame)
        return 0;
    const auto meant = fuzz::meant_event(frame->object);
    if (!decoded.failure) {
        fuzz::require(decoded.events.size() == 1, "a frame is an event");
        fuzz::require(meant == decoded.events[0], "an event is read as another parser reads it");
    } else if (decoded.failure->find("JSON") == std::string::npos) {
        fuzz::require(!meant, "an event that is as it should be is not refused");
    }
    return 0;
}
