#pragma once
#include "k8sclient/node_decoder.h"

// What stands behind the decoders of node_decoder.h: one implementation for each encoding, and what they have
// in common. Private to k8sclient.
namespace routelet::k8s {

struct NodeListDecoder::Impl {
    virtual ~Impl() = default;
    virtual Result<> feed(std::string_view piece) = 0;
    virtual std::vector<Node> take_nodes() = 0;
    virtual Result<NodeList> finish() = 0;
};

struct NodeDecoder::Impl {
    virtual ~Impl() = default;
    virtual Result<> feed(std::string_view piece) = 0;
    virtual Result<Node> finish() = 0;
};

struct WatchDecoder::Impl {
    virtual ~Impl() = default;
    virtual Result<> feed(std::string_view piece, std::vector<WatchEvent>& events) = 0;
    virtual bool between_frames() const noexcept = 0;
};

// Whose list it is, and so what it has to be.
enum class ListOf { server, kubectl };
std::unique_ptr<NodeListDecoder::Impl> make_json_list_decoder(ListOf whose);
std::unique_ptr<NodeDecoder::Impl> make_json_node_decoder();
std::unique_ptr<NodeListDecoder::Impl> make_protobuf_list_decoder();
std::unique_ptr<WatchDecoder::Impl> make_json_watch_decoder();
std::unique_ptr<WatchDecoder::Impl> make_protobuf_watch_decoder();
Status decode_json_status(std::string_view body);
Status decode_protobuf_status(std::string_view body);

// A Node, a Status, or the frame of a NodeList, as far as it was of interest.
struct Object {
    std::string kind;
    std::string version;        // metadata.resourceVersion
    std::string continue_token; // metadata.continue
    bool ends_initial_events = false;
    Node node;
    Status status;
};

// What a watch frame of this type about this object says.
Result<WatchEvent> to_event(std::string_view type, Object object);

// Fails unless `object` is a Node with a name.
Result<Node> to_node(Object object);

// Fails unless `list` is a NodeList with a resourceVersion, or kubectl's List.
Result<NodeList> to_list(Object list, std::vector<Node> nodes, ListOf whose = ListOf::server);

// An error about what the server sent.
Error malformed(std::string what);

} // namespace routelet::k8s
