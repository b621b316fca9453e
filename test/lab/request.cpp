#include "test/lab/request.h"

#include "test/lab/refusal.h"

#include <charconv>

namespace routelet::lab {
namespace {

std::string decoded(std::string_view text, bool is_query)
{
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        unsigned char byte = 0;
        const char* hex = text.data() + i + 1;
        if (text[i] == '%' && i + 2 < text.size() && std::from_chars(hex, hex + 2, byte, 16).ptr == hex + 2) {
            plain += static_cast<char>(byte);
            i += 2;
        } else {
            plain += is_query && text[i] == '+' ? ' ' : text[i];
        }
    }
    return plain;
}

std::vector<std::string_view> split(std::string_view text, char separator)
{
    std::vector<std::string_view> parts;
    for (;;) {
        const auto at = text.find(separator);
        parts.push_back(text.substr(0, at));
        if (at == std::string_view::npos)
            return parts;
        text.remove_prefix(at + 1);
    }
}

std::string_view trimmed(std::string_view text)
{
    while (text.starts_with(' '))
        text.remove_prefix(1);
    while (text.ends_with(' '))
        text.remove_suffix(1);
    return text;
}

// One member of an Accept list: "application/json;as=Table;v=v1;g=meta.k8s.io".
std::optional<Form> form_of(std::string_view accepted)
{
    const auto parts = split(accepted, ';');
    const std::string_view type = trimmed(parts.front());
    if (type != "application/json" && type != "application/*" && type != "*/*")
        return std::nullopt;

    bool is_table = false;
    bool is_v1 = false;
    for (const std::string_view part : parts) {
        const std::string_view parameter = trimmed(part);
        if (parameter == "as=Table")
            is_table = true;
        else if (parameter.starts_with("as="))
            return std::nullopt; // PartialObjectMetadata, APIGroupDiscoveryList
        is_v1 = is_v1 || parameter == "v=v1";
    }
    if (is_table)
        return is_v1 ? std::optional(Form::table) : std::nullopt;
    return Form::plain;
}

} // namespace

std::string Request::option(const std::string& name) const
{
    const auto found = query.find(name);
    return found == query.end() ? std::string() : found->second;
}

bool Request::flag(const std::string& name) const
{
    const std::string value = option(name);
    return value == "true" || value == "1";
}

Form negotiate(std::string_view accept)
{
    if (trimmed(accept).empty())
        return Form::plain;
    for (const std::string_view accepted : split(accept, ','))
        if (const auto form = form_of(accepted))
            return *form;
    throw Refusal(406, "NotAcceptable", "only the following media types are accepted: application/json");
}

void set_target(Request& request, std::string target)
{
    request.target = std::move(target);
    const std::string_view text = request.target;
    const auto question = text.find('?');
    for (const std::string_view segment : split(text.substr(0, question), '/'))
        if (!segment.empty())
            request.path.push_back(decoded(segment, false));
    if (question == std::string_view::npos)
        return;
    for (const std::string_view pair : split(text.substr(question + 1), '&')) {
        const auto equals = pair.find('=');
        const std::string_view value =
            equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
        request.query.emplace(decoded(pair.substr(0, equals), true), decoded(value, true));
    }
}

} // namespace routelet::lab
