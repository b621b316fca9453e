// The only file that includes Boost.JSON, header-only.
#include "k8sclient/node_decoder.h"

#include "k8sclient/object_fields.h"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/src.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

namespace routelet::k8s {
namespace {

using Code = boost::system::error_code;
using Text = boost::json::string_view;

constexpr std::size_t most_levels = 1024; // of nesting; a real Node has some ten
constexpr std::size_t longest_key = 32;   // bytes; of those that member_of() knows
constexpr std::size_t slice = 16U << 10U; // bytes between two looks at an object's size

Error malformed(std::string what)
{
    return make_error(boost::system::errc::bad_message, std::move(what));
}

// Follows the parser through documents of the shape `root` and keeps what member_of() knows of. Its member
// functions on_... are what basic_parser asks for; false ends the parse, with the reason in `problem`.
//
// Invariant: open_ holds the open containers, outermost first; key_place_ is where the value of the last key
// goes.
class Handler {
public:
    static constexpr std::size_t max_array_size = std::numeric_limits<std::size_t>::max();
    static constexpr std::size_t max_object_size = std::numeric_limits<std::size_t>::max();
    static constexpr std::size_t max_string_size = std::numeric_limits<std::size_t>::max();
    static constexpr std::size_t max_key_size = std::numeric_limits<std::size_t>::max();

    explicit Handler(Place root) : root_(root) {}

    std::string frame_type;
    ObjectFields object;
    std::vector<Node> items;
    std::vector<WatchEvent>* events = nullptr; // where complete frames go; set when root is a frame
    std::size_t object_bytes = 0;              // since the last item or frame began or ended
    std::string problem;

    bool on_document_begin(Code&)
    {
        open_.clear();
        frame_type.clear();
        object = {};
        return true;
    }
    bool on_document_end(Code&) { return true; }

    bool on_object_begin(Code& code)
    {
        const Place place = begin_value();
        if (place == Place::items)
            return refuse("items is not an array", code);
        open_.push_back({place, false});
        return true;
    }
    bool on_object_end(std::size_t, Code& code) { return close(code); }

    bool on_array_begin(Code& code)
    {
        const Place place = begin_value();
        if (place == Place::item)
            return refuse("an item is not an object", code);
        open_.push_back({place, true});
        return true;
    }
    bool on_array_end(std::size_t, Code& code) { return close(code); }

    bool on_key_part(Text part, std::size_t size, Code&)
    {
        if (open_.back().place != Place::skipped && size <= longest_key)
            key_.append(part.data(), part.size());
        return true;
    }
    bool on_key(Text part, std::size_t size, Code& code)
    {
        on_key_part(part, size, code);
        key_place_ = size <= longest_key ? member_of(open_.back().place, key_) : Place::skipped;
        key_.clear();
        return true;
    }

    bool on_string_part(Text part, std::size_t, Code&)
    {
        if (!std::exchange(in_string_, true))
            string_place_ = begin_value();
        if (std::string* text = text_at(string_place_))
            text->append(part.data(), part.size());
        return true;
    }
    bool on_string(Text part, std::size_t size, Code& code)
    {
        on_string_part(part, size, code);
        in_string_ = false;
        return end_scalar(string_place_, code);
    }

    bool on_int64(std::int64_t number, Text, Code& code)
    {
        const Place place = begin_value();
        if (place == Place::code && number > 0 && number < 1000)
            object.status.code = static_cast<int>(number);
        return end_scalar(place, code);
    }
    bool on_uint64(std::uint64_t, Text, Code& code) { return end_scalar(begin_value(), code); }
    bool on_double(double, Text, Code& code) { return end_scalar(begin_value(), code); }
    bool on_bool(bool, Code& code) { return end_scalar(begin_value(), code); }
    bool on_null(Code& code)
    {
        const Place place = begin_value();
        return place == Place::items || end_scalar(place, code);
    }
    bool on_number_part(Text, Code&) { return true; }
    bool on_comment_part(Text, Code&) { return true; }
    bool on_comment(Text, Code&) { return true; }

private:
    struct Container {
        Place place;
        bool is_array;
    };

    bool refuse(std::string why, Code& code)
    {
        problem = std::move(why);
        code = make_error_code(boost::system::errc::bad_message);
        return false;
    }

    // An item is inside the list's object, and has fields of its own.
    ObjectFields& fields() { return in_item_ ? item_ : object; }

    std::string* text_at(Place place)
    {
        return place == Place::frame_type ? &frame_type : fields().text_at(place);
    }

    Place begin_value()
    {
        Place place = root_;
        if (!open_.empty())
            place = open_.back().is_array ? element_of(open_.back().place) : key_place_;
        if (place == Place::item) {
            in_item_ = true;
            object_bytes = 0;
        }
        if (place == Place::items)
            items.clear();
        if (place == Place::frame_type)
            frame_type.clear();
        if (place != Place::skipped)
            fields().begin(place);
        return place;
    }

    bool end_scalar(Place place, Code& code)
    {
        if (place == Place::items)
            return refuse("items is not an array", code);
        if (place == Place::item)
            return refuse("an item is not an object", code);
        if (open_.empty())
            return refuse("not an object", code);
        fields().end(place);
        return true;
    }

    bool close(Code& code)
    {
        const Place place = open_.back().place;
        open_.pop_back();
        if (place == Place::item)
            return end_item(code);
        if (place == Place::frame)
            return end_frame(code);
        fields().end(place);
        return true;
    }

    bool end_item(Code& code)
    {
        if (item_.node.name.empty())
            return refuse("an item has no name", code);
        items.push_back(item_.take_node());
        in_item_ = false;
        object_bytes = 0;
        return true;
    }

    bool end_frame(Code& code);

    const Place root_;
    std::vector<Container> open_;
    std::string key_;
    Place key_place_ = Place::skipped;
    Place string_place_ = Place::skipped;
    bool in_string_ = false;
    bool in_item_ = false;
    ObjectFields item_;
};

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

bool Handler::end_frame(Code& code)
{
    object_bytes = 0;
    const auto type = watch_event_type(frame_type);
    if (!type)
        return refuse("a watch event of unknown type \"" + frame_type.substr(0, 40) + "\"", code);

    WatchEvent event;
    event.type = *type;
    if (*type == WatchEvent::Type::error) {
        event.status = std::move(object.status);
        events->push_back(std::move(event));
        return true;
    }
    if (!object.kind.empty() && object.kind != "Node")
        return refuse("a watch event about a " + object.kind.substr(0, 40) + ", not a Node", code);
    event.version = std::move(object.version);
    if (*type != WatchEvent::Type::bookmark) {
        if (object.node.name.empty())
            return refuse("a watch event about a Node without a name", code);
        event.node = object.take_node();
    }
    events->push_back(std::move(event));
    return true;
}

boost::json::parse_options tolerant()
{
    boost::json::parse_options options;
    options.max_depth = most_levels;
    options.allow_invalid_utf8 = true; // texts are bytes to us; whoever prints them escapes them
    return options;
}

// The parser with its handler, fed in slices so that an object's size is known in time.
struct Decoder {
    boost::json::basic_parser<Handler> parser;
    std::size_t object_limit;
    bool started = false;

    Decoder(Place root, std::size_t limit) : parser(tolerant(), root), object_limit(limit) {}

    Handler& handler() { return parser.handler(); }

    // Parses what of `piece` belongs to the current document, and removes it from `piece`.
    Result<> parse_some(std::string_view& piece)
    {
        started = true;
        const std::string_view part = piece.substr(0, slice);
        Code code;
        const std::size_t used = parser.write_some(true, part.data(), part.size(), code);
        piece.remove_prefix(used);
        if (code)
            return failure(code);
        handler().object_bytes += used;
        if (!parser.done() && handler().object_bytes > object_limit)
            return malformed("an object of more than " + std::to_string(object_limit >> 20U) + " MiB");
        return {};
    }

    Error failure(Code code)
    {
        if (!handler().problem.empty())
            return {{}, handler().problem};
        return {code, "the body is not valid JSON"};
    }
};

void skip_white_space(std::string_view& text)
{
    text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
}

} // namespace

struct NodeListDecoder::Impl : Decoder {
    Impl() : Decoder(Place::object, list_item_limit) {}
};

NodeListDecoder::NodeListDecoder() : impl_(std::make_unique<Impl>()) {}
NodeListDecoder::NodeListDecoder(NodeListDecoder&&) noexcept = default;
NodeListDecoder::~NodeListDecoder() = default;

Result<> NodeListDecoder::feed(std::string_view piece)
{
    while (!piece.empty()) {
        if (impl_->parser.done()) {
            skip_white_space(piece);
            if (!piece.empty())
                return malformed("the body goes on after the end of the list");
            return {};
        }
        if (auto parsed = impl_->parse_some(piece); !parsed)
            return parsed;
    }
    return {};
}

Result<NodeList> NodeListDecoder::finish()
{
    if (!impl_->parser.done())
        return malformed("the list was cut short");
    Handler& handler = impl_->handler();
    ObjectFields& list = handler.object;
    if (list.kind != "NodeList") {
        const std::string kind = list.kind.empty() ? "an object without kind" : list.kind.substr(0, 40);
        const std::string message = list.status.message.empty() ? "" : ": " + list.status.message;
        return malformed("the answer is " + kind + ", not a NodeList" + message);
    }
    if (list.version.empty())
        return malformed("the list has no resourceVersion");
    return NodeList{std::move(handler.items), std::move(list.version), std::move(list.continue_token)};
}

struct WatchDecoder::Impl : Decoder {
    Impl() : Decoder(Place::frame, watch_frame_limit) {}
};

WatchDecoder::WatchDecoder() : impl_(std::make_unique<Impl>()) {}
WatchDecoder::WatchDecoder(WatchDecoder&&) noexcept = default;
WatchDecoder::~WatchDecoder() = default;

Result<> WatchDecoder::feed(std::string_view piece, std::vector<WatchEvent>& events)
{
    impl_->handler().events = &events;
    for (;;) {
        if (between_frames())
            skip_white_space(piece);
        if (piece.empty())
            return {};
        if (impl_->parser.done())
            impl_->parser.reset();
        if (auto parsed = impl_->parse_some(piece); !parsed)
            return parsed;
    }
}

bool WatchDecoder::between_frames() const noexcept
{
    return !impl_->started || impl_->parser.done();
}

Status decode_status(std::string_view body)
{
    Decoder decoder(Place::object, list_item_limit);
    while (!body.empty() && !decoder.parser.done())
        if (!decoder.parse_some(body))
            return {};
    if (!decoder.parser.done())
        return {};
    return std::move(decoder.handler().object.status);
}

} // namespace routelet::k8s
