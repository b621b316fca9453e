// Of an object that is too large only the first bytes are read: here those are the whole input, since no
// input of a fuzzer reaches the size itself.
#include "k8sclient/protobuf_object.h"
#include "test/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace routelet;
    using fuzz::require;
    constexpr std::size_t longest_name = 253; // RFC 1123 subdomain
    const std::string_view bytes = fuzz::text_of(data, size);

    if (const auto object = k8s::read_oversized_node(bytes)) {
        require(object->kind == "Node" && object->node.is_oversized, "it is told to be oversized");
        require(object->node.name.size() <= longest_name, "what is too long is no name");
        k8s::Node only_named;
        only_named.name = object->node.name;
        only_named.is_oversized = true;
        require(object->node == only_named, "only the name is known");
        require(object->status == k8s::Status(), "it has no status");
    }
    if (const auto event = k8s::read_oversized_watch_event(bytes)) {
        using Type = k8s::WatchEvent::Type;
        const bool is_about_a_node = event->type != Type::bookmark && event->type != Type::error;
        require(is_about_a_node != event->node.name.empty(), "an event about a node has its name");
        require(event->node.is_oversized == is_about_a_node, "it is told to be oversized");
    }
    return 0;
}
