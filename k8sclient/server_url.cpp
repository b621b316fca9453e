#include "k8sclient/server_url.h"

#include <algorithm>
#include <charconv>

namespace routelet::k8s {
namespace {

constexpr std::string_view https = "https://";

Error bad(std::string_view why)
{
    return make_error(boost::system::errc::invalid_argument, std::string(why));
}

Error bad_url(std::string_view text, std::string_view why)
{
    return bad("server \"" + std::string(text) + "\": " + std::string(why));
}

bool is_host_character(char c)
{
    return c > ' ' && c < 0x7f && std::string_view("\"<>\\^`{|}@[]").find(c) == std::string_view::npos;
}

// Splits "[v6]:port", "host:port", "[v6]" or "host" and removes the brackets.
struct HostPort {
    std::string_view host;
    std::string_view port; // empty if absent
    bool well_formed = true;
};

HostPort split_host_port(std::string_view authority)
{
    if (authority.starts_with('[')) {
        const std::size_t end = authority.find(']');
        if (end == std::string_view::npos)
            return {{}, {}, false};
        const std::string_view rest = authority.substr(end + 1);
        const std::string_view host = authority.substr(1, end - 1);
        const bool well_formed = host.find(':') != std::string_view::npos &&
                                 (rest.empty() || (rest.starts_with(':') && rest.size() > 1));
        return {host, rest.empty() ? rest : rest.substr(1), well_formed};
    }
    const std::size_t colon = authority.find(':');
    if (colon == std::string_view::npos)
        return {authority, {}, true};
    const std::string_view port = authority.substr(colon + 1);
    return {authority.substr(0, colon), port, !port.empty()};
}

} // namespace

Result<Endpoint> parse_host_port(std::string_view text, std::uint16_t default_port)
{
    const HostPort split = split_host_port(text);
    if (std::ranges::count(text, ':') > 1 && !text.starts_with('['))
        return bad("an IPv6 address is written in brackets: https://[fd00::1]:6443");
    if (!split.well_formed || split.host.empty())
        return bad("it should read https://HOST:PORT");
    if (!std::ranges::all_of(split.host, is_host_character))
        return bad("the host holds a character that no host name has");

    Endpoint endpoint{std::string(split.host), default_port};
    if (split.port.empty())
        return endpoint;
    const auto [end, code] =
        std::from_chars(split.port.data(), split.port.data() + split.port.size(), endpoint.port);
    if (code != std::errc() || end != split.port.data() + split.port.size() || endpoint.port == 0)
        return bad("the port should be a number from 1 to 65535");
    return endpoint;
}

Result<ServerUrl> parse_server_url(std::string_view text)
{
    if (text.find('@') != std::string_view::npos) // without the text: it holds a password
        return bad(
            "server: a user name or password in the address is not supported: write https://HOST:PORT");
    std::string_view rest = text;
    if (rest.starts_with("http://"))
        return bad_url(text, "plain http is not supported, since it would show the credentials: use https");
    if (rest.starts_with(https))
        rest.remove_prefix(https.size());
    else if (rest.find("://") != std::string_view::npos)
        return bad_url(text, "only https is supported");

    const std::size_t slash = std::min(rest.find('/'), rest.size());
    const std::string_view authority = rest.substr(0, slash);
    std::string_view prefix = rest.substr(slash);
    while (prefix.ends_with('/'))
        prefix.remove_suffix(1);
    if (rest.find_first_of("?#") != std::string_view::npos)
        return bad_url(text, "a query or fragment has no meaning here");
    if (!std::ranges::all_of(prefix, is_host_character))
        return bad_url(text, "the path holds a character that must be escaped");

    auto endpoint = parse_host_port(authority, 443);
    if (!endpoint)
        return bad_url(text, endpoint.error().context);
    return ServerUrl{std::move(*endpoint), std::string(prefix)};
}

std::string join_host_port(std::string_view host, std::uint16_t port)
{
    const bool is_v6 = host.find(':') != std::string_view::npos;
    return (is_v6 ? "[" + std::string(host) + "]" : std::string(host)) + ":" + std::to_string(port);
}

} // namespace routelet::k8s
