#pragma once
#include <string_view>

namespace routelet::lab {

// How an answer is written.
enum class Form {
    json,
    table,    // JSON, as kubectl prints it: "application/json;as=Table;v=v1;g=meta.k8s.io"
    protobuf, // "application/vnd.kubernetes.protobuf"
};

// What there is to choose from; JSON always.
struct Forms {
    bool table = false;
    bool protobuf = false;
};

// The form that the client prefers of those on offer: the Accept list by its q, of two alike the more
// specific one, of two alike the first; JSON for an empty list. As k8s.io/apiserver does, q=0 is the last
// choice and no refusal. Throws Refusal 406 when nothing on the list is on offer.
Form negotiate(std::string_view accept, Forms offered);

// The same for a Status, which has to be said in some form: JSON when nothing on the list is on offer.
Form negotiate_status(std::string_view accept);

std::string_view content_type(Form form);
std::string_view watch_content_type(Form form);

} // namespace routelet::lab
