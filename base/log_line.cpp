#include "base/log_line.h"

#include "base/rfc3339.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace routelet {
namespace {

bool is_control(char c) noexcept
{
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

// Length of the UTF-8 sequence at the start of `text` (RFC 3629), 0 when it is not one.
std::size_t utf8_sequence(std::string_view text) noexcept
{
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const auto is_tail = [&](std::size_t i) { return i < text.size() && (byte(i) & 0xc0U) == 0x80; };
    const unsigned char lead = byte(0);
    if (lead < 0x80)
        return 1;
    if (lead >= 0xc2 && lead <= 0xdf)
        return is_tail(1) ? 2 : 0;
    if (lead >= 0xe0 && lead <= 0xef && is_tail(1) && is_tail(2)) {
        const bool overlong = lead == 0xe0 && byte(1) < 0xa0;
        const bool surrogate = lead == 0xed && byte(1) > 0x9f;
        return overlong || surrogate ? 0 : 3;
    }
    if (lead >= 0xf0 && lead <= 0xf4 && is_tail(1) && is_tail(2) && is_tail(3)) {
        const bool overlong = lead == 0xf0 && byte(1) < 0x90;
        const bool beyond = lead == 0xf4 && byte(1) > 0x8f;
        return overlong || beyond ? 0 : 4;
    }
    return 0;
}

// JSON string escapes (RFC 8259 section 7); good for logfmt too.
void append_quoted(std::string& out, std::string_view text)
{
    out += '"';
    while (!text.empty()) {
        const std::size_t length = utf8_sequence(text);
        const char c = text.front();
        if (length == 0) {
            out += "\\ufffd";
        } else if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (c == '\n') {
            out += "\\n";
        } else if (c == '\t') {
            out += "\\t";
        } else if (is_control(c)) {
            std::array<char, 8> escape{};
            std::snprintf(escape.data(), escape.size(), "\\u%04x", static_cast<unsigned>(c));
            out += escape.data();
        } else {
            out += text.substr(0, length);
        }
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    out += '"';
}

bool needs_quotes(std::string_view value) noexcept
{
    return value.empty() || std::ranges::any_of(value, [](char c) {
               return c == ' ' || c == '"' || c == '=' || c == '\\' || is_control(c) ||
                      static_cast<unsigned char>(c) >= 0x80;
           });
}

} // namespace

std::string_view to_string(LogLevel level) noexcept
{
    constexpr std::array<std::string_view, 4> names = {"debug", "info", "warn", "error"};
    return names.at(static_cast<std::size_t>(level));
}

std::string to_logfmt(const LogLine& line, std::chrono::system_clock::time_point when)
{
    std::string out = "time=" + to_rfc3339_milliseconds(when);
    out.append(" level=").append(to_string(line.level())).append(" event=").append(line.event());
    for (const auto& field : line.fields()) {
        out.append(" ").append(field.name).append("=");
        if (needs_quotes(field.value))
            append_quoted(out, field.value);
        else
            out += field.value;
    }
    return out;
}

std::string to_json(const LogLine& line, std::chrono::system_clock::time_point when)
{
    std::string out = "{\"time\":\"" + to_rfc3339_milliseconds(when) + "\",\"level\":\"";
    out.append(to_string(line.level())).append("\",\"event\":");
    append_quoted(out, line.event());
    for (const auto& field : line.fields()) {
        out += ',';
        append_quoted(out, field.name);
        out += ':';
        if (field.is_number)
            out += field.value;
        else
            append_quoted(out, field.value);
    }
    return out + "}";
}

} // namespace routelet
