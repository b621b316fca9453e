#pragma once
#include "controller/output.h"

#include <string>
#include <string_view>
#include <vector>

namespace routelet::controller {

// What looking at one thing found, for `routelet explain` and `routelet doctor`.
struct Look {
    // unknown: it could not be told, or may be meant so.
    enum class Outcome { good, broken, unknown };

    std::string what; // "route"; docs/troubleshooting.md has them all
    Outcome outcome = Outcome::good;
    std::string detail;   // the values
    std::string remedy{}; // broken: one sentence
    std::string code{};   // broken: the finding's, where there is one of that name

    friend bool operator==(const Look&, const Look&) = default;
};

std::string_view to_string(Look::Outcome outcome) noexcept; // "good"

bool has_broken(const std::vector<Look>& looks);

// A line for each, indented by two, and what to do below those that are broken.
std::string to_text(const std::vector<Look>& looks, const Painter& painter = Painter());
// What is broken, each once: "route, way"; empty when nothing is.
std::string broken_parts(const std::vector<Look>& looks);
// A list of {what, outcome, detail, remedy, code}, the last two where they are.
std::string to_json(const std::vector<Look>& looks);

} // namespace routelet::controller
