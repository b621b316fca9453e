#include "controller/exposition.h"

#include "base/join.h"

#include <charconv>
#include <cmath>

namespace routelet::controller {
namespace {

// Without an exponent, as people and other programs write it, unless it is very large.
std::string text_of(double value)
{
    constexpr double very_large = 1e15;
    std::array<char, 32> text{};
    const auto format =
        std::abs(value) < very_large ? std::chars_format::fixed : std::chars_format::scientific;
    const auto end = std::to_chars(text.data(), text.data() + text.size(), value, format).ptr;
    return {text.data(), end};
}

// In a label's value a quote is escaped as well; in help texts there is none.
std::string escaped(std::string_view text)
{
    std::string safe;
    for (const char c : text) {
        if (c == '\n') {
            safe += "\\n";
            continue;
        }
        if (c == '\\' || c == '"')
            safe += '\\';
        safe += c;
    }
    return safe;
}

} // namespace

void Histogram::observe(double seconds, std::uint64_t times) noexcept
{
    for (std::size_t i = 0; i < bounds.size(); ++i)
        if (seconds <= bounds[i])
            up_to_[i] += times;
    count_ += times;
    sum_ += seconds * static_cast<double>(times);
}

void Exposition::begin(std::string_view name, std::string_view help, std::string_view type)
{
    name_ = name;
    text_ +=
        "# HELP " + name_ + " " + std::string(help) + "\n# TYPE " + name_ + " " + std::string(type) + "\n";
}

void Exposition::line(std::string_view suffix, Labels labels, std::string_view bound, double value)
{
    text_ += name_ + std::string(suffix);
    std::string inside;
    for (const auto& [name, content] : labels)
        append_item(inside, std::string(name) + "=\"" + escaped(content) + "\"", ",");
    if (!bound.empty())
        append_item(inside, "le=\"" + std::string(bound) + "\"", ",");
    if (!inside.empty())
        text_ += "{" + inside + "}";
    text_ += " " + text_of(value) + "\n";
}

void Exposition::sample(double value, Labels labels)
{
    line("", labels, "", value);
}

void Exposition::sample(const Histogram& histogram, Labels labels)
{
    for (std::size_t i = 0; i < Histogram::bounds.size(); ++i)
        line("_bucket", labels, text_of(Histogram::bounds[i]), static_cast<double>(histogram.up_to(i)));
    line("_bucket", labels, "+Inf", static_cast<double>(histogram.count()));
    line("_sum", labels, "", histogram.sum());
    line("_count", labels, "", static_cast<double>(histogram.count()));
}

} // namespace routelet::controller
