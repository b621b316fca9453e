#include "test/lab/request.h"

#include "test/lab/text.h"

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
