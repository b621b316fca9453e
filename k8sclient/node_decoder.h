#pragma once
#include "base/result.h"
#include "k8sclient/encoding.h"
#include "k8sclient/node.h"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace routelet::k8s {

// Streaming decoders for what the API server sends about Nodes, in either encoding. They are fed with the
// body in pieces of any size, as they arrive, and hold only the few fields that the agent needs: about one
// percent of a Node. Fields may come in any order and more than once (the last one wins), unknown ones are
// skipped. In JSON, null or a value of the wrong type is an absent field. After an error a decoder accepts
// nothing more: whatever it is fed, the error is the same.

// Why the server said no (meta/v1 Status).
struct Status {
    int code = 0; // HTTP status code, 0 if absent
    std::string reason = {};
    std::string message = {};
    bool version_too_large = false; // a cause of that name: the server has not seen our resourceVersion yet

    friend bool operator==(const Status&, const Status&) = default;
};

struct NodeList {
    std::vector<Node> nodes;
    std::string version;        // metadata.resourceVersion
    std::string continue_token; // metadata.continue: empty on the last page

    friend bool operator==(const NodeList&, const NodeList&) = default;
};

struct WatchEvent {
    enum class Type { added, modified, deleted, bookmark, error };
    Type type = Type::error;
    Node node = {};           // added, modified, deleted
    std::string version = {}; // metadata.resourceVersion of the object; empty if absent, and for an error
    Status status = {};       // error
    bool ends_initial_events = false; // bookmark: the streaming list before it is complete (KEP-3157)

    friend bool operator==(const WatchEvent&, const WatchEvent&) = default;
};

// What the decoder gives up at: such a body is no Kubernetes'. client-go refuses frames of more than 16 MiB.
inline constexpr std::size_t frame_limit = 16U << 20U; // bytes

// One NodeList.
class NodeListDecoder {
public:
    explicit NodeListDecoder(Encoding encoding);
    // For what `kubectl get nodes -o json` prints: JSON, of kind List or NodeList, and without a
    // resourceVersion.
    static NodeListDecoder for_kubectl();
    NodeListDecoder(NodeListDecoder&&) noexcept;
    ~NodeListDecoder();

    // Fails when the body is not of the encoding, or an item has no name: a list is never silently shorter
    // than the server's.
    Result<> feed(std::string_view piece);
    // The nodes that came since the last call. They count only once finish() succeeds.
    std::vector<Node> take_nodes();
    // The list, without the nodes that were taken, once the whole body was fed. Fails unless it was one
    // complete NodeList with a resourceVersion.
    Result<NodeList> finish();

    struct Impl;

private:
    explicit NodeListDecoder(std::unique_ptr<Impl> impl);

    std::unique_ptr<Impl> impl_;
    std::optional<Error> failure_;
};

// One Node in JSON, as the answer to a write has it.
class NodeDecoder {
public:
    NodeDecoder();
    NodeDecoder(NodeDecoder&&) noexcept;
    ~NodeDecoder();

    Result<> feed(std::string_view piece);
    // Fails unless the whole body was fed, and was one Node with a name.
    Result<Node> finish();

    struct Impl;

private:
    std::unique_ptr<Impl> impl_;
    std::optional<Error> failure_;
};

// A watch's stream of events. A piece may end anywhere.
class WatchDecoder {
public:
    explicit WatchDecoder(Encoding encoding);
    WatchDecoder(WatchDecoder&&) noexcept;
    ~WatchDecoder();

    // Appends to `events` every event that `piece` completes; those before a failure are appended too. Fails
    // when a frame is not of the encoding, too large, of an unknown type, or not about a Node.
    Result<> feed(std::string_view piece, std::vector<WatchEvent>& events);
    // False in mid-frame: a stream that ends here was cut.
    bool between_frames() const noexcept;

    struct Impl;

private:
    std::unique_ptr<Impl> impl_;
    std::optional<Error> failure_;
};

// The Status in the body of a refusal; Status{} when the body is something else, such as a proxy's HTML.
Status decode_status(Encoding encoding, std::string_view body);

} // namespace routelet::k8s
