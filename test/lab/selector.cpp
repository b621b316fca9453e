#include "test/lab/selector.h"

#include "test/lab/refusal.h"

#include <algorithm>

namespace routelet::lab {
namespace {

std::string trimmed(std::string_view text)
{
    const auto first = text.find_first_not_of(' ');
    if (first == std::string_view::npos)
        return {};
    return std::string(text.substr(first, text.find_last_not_of(' ') - first + 1));
}

// The parts between commas that are in no parentheses.
std::vector<std::string> terms_of(std::string_view text)
{
    std::vector<std::string> terms;
    std::string term;
    int depth = 0;
    for (const char letter : text) {
        depth += letter == '(' ? 1 : letter == ')' ? -1 : 0;
        if (letter == ',' && depth == 0)
            terms.push_back(trimmed(std::exchange(term, {})));
        else
            term += letter;
    }
    terms.push_back(trimmed(term));
    std::erase(terms, "");
    return terms;
}

// "metadata.name" of an object; null when absent.
const Json& field(const Json& object, std::string_view dotted)
{
    const Json* here = &object;
    while (!dotted.empty()) {
        const auto dot = dotted.find('.');
        here = &at_path(*here, {dotted.substr(0, dot)});
        dotted = dot == std::string_view::npos ? std::string_view() : dotted.substr(dot + 1);
    }
    return *here;
}

Json as_text(const Json& value)
{
    return value.is_boolean() ? Json(value.get<bool>() ? "true" : "false") : value;
}

} // namespace

Selector Selector::parse(std::string_view labels, std::string_view fields,
                         const std::set<std::string, std::less<>>& known_fields)
{
    Selector selector;
    for (const auto& text : terms_of(labels))
        selector.labels_.push_back(label_term(text));
    for (const auto& text : terms_of(fields)) {
        const auto at = text.find_first_of("=!");
        if (at == std::string::npos)
            throw bad_request("invalid field selector \"" + text + "\"");
        Term term = comparison(text, at);
        if (!known_fields.contains(term.key))
            throw bad_request("field label not supported: " + term.key);
        selector.fields_.push_back(std::move(term));
    }
    return selector;
}

Selector::Term Selector::comparison(std::string_view text, std::size_t at)
{
    const bool differs = text[at] == '!';
    const auto value = text.find_first_not_of("=!", at);
    return {.key = trimmed(text.substr(0, at)),
            .what = differs ? Term::What::not_in : Term::What::in,
            .values = {value == std::string_view::npos ? "" : trimmed(text.substr(value))}};
}

Selector::Term Selector::label_term(std::string_view text)
{
    if (const auto open = text.find('('); open != std::string_view::npos && text.back() == ')') {
        const std::string head = trimmed(text.substr(0, open));
        const auto space = head.rfind(' ');
        const std::string word = space == std::string::npos ? "" : head.substr(space + 1);
        if (word != "in" && word != "notin")
            throw bad_request("unable to parse requirement: " + std::string(text));
        Term term{.key = trimmed(head.substr(0, space)),
                  .what = word == "in" ? Term::What::in : Term::What::not_in,
                  .values = {}};
        for (const auto& value : terms_of(text.substr(open + 1, text.size() - open - 2)))
            term.values.insert(value);
        return term;
    }
    if (text.front() == '!')
        return {.key = trimmed(text.substr(1)), .what = Term::What::absent, .values = {}};
    if (const auto at = text.find_first_of("=!"); at != std::string_view::npos)
        return comparison(text, at);
    if (text.find(' ') != std::string_view::npos)
        throw bad_request("unable to parse requirement: " + std::string(text));
    return {.key = std::string(text), .what = Term::What::exists, .values = {}};
}

bool Selector::Term::accepts(const Json& value) const
{
    const bool among = value.is_string() && values.contains(value.get<std::string>());
    switch (what) {
    case What::in:
        return among;
    case What::not_in:
        return !among;
    case What::exists:
        return !value.is_null();
    case What::absent:
        return value.is_null();
    }
    return false;
}

bool Selector::matches(const Json& object) const
{
    const Json& labels = at_path(object, {"metadata", "labels"});
    return std::ranges::all_of(labels_,
                               [&](const Term& term) { return term.accepts(at_path(labels, {term.key})); }) &&
           std::ranges::all_of(fields_, [&](const Term& term) {
               const Json value = as_text(field(object, term.key));
               // A field that is not set has its zero value: spec.unschedulable=false finds most nodes.
               return term.accepts(value.is_null() ? Json(term.key == "spec.unschedulable" ? "false" : "")
                                                   : value);
           });
}

} // namespace routelet::lab
