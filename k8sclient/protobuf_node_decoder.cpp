// Lists and watches in protobuf, as they stream in.
#include "k8sclient/decoder_impl.h"
#include "k8sclient/protobuf_object.h"

#include <protozero/types.hpp>

#include <algorithm>
#include <utility>

namespace routelet::k8s {
namespace {

constexpr std::size_t beginning_size = 4U << 10U; // bytes of an oversized object that are looked at

// A run of bytes of a known length that may come in several pieces. One that comes in one piece is not
// copied; of one that is longer than `most`, the first bytes are kept only.
class Run {
public:
    void begin(std::uint64_t size, std::size_t most)
    {
        kept_.clear();
        is_oversized_ = size > most;
        missing_ = size;
    }

    // Takes its share of `piece`. The bytes once all have come, valid until the next call; else nothing.
    std::optional<std::string_view> take(std::string_view& piece)
    {
        const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(missing_, piece.size()));
        const std::string_view part = piece.substr(0, size);
        piece.remove_prefix(size);
        missing_ -= size;
        if (missing_ == 0 && kept_.empty() && !is_oversized_)
            return part;
        kept_.append(is_oversized_ ? part.substr(0, beginning_size - std::min(kept_.size(), beginning_size))
                                   : part);
        return missing_ == 0 ? std::optional<std::string_view>(kept_) : std::nullopt;
    }

    bool is_oversized() const noexcept { return is_oversized_; }

private:
    std::string kept_;
    std::uint64_t missing_ = 0;
    bool is_oversized_ = false;
};

// A varint, byte by byte.
class Varint {
public:
    // True when `byte` was its last. A value of more than 64 bits is_too_long().
    bool take(char byte)
    {
        if (shift_ == 0)
            value_ = 0;
        const auto bits = static_cast<std::uint8_t>(byte);
        value_ |= static_cast<std::uint64_t>(bits & 0x7FU) << std::min(shift_, 63U);
        shift_ += 7;
        if ((bits & 0x80U) != 0)
            return false;
        shift_ = 0;
        return true;
    }
    bool is_too_long() const noexcept { return shift_ >= 70; }
    std::uint64_t value() const noexcept { return value_; }

private:
    std::uint64_t value_ = 0;
    unsigned shift_ = 0; // bits read of a value that is not complete
};

// "k8s\0" and a runtime.Unknown, whose field raw holds a NodeList: taken apart field by field, so that no
// more than one item is ever held.
class ProtobufListDecoder final : public NodeListDecoder::Impl {
public:
    ProtobufListDecoder() { run_.begin(protobuf_magic.size(), object_limit); }

    Result<> feed(std::string_view piece) override
    {
        while (!piece.empty()) {
            const std::size_t before = piece.size();
            if (auto step = take(piece); !step)
                return step;
            if (!note_read(before - piece.size()))
                return beyond_its_end();
        }
        return {};
    }
    std::vector<Node> take_nodes() override { return std::exchange(nodes_, {}); }
    Result<NodeList> finish() override
    {
        if (expects_ != Expects::tag || is_in_tag_ || level_ != Level::envelope || list_.kind.empty())
            return malformed("the list was cut short");
        if (!refusal_.message.empty())
            list_.status = std::move(refusal_);
        return to_list(std::move(list_), take_nodes());
    }

private:
    enum class Level { envelope, list };
    enum class Expects { magic, tag, varint, length, value };

    static Error beyond_its_end() { return malformed("a field of the list goes beyond its end"); }

    // The next part of a field.
    Result<> take(std::string_view& piece)
    {
        switch (expects_) {
        case Expects::magic:
        case Expects::value:
            return take_run(piece);
        case Expects::tag:
        case Expects::varint:
        case Expects::length:
            break;
        }
        const bool is_complete = varint_.take(piece.front());
        piece.remove_prefix(1);
        is_in_tag_ = expects_ == Expects::tag && !is_complete;
        if (varint_.is_too_long())
            return malformed("the list is not valid protobuf (a number is too long)");
        if (!is_complete)
            return {};
        if (expects_ == Expects::tag)
            return begin_field(varint_.value());
        if (expects_ == Expects::length)
            return begin_value(varint_.value());
        expects_ = Expects::tag;
        return {};
    }

    Result<> begin_field(std::uint64_t tag)
    {
        using protozero::pbf_wire_type;
        number_ = tag >> 3U;
        switch (static_cast<pbf_wire_type>(tag & 7U)) {
        case pbf_wire_type::varint:
            expects_ = Expects::varint;
            return {};
        case pbf_wire_type::length_delimited:
            expects_ = Expects::length;
            return {};
        case pbf_wire_type::fixed64:
            return begin_run(8, Use::nothing);
        case pbf_wire_type::fixed32:
            return begin_run(4, Use::nothing);
        default:
            return malformed("the list is not valid protobuf (a field of an unknown type)");
        }
    }

    // What the value of a field is read for.
    enum class Use { nothing, kind, encoding, metadata, item, refusal };

    Result<> begin_value(std::uint64_t size)
    {
        if (level_ == Level::list)
            return begin_run(size, number_ == field::list_metadata ? Use::metadata
                                   : number_ == field::list_items  ? Use::item
                                                                   : Use::nothing);
        if (number_ == field::raw && list_.kind == "NodeList") {
            level_ = Level::list;
            list_left_ = size;
            list_begins_ = true;
            expects_ = Expects::tag;
            return {};
        }
        return begin_run(size, number_ == field::type_meta          ? Use::kind
                               : number_ == field::content_encoding ? Use::encoding
                               : number_ == field::raw              ? Use::refusal
                                                                    : Use::nothing);
    }

    Result<> begin_run(std::uint64_t size, Use use)
    {
        if (level_ == Level::list && size >= list_left_) // of which a byte that said so is not taken off yet
            return beyond_its_end();
        use_ = use;
        expects_ = Expects::value;
        run_.begin(size, use == Use::nothing ? 0 : object_limit);
        return size == 0 ? end_run({}) : Result<>();
    }

    Result<> take_run(std::string_view& piece)
    {
        const auto bytes = run_.take(piece);
        return bytes ? end_run(*bytes) : Result<>();
    }

    Result<> end_run(std::string_view bytes)
    {
        const Expects expected = std::exchange(expects_, Expects::tag);
        if (expected == Expects::magic)
            return bytes == protobuf_magic
                       ? Result<>()
                       : malformed("the body does not begin as Kubernetes' protobuf does");
        switch (use_) {
        case Use::kind: {
            auto kind = read_kind(bytes);
            if (!kind)
                return kind.error();
            list_.kind = std::move(*kind);
            return {};
        }
        case Use::encoding:
            return bytes.empty() ? Result<>()
                                 : malformed("the list has a content encoding within its envelope");
        case Use::metadata:
            return read_list_metadata(bytes, list_);
        case Use::item:
            return add_item(bytes);
        case Use::refusal:
            if (auto status = read_status(bytes); status && list_.kind == "Status")
                refusal_ = std::move(*status);
            return {};
        case Use::nothing:
            return {};
        }
        return {};
    }

    Result<> add_item(std::string_view bytes)
    {
        auto item = run_.is_oversized() ? read_oversized_node(bytes) : read_node(bytes);
        if (!item)
            return item.error();
        if (item->node.name.empty())
            return malformed("an item has no name");
        nodes_.push_back(std::move(item->node));
        return {};
    }

    // `size` bytes were read; false when they belong to the list and are more than it has.
    bool note_read(std::size_t size)
    {
        if (level_ != Level::list)
            return true;
        if (std::exchange(list_begins_, false)) // these bytes said so
            size = 0;
        if (size > list_left_)
            return false;
        list_left_ -= size;
        if (list_left_ > 0)
            return true;
        level_ = Level::envelope;
        return expects_ == Expects::tag && !is_in_tag_;
    }

    Level level_ = Level::envelope;
    Expects expects_ = Expects::magic;
    bool is_in_tag_ = false;
    bool list_begins_ = false;
    std::uint64_t list_left_ = 0; // bytes
    std::uint64_t number_ = 0;    // of the present field
    Use use_ = Use::nothing;
    Varint varint_;
    Run run_;
    Object list_;
    Status refusal_;
    std::vector<Node> nodes_;
};

// Frames of a 4-byte length, big-endian, and a WatchEvent (k8s.io/apimachinery, LengthDelimitedFramer).
class ProtobufWatchDecoder final : public WatchDecoder::Impl {
public:
    ProtobufWatchDecoder() { run_.begin(length_size, object_limit); }

    Result<> feed(std::string_view piece, std::vector<WatchEvent>& events) override
    {
        while (!piece.empty()) {
            is_between_frames_ = false;
            const auto bytes = run_.take(piece);
            if (!bytes)
                return {};
            if (auto step = is_in_length_ ? begin_frame(*bytes) : end_frame(*bytes, events); !step)
                return step;
        }
        return {};
    }
    bool between_frames() const noexcept override { return is_between_frames_; }

private:
    static constexpr std::size_t length_size = 4; // bytes

    Result<> begin_frame(std::string_view length)
    {
        std::size_t size = 0;
        for (const char byte : length)
            size = size << 8U | static_cast<std::uint8_t>(byte);
        if (size > frame_limit)
            return malformed("a frame of more than " + std::to_string(frame_limit >> 20U) + " MiB");
        if (size == 0)
            return malformed("a frame without an event");
        is_in_length_ = false;
        run_.begin(size, object_limit);
        return {};
    }

    Result<> end_frame(std::string_view bytes, std::vector<WatchEvent>& events)
    {
        auto event = run_.is_oversized() ? read_oversized_watch_event(bytes) : read_watch_event(bytes);
        if (!event)
            return event.error();
        events.push_back(std::move(*event));
        is_in_length_ = true;
        is_between_frames_ = true;
        run_.begin(length_size, object_limit);
        return {};
    }

    Run run_;
    bool is_in_length_ = true;
    bool is_between_frames_ = true;
};

} // namespace

std::unique_ptr<NodeListDecoder::Impl> make_protobuf_list_decoder()
{
    return std::make_unique<ProtobufListDecoder>();
}

std::unique_ptr<WatchDecoder::Impl> make_protobuf_watch_decoder()
{
    return std::make_unique<ProtobufWatchDecoder>();
}

Status decode_protobuf_status(std::string_view body)
{
    auto envelope = open_envelope(body);
    if (!envelope || envelope->kind != "Status")
        return {};
    auto status = read_status(envelope->raw);
    return status ? std::move(*status) : Status();
}

} // namespace routelet::k8s
