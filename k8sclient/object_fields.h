#pragma once
#include "k8sclient/decoder_impl.h"

#include <string>
#include <string_view>

namespace routelet::k8s {

// Where a value stands in the JSON that the server sends. What is not listed is `skipped`, with all that is
// in it.
enum class Place {
    skipped,
    // a watch frame and its type
    frame,
    frame_type,
    // an object: a Node or a Status of a frame, a NodeList, a Status that answers a request; an item: a Node
    // in a NodeList
    object,
    item,
    kind,
    code,
    reason,
    message,
    metadata,
    spec,
    status,
    details,
    items,
    // in metadata
    name,
    uid,
    created,
    version,
    continue_token,
    annotations,
    initial_events_end, // in annotations
    // in spec
    pod_cidr,
    pod_cidrs,
    pod_cidrs_entry,
    // in status
    addresses,
    address,
    address_type,
    address_text,
    conditions,
    condition,
    condition_type,
    condition_status,
    condition_reason,
    // in details of a Status
    causes,
    cause,
    cause_reason,
    cause_message,
};

// The place of member `key` of the JSON object at `container`.
Place member_of(Place container, std::string_view key) noexcept;
// The place of the elements of the JSON array at `container`.
Place element_of(Place container) noexcept;

// One object while it is being decoded: the fields of a Node, a list and a Status alike, since in a watch
// frame "object" may come before the "type" that says which of them it is.
class ObjectFields {
public:
    // A value begins at `place`: forgets what an earlier member of the same name said.
    void begin(Place place);
    // The string to fill with a text at `place`; null when it is of no interest.
    std::string* text_at(Place place);
    // The HTTP status code of a Status.
    void set_code(int code) noexcept { object_.status.code = code; }
    // The value at `place` is complete.
    void end(Place place);

    // The object is too large: nothing of it counts but its name and its version.
    void forget_all_but_name() noexcept { object_.node.is_oversized = true; }

    // The object, when all of it has come.
    Object take();

private:
    Object object_;
    std::string initial_events_end_;
    std::string pod_cidr_;
    std::string address_type_;
    std::string address_text_;
    std::string condition_type_;
    ConditionState condition_;
    std::string cause_reason_;
    std::string cause_message_;
};

} // namespace routelet::k8s
