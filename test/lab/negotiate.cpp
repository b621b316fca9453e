#include "test/lab/negotiate.h"

#include "test/lab/refusal.h"
#include "test/lab/text.h"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <vector>

namespace routelet::lab {
namespace {

// One member of an Accept list (RFC 9110 section 12.5.1): "application/json;as=Table;v=v1;g=meta.k8s.io".
struct Clause {
    std::string_view type;
    std::string_view subtype;
    double q = 1;
    std::string_view as = {}; // what the object is to be turned into
    std::string_view version = {};
    std::string_view stream = {};
};

std::optional<Clause> clause_of(std::string_view text)
{
    const auto parts = split(text, ';');
    const auto names = split(parts.front(), '/');
    Clause clause{.type = trimmed(names.front()), .subtype = trimmed(names.back())};
    if (names.size() > 2 || (names.size() == 1 && clause.type != "*"))
        return std::nullopt;
    for (const std::string_view part : parts) {
        const auto equals = part.find('=');
        if (equals == std::string_view::npos)
            continue;
        const std::string_view name = trimmed(part.substr(0, equals));
        const std::string_view value = trimmed(part.substr(equals + 1));
        if (name == "q")
            clause.q = std::strtod(std::string(value).c_str(), nullptr);
        else if (name == "as")
            clause.as = value;
        else if (name == "v")
            clause.version = value;
        else if (name == "stream")
            clause.stream = value;
    }
    return clause;
}

std::vector<Clause> clauses_of(std::string_view accept)
{
    std::vector<Clause> clauses;
    for (const std::string_view text : split(accept, ','))
        if (const auto clause = clause_of(text))
            clauses.push_back(*clause);
    const auto rank = [](const Clause& clause) {
        return std::tuple(-clause.q, clause.type == "*", clause.subtype == "*");
    };
    std::ranges::stable_sort(clauses, {}, rank);
    return clauses;
}

// Whether the clause is about this kind of text at all.
bool names(const Clause& clause, std::string_view subtype)
{
    return (clause.type == "application" || clause.type == "*") &&
           (clause.subtype == subtype || clause.subtype == "*");
}

std::optional<Form> form_of(const Clause& clause, Forms offered)
{
    if (!clause.stream.empty() && clause.stream != "watch")
        return std::nullopt;
    if (!clause.as.empty()) { // PartialObjectMetadata, APIGroupDiscoveryList and the like are not on offer
        const bool is_table = clause.as == "Table" && clause.version == "v1" && names(clause, "json");
        return is_table && offered.table ? std::optional(Form::table) : std::nullopt;
    }
    if (names(clause, "json"))
        return Form::json;
    if (names(clause, "vnd.kubernetes.protobuf") && offered.protobuf)
        return Form::protobuf;
    return std::nullopt;
}

std::optional<Form> preferred(std::string_view accept, Forms offered)
{
    if (trimmed(accept).empty())
        return Form::json;
    for (const Clause& clause : clauses_of(accept))
        if (const auto form = form_of(clause, offered))
            return form;
    return std::nullopt;
}

} // namespace

Form negotiate(std::string_view accept, Forms offered)
{
    if (const auto form = preferred(accept, offered))
        return *form;
    throw not_acceptable(offered.protobuf);
}

Form negotiate_status(std::string_view accept)
{
    return preferred(accept, {.table = false, .protobuf = true}).value_or(Form::json);
}

std::string_view content_type(Form form)
{
    return form == Form::protobuf ? "application/vnd.kubernetes.protobuf" : "application/json";
}

std::string_view watch_content_type(Form form)
{
    return form == Form::protobuf ? "application/vnd.kubernetes.protobuf;stream=watch" : "application/json";
}

} // namespace routelet::lab
