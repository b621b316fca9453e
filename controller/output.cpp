#include "controller/output.h"

#include <nlohmann/json.hpp>
#include <yaml-cpp/yaml.h>

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

namespace routelet::controller {
namespace {

using json = nlohmann::ordered_json;

// Texts are in quotes, so that none is read as a number, a boolean or a time.
void write(YAML::Emitter& out, const json& value)
{
    if (value.is_object()) {
        out << (value.empty() ? YAML::Flow : YAML::Block) << YAML::BeginMap;
        for (const auto& [key, member] : value.items()) {
            out << YAML::Key << key << YAML::Value;
            write(out, member);
        }
        out << YAML::EndMap;
    } else if (value.is_array()) {
        out << (value.empty() ? YAML::Flow : YAML::Block) << YAML::BeginSeq;
        for (const json& element : value)
            write(out, element);
        out << YAML::EndSeq;
    } else if (value.is_string()) {
        out << YAML::DoubleQuoted << value.get<std::string>();
    } else if (value.is_null()) {
        out << YAML::Null;
    } else {
        out << value.dump();
    }
}

} // namespace

std::string Painter::paint(std::string_view text, Colour colour) const
{
    constexpr std::array<std::string_view, 4> codes = {"", "\x1b[32m", "\x1b[33m", "\x1b[31m"};
    const std::string_view code = codes.at(static_cast<std::size_t>(colour));
    if (!is_on_ || code.empty())
        return std::string(text);
    return std::string(code) + std::string(text) + "\x1b[0m";
}

bool wants_colours(int fd)
{
    const auto is_set = [](const char* name) {
        const char* value = std::getenv(name);
        return value != nullptr && *value != '\0';
    };
    const char* terminal = std::getenv("TERM");
    const bool is_dumb = terminal == nullptr || std::string_view(terminal) == "dumb";
    return ::isatty(fd) == 1 && !is_set("NO_COLOR") && !is_dumb;
}

bool wait_while_read(int fd, std::chrono::milliseconds time)
{
    pollfd one{.fd = fd, .events = 0, .revents = 0};
    return ::poll(&one, 1, static_cast<int>(time.count())) <= 0; // an error or a hang-up is told unasked
}

std::string formatted(const std::string& json, const std::string& text, OutputOptions::Format format)
{
    if (format == OutputOptions::Format::json)
        return json;
    return format == OutputOptions::Format::yaml ? to_yaml(json) : text;
}

std::string to_yaml(const std::string& text)
{
    YAML::Emitter out;
    write(out, json::parse(text));
    return std::string(out.c_str()) + "\n";
}

} // namespace routelet::controller
