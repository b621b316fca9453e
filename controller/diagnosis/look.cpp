#include "controller/diagnosis/look.h"

#include "base/join.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace routelet::controller {

namespace {

Painter::Colour colour_of(Look::Outcome outcome)
{
    using Colour = Painter::Colour;
    if (outcome == Look::Outcome::good)
        return Colour::good;
    return outcome == Look::Outcome::broken ? Colour::bad : Colour::warning;
}

} // namespace

std::string_view to_string(Look::Outcome outcome) noexcept
{
    constexpr std::array<std::string_view, 3> names = {"good", "broken", "unknown"};
    return names[static_cast<std::size_t>(outcome)];
}

bool has_broken(const std::vector<Look>& looks)
{
    return std::ranges::find(looks, Look::Outcome::broken, &Look::outcome) != looks.end();
}

std::string to_text(const std::vector<Look>& looks, const Painter& painter)
{
    constexpr std::size_t outcome_width = 9;
    std::size_t what_width = 0;
    for (const Look& look : looks)
        what_width = std::max(what_width, look.what.size() + 2);
    std::string text;
    for (const Look& look : looks) {
        const std::string_view outcome = to_string(look.outcome);
        const std::string painted = painter.paint(outcome, colour_of(look.outcome)) +
                                    std::string(outcome_width - outcome.size(), ' ');
        std::string what = look.what;
        what.resize(what_width, ' ');
        text += "  " + painted + what + (look.code.empty() ? "" : look.code + ": ") + look.detail + "\n";
        if (!look.remedy.empty())
            text += "  " + std::string(outcome_width + what_width, ' ') + "to do: " + look.remedy + "\n";
    }
    return text;
}

std::string broken_parts(const std::vector<Look>& looks)
{
    std::vector<std::string> parts;
    for (const Look& look : looks)
        if (look.outcome == Look::Outcome::broken && std::ranges::find(parts, look.what) == parts.end())
            parts.push_back(look.what);
    return joined(parts);
}

std::string to_json(const std::vector<Look>& looks)
{
    using json = nlohmann::ordered_json;
    json all = json::array();
    for (const Look& look : looks) {
        json one = {{"what", look.what}, {"outcome", to_string(look.outcome)}, {"detail", look.detail}};
        if (!look.remedy.empty())
            one["remedy"] = look.remedy;
        if (!look.code.empty())
            one["code"] = look.code;
        all.push_back(std::move(one));
    }
    return all.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

} // namespace routelet::controller
