#pragma once
#include "base/ip.h"
#include "base/result.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace routelet::cni {

enum class Verb { add, del, check, gc, status, version };

// What an attachment is known by, from ADD to DEL (CNI SPEC 1.1.0, "Parameters").
//
// Invariant once it comes from read_environment(): the container id is at most 239 bytes of [A-Za-z0-9_.-],
// the interface name one that the kernel takes; neither holds a ':' or a '/'.
struct AttachmentId {
    std::string container;
    std::string interface;

    friend auto operator<=>(const AttachmentId&, const AttachmentId&) = default;
};

bool is_container_id(std::string_view text) noexcept;
bool is_interface_name(std::string_view text) noexcept;

// CNI_ARGS, as far as it concerns us: what a caller asks for by name.
struct CniArgs {
    std::optional<std::string>
        address; // IP: one address, or several separated by commas; each may carry a length
    std::optional<std::string> mac; // MAC
    std::string pod{};              // K8S_POD_NAMESPACE/K8S_POD_NAME; empty when there is none: for people
};

struct Environment {
    Verb verb = Verb::version;
    AttachmentId id;
    std::string netns;   // CNI_NETNS verbatim, empty when unset
    std::string plugins; // CNI_PATH, the same: folders, with colons between them
    CniArgs args;
};

// The value of an environment variable, empty when unset: the specification makes no difference.
using Variables = std::function<std::string(const char* name)>;

// Reads and checks the CNI_* variables that the verb needs. Fails with invalid_environment, naming every
// variable that is missing. On DEL nothing in CNI_ARGS and no odd CNI_NETNS is an obstacle.
Result<Environment> read_environment(const Variables& variable);

} // namespace routelet::cni
