#include "k8sclient/node_decoder.h"

#include "k8sclient/decoder_impl.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace routelet::k8s {
namespace {

std::optional<WatchEvent::Type> watch_event_type(std::string_view name)
{
    using Type = WatchEvent::Type;
    static constexpr std::array<std::pair<std::string_view, Type>, 5> types = {{
        {"ADDED", Type::added},
        {"MODIFIED", Type::modified},
        {"DELETED", Type::deleted},
        {"BOOKMARK", Type::bookmark},
        {"ERROR", Type::error},
    }};
    const auto* found = std::ranges::find(types, name, &std::pair<std::string_view, Type>::first);
    if (found == types.end())
        return std::nullopt;
    return found->second;
}

// The beginning of a name that the server gave, for a message.
std::string shown(std::string_view name)
{
    return std::string(name.substr(0, 40));
}

} // namespace

Error malformed(std::string what)
{
    return make_error(boost::system::errc::bad_message, std::move(what));
}

Result<WatchEvent> to_event(std::string_view type_name, Object object)
{
    const auto type = watch_event_type(type_name);
    if (!type)
        return malformed("a watch event of unknown type \"" + shown(type_name) + "\"");

    WatchEvent event;
    event.type = *type;
    if (*type == WatchEvent::Type::error) {
        event.status = std::move(object.status);
        return event;
    }
    if (!object.kind.empty() && object.kind != "Node")
        return malformed("a watch event about a " + shown(object.kind) + ", not a Node");
    event.version = std::move(object.version);
    if (*type == WatchEvent::Type::bookmark) {
        event.ends_initial_events = object.ends_initial_events;
        return event;
    }
    if (object.node.name.empty())
        return malformed("a watch event about a Node without a name");
    event.node = std::move(object.node);
    return event;
}

Result<Node> to_node(Object object)
{
    if (object.kind != "Node")
        return malformed("the answer is " +
                         (object.kind.empty() ? "an object without kind" : shown(object.kind)) +
                         ", not a Node");
    if (object.node.name.empty())
        return malformed("the answer is a Node without a name");
    return std::move(object.node);
}

Result<NodeList> to_list(Object list, std::vector<Node> nodes, ListOf whose)
{
    const bool is_kubectls = whose == ListOf::kubectl;
    if (list.kind != "NodeList" && !(is_kubectls && list.kind == "List")) {
        const std::string kind = list.kind.empty() ? "an object without kind" : shown(list.kind);
        const std::string message = list.status.message.empty() ? "" : ": " + list.status.message;
        return malformed("the answer is " + kind + ", not a NodeList" + message);
    }
    if (list.version.empty() && !is_kubectls)
        return malformed("the list has no resourceVersion");
    return NodeList{std::move(nodes), std::move(list.version), std::move(list.continue_token)};
}

NodeListDecoder::NodeListDecoder(Encoding encoding)
    : NodeListDecoder(encoding == Encoding::json ? make_json_list_decoder(ListOf::server)
                                                 : make_protobuf_list_decoder())
{
}

NodeListDecoder::NodeListDecoder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

NodeListDecoder NodeListDecoder::for_kubectl()
{
    return NodeListDecoder(make_json_list_decoder(ListOf::kubectl));
}

NodeListDecoder::NodeListDecoder(NodeListDecoder&&) noexcept = default;
NodeListDecoder::~NodeListDecoder() = default;

Result<> NodeListDecoder::feed(std::string_view piece)
{
    if (failure_)
        return *failure_;
    auto fed = impl_->feed(piece);
    if (!fed)
        failure_ = fed.error();
    return fed;
}

std::vector<Node> NodeListDecoder::take_nodes()
{
    return impl_->take_nodes();
}

Result<NodeList> NodeListDecoder::finish()
{
    if (failure_)
        return *failure_;
    return impl_->finish();
}

NodeDecoder::NodeDecoder() : impl_(make_json_node_decoder()) {}
NodeDecoder::NodeDecoder(NodeDecoder&&) noexcept = default;
NodeDecoder::~NodeDecoder() = default;

Result<> NodeDecoder::feed(std::string_view piece)
{
    if (failure_)
        return *failure_;
    auto fed = impl_->feed(piece);
    if (!fed)
        failure_ = fed.error();
    return fed;
}

Result<Node> NodeDecoder::finish()
{
    if (failure_)
        return *failure_;
    return impl_->finish();
}

WatchDecoder::WatchDecoder(Encoding encoding)
    : impl_(encoding == Encoding::json ? make_json_watch_decoder() : make_protobuf_watch_decoder())
{
}

WatchDecoder::WatchDecoder(WatchDecoder&&) noexcept = default;
WatchDecoder::~WatchDecoder() = default;

Result<> WatchDecoder::feed(std::string_view piece, std::vector<WatchEvent>& events)
{
    if (failure_)
        return *failure_;
    auto fed = impl_->feed(piece, events);
    if (!fed)
        failure_ = fed.error();
    return fed;
}

bool WatchDecoder::between_frames() const noexcept
{
    return impl_->between_frames();
}

Status decode_status(Encoding encoding, std::string_view body)
{
    return encoding == Encoding::json ? decode_json_status(body) : decode_protobuf_status(body);
}

} // namespace routelet::k8s
