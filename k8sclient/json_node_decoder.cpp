// The only file that includes Boost.JSON, header-only.
#include "k8sclient/decoder_impl.h"
#include "k8sclient/object_fields.h"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/src.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

namespace routelet::k8s {
namespace {

using Code = boost::system::error_code;
using Text = boost::json::string_view;

constexpr std::size_t most_levels = 1024; // of nesting; a real Node has some ten
constexpr std::size_t longest_key = 32;   // bytes; of those that member_of() knows
constexpr std::size_t slice = 16U << 10U; // bytes between two looks at an object's size

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

    // `is_list`: the items of the object are wanted.
    explicit Handler(Place root, bool is_list = false) : root_(root), is_list_(is_list) {}

    std::string frame_type;
    ObjectFields object;
    std::vector<Node> items;                   // complete, and not taken yet
    std::vector<WatchEvent>* events = nullptr; // where complete frames go; set when root is a frame
    std::string problem;

    // `bytes` more of the document were read.
    void count(std::size_t bytes)
    {
        object_bytes_ += bytes;
        if (object_bytes_ > object_limit && (in_item_ || root_ == Place::frame))
            fields().forget_all_but_name();
    }
    // Since the last item or frame began or ended.
    std::size_t object_bytes() const { return object_bytes_; }

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
        if (place == Place::items && std::exchange(has_items_, true))
            return refuse_second_items(code);
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
        if (key_place_ == Place::items && !is_list_)
            key_place_ = Place::skipped; // it is about one object
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
            fields().set_code(static_cast<int>(number));
        return end_scalar(place, code);
    }
    bool on_uint64(std::uint64_t, Text, Code& code) { return end_scalar(begin_value(), code); }
    bool on_double(double, Text, Code& code) { return end_scalar(begin_value(), code); }
    bool on_bool(bool, Code& code) { return end_scalar(begin_value(), code); }
    bool on_null(Code& code)
    {
        const Place place = begin_value();
        if (place == Place::items)
            return !has_items_ || refuse_second_items(code);
        return end_scalar(place, code);
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

    bool refuse_second_items(Code& code)
    {
        return refuse("items comes twice", code); // those of the first are given out already
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
            object_bytes_ = 0;
        }
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
        Node node = item_.take().node;
        if (node.name.empty())
            return refuse("an item has no name", code);
        items.push_back(std::move(node));
        in_item_ = false;
        object_bytes_ = 0;
        return true;
    }

    bool end_frame(Code& code);

    const Place root_;
    const bool is_list_;
    std::vector<Container> open_;
    std::string key_;
    Place key_place_ = Place::skipped;
    Place string_place_ = Place::skipped;
    bool in_string_ = false;
    bool has_items_ = false;
    bool in_item_ = false;
    ObjectFields item_;
    std::size_t object_bytes_ = 0;
};

bool Handler::end_frame(Code& code)
{
    object_bytes_ = 0;
    Result<WatchEvent> event = to_event(frame_type, object.take());
    if (!event)
        return refuse(event.error().context, code);
    events->push_back(std::move(*event));
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
    bool started = false;

    explicit Decoder(Place root, bool is_list = false) : parser(tolerant(), root, is_list) {}

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
        if (parser.done())
            return {};
        handler().count(used);
        if (handler().object_bytes() > frame_limit)
            return malformed("an object of more than " + std::to_string(frame_limit >> 20U) + " MiB");
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

// All of `piece` is of the one document that a body holds.
Result<> feed_document(Decoder& decoder, std::string_view piece)
{
    while (!piece.empty()) {
        if (decoder.parser.done()) {
            skip_white_space(piece);
            if (!piece.empty())
                return malformed("the body goes on after the end of its object");
            return {};
        }
        if (auto parsed = decoder.parse_some(piece); !parsed)
            return parsed;
    }
    return {};
}

class JsonListDecoder final : public NodeListDecoder::Impl {
public:
    explicit JsonListDecoder(ListOf whose) : whose_(whose) {}

    Result<> feed(std::string_view piece) override { return feed_document(decoder_, piece); }
    std::vector<Node> take_nodes() override { return std::exchange(decoder_.handler().items, {}); }
    Result<NodeList> finish() override
    {
        if (!decoder_.parser.done())
            return malformed("the list was cut short");
        return to_list(decoder_.handler().object.take(), take_nodes(), whose_);
    }

private:
    ListOf whose_;
    Decoder decoder_{Place::object, true};
};

class JsonNodeDecoder final : public NodeDecoder::Impl {
public:
    Result<> feed(std::string_view piece) override { return feed_document(decoder_, piece); }
    Result<Node> finish() override
    {
        if (!decoder_.parser.done())
            return malformed("the answer was cut short");
        return to_node(decoder_.handler().object.take());
    }

private:
    Decoder decoder_{Place::object};
};

class JsonWatchDecoder final : public WatchDecoder::Impl {
public:
    Result<> feed(std::string_view piece, std::vector<WatchEvent>& events) override
    {
        decoder_.handler().events = &events;
        for (;;) {
            if (between_frames())
                skip_white_space(piece);
            if (piece.empty())
                return {};
            if (decoder_.parser.done())
                decoder_.parser.reset();
            if (auto parsed = decoder_.parse_some(piece); !parsed)
                return parsed;
        }
    }
    bool between_frames() const noexcept override { return !decoder_.started || decoder_.parser.done(); }

private:
    Decoder decoder_{Place::frame};
};

} // namespace

std::unique_ptr<NodeListDecoder::Impl> make_json_list_decoder(ListOf whose)
{
    return std::make_unique<JsonListDecoder>(whose);
}

std::unique_ptr<NodeDecoder::Impl> make_json_node_decoder()
{
    return std::make_unique<JsonNodeDecoder>();
}

std::unique_ptr<WatchDecoder::Impl> make_json_watch_decoder()
{
    return std::make_unique<JsonWatchDecoder>();
}

Status decode_json_status(std::string_view body)
{
    Decoder decoder(Place::object);
    while (!body.empty() && !decoder.parser.done())
        if (!decoder.parse_some(body))
            return {};
    if (!decoder.parser.done())
        return {};
    return decoder.handler().object.take().status;
}

} // namespace routelet::k8s
