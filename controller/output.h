#pragma once
#include <chrono>
#include <string>
#include <string_view>

namespace routelet::controller {

// How a command that asks prints what it has found.
struct OutputOptions {
    enum class Format {
        text,
        wide, // text with more columns, where there is a table
        name, // text of names only, where there is such a table
        json,
        yaml,
    };
    Format format = Format::text;
    bool colours = false; // in text
};

// What good and bad look like on a terminal (ECMA-48, SGR). Off, it leaves texts as they are.
class Painter {
public:
    enum class Colour { none, good, warning, bad };

    explicit Painter(bool is_on = false) : is_on_(is_on) {}
    std::string paint(std::string_view text, Colour colour) const;

private:
    bool is_on_;
};

// Whether the file is a terminal, and its user has not asked for no colours (https://no-color.org).
bool wants_colours(int fd);

// Waits for that long, or until nobody is left who reads the pipe, or terminal. Whether somebody is.
bool wait_while_read(int fd, std::chrono::milliseconds time);

// What is to be printed, of the two that there are.
std::string formatted(const std::string& json, const std::string& text, OutputOptions::Format format);

// One JSON document as YAML 1.2. Fails with std::exception where it is none.
std::string to_yaml(const std::string& json);

} // namespace routelet::controller
