#pragma once
#include "base/result.h"
#include "k8sclient/decoder_impl.h"

#include <initializer_list>
#include <optional>
#include <string_view>

// Whole protobuf messages of Kubernetes (generated.proto of k8s.io/api/core/v1 and k8s.io/apimachinery), of
// which the fields that the agent needs are read. Private to k8sclient. All functions fail on bytes that are
// not of that form.
namespace routelet::k8s {

// Fields of the messages that are taken apart as they stream in.
namespace field {
inline constexpr std::uint32_t type_meta = 1; // runtime.Unknown
inline constexpr std::uint32_t raw = 2;
inline constexpr std::uint32_t content_encoding = 3;
inline constexpr std::uint32_t list_metadata = 1; // core/v1 NodeList
inline constexpr std::uint32_t list_items = 2;
} // namespace field

// What every object begins with: the envelope runtime.Unknown follows.
inline constexpr std::string_view protobuf_magic{"k8s\0", 4};

Result<std::string> read_kind(std::string_view type_meta);             // runtime.TypeMeta
Result<> read_list_metadata(std::string_view list_meta, Object& list); // meta/v1 ListMeta
Result<Object> read_node(std::string_view node);                       // core/v1 Node
Result<Status> read_status(std::string_view status);                   // meta/v1 Status

// meta/v1 WatchEvent with a whole object in it.
Result<WatchEvent> read_watch_event(std::string_view event);

// The magic and the envelope, taken off.
struct Envelope {
    std::string kind;
    std::string_view raw;
};
Result<Envelope> open_envelope(std::string_view object);

// The same of an object that is too large to be held, from its first bytes: its name and what must be known
// of a watch event.
Result<Object> read_oversized_node(std::string_view first_bytes);
Result<WatchEvent> read_oversized_watch_event(std::string_view first_bytes);

} // namespace routelet::k8s
