#pragma once
#include "test/lab/json.h"
#include "test/lab/protobuf_schema.h"
#include "test/lab/store.h"

#include <limits>
#include <string>
#include <string_view>
#include <vector>

// What the lab has, in the wire format of `application/vnd.kubernetes.protobuf`: byte for byte what Go's
// generated code writes for the same object (test/lab/fixtures), as far as protobuf_schema.h goes; members
// that it does not know, or whose JSON is of another type, are left out.
// Source: apimachinery pkg/runtime/serializer/protobuf, and KEP-3157 for the frames of a watch.
namespace routelet::lab {

// The members of `object` whose numbers are in the range, without a tag or length of their own.
std::string encoded(const Message& message, const Json& object, int first = 1,
                    int last = std::numeric_limits<int>::max());

// What goes before the bytes of a length-delimited field.
std::string field_head(int number, std::uint64_t length);

// A whole body: "k8s\0" and a runtime.Unknown that names the kind (of apiVersion v1) and holds `message`.
std::string protobuf_body(std::string_view kind, std::string_view message);

// What goes before and behind a message of this length in such a body. The tail: no contentEncoding, no
// contentType.
std::string protobuf_body_head(std::string_view kind, std::uint64_t length);
constexpr std::string_view protobuf_body_tail("\x1a\0\x22\0", 4);

// As a whole body. Requires: `kind` is Node or Status.
std::string to_protobuf(std::string_view kind, const Json& object);
std::string encoded_node_list(const Json& metadata, const std::vector<Object>& nodes); // without its body
std::string node_list_to_protobuf(const Json& metadata, const std::vector<Object>& nodes);

// One frame of a watch: its length in 4 bytes, the most significant first, and a meta/v1 WatchEvent with a
// whole body as its object.
std::string protobuf_event(std::string_view type, std::string_view body);

} // namespace routelet::lab
