#pragma once
#include <chrono>
#include <concepts>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace routelet {

enum class LogLevel { debug, info, warn, error };

std::string_view to_string(LogLevel level) noexcept;

// One thing that happened: a fixed event name and its fields, in the order they are to be read.
//
//     LogLine(LogLevel::info, "route-added").with("dst", prefix).with("via", gateway).with("took_ms", 0.21)
//
// Values print as their types do. A type without operator<< (a token, a key) does not compile here.
class LogLine {
public:
    struct Field {
        std::string name;
        std::string value;
        bool is_number = false; // JSON writes it without quotes
    };

    LogLine(LogLevel level, std::string_view event) : level_(level), event_(event) {}

    template <class Value>
    LogLine&& with(std::string_view name, const Value& value) &&
    {
        add(name, value);
        return std::move(*this);
    }
    template <class Value>
    void add(std::string_view name, const Value& value)
    {
        constexpr bool is_number = std::integral<Value> || std::floating_point<Value>;
        fields_.push_back({std::string(name), text_of(value), is_number});
    }

    LogLevel level() const noexcept { return level_; }
    const std::string& event() const noexcept { return event_; }
    const std::vector<Field>& fields() const noexcept { return fields_; }

private:
    // Without a stream where that is possible: streams bring all of the standard library's locales with them,
    // a fourth of the plugin's size.
    template <class Value>
    static std::string text_of(const Value& value)
    {
        if constexpr (std::same_as<Value, bool>) {
            return value ? "true" : "false";
        } else if constexpr (std::integral<Value> && sizeof(Value) > 1) {
            return std::to_string(value);
        } else if constexpr (std::convertible_to<const Value&, std::string_view>) {
            return std::string(std::string_view(value));
        } else if constexpr (requires {
                                 {
                                     value.to_string()
                                     } -> std::same_as<std::string>;
                             }) {
            return value.to_string();
        } else {
            std::ostringstream text;
            text << value;
            return std::move(text).str();
        }
    }

    LogLevel level_;
    std::string event_;
    std::vector<Field> fields_;
};

// `time=2026-01-02T03:04:05.678Z level=info event=route-added dst=10.244.2.0/24 via=192.168.1.12`
// (logfmt). Values with spaces, quotes, '=' or control characters are quoted and escaped, so whatever
// a Node object holds stays on its one line. No newline at the end.
std::string to_logfmt(const LogLine& line, std::chrono::system_clock::time_point when);

// The same as one JSON object. Bytes that are not UTF-8 are replaced by U+FFFD.
std::string to_json(const LogLine& line, std::chrono::system_clock::time_point when);

} // namespace routelet
