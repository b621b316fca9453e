#include "k8sclient/proxy.h"

#include "k8sclient/server_url.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

namespace routelet::k8s {
namespace {

// Never with the text: it may hold a password.
Error bad_proxy(std::string_view why)
{
    return make_error(boost::system::errc::invalid_argument, "proxy: " + std::string(why));
}

int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// RFC 3986 section 2.1; nothing for a '%' without two digits.
std::optional<std::string> percent_decoded(std::string_view text)
{
    std::string decoded;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            decoded += text[i];
            continue;
        }
        if (i + 2 >= text.size() || digit_of(text[i + 1]) < 0 || digit_of(text[i + 2]) < 0)
            return std::nullopt;
        decoded += static_cast<char>(digit_of(text[i + 1]) * 16 + digit_of(text[i + 2]));
        i += 2;
    }
    return decoded;
}

Result<> read_user(std::string_view text, Proxy& proxy)
{
    const std::size_t colon = std::min(text.find(':'), text.size());
    auto user = percent_decoded(text.substr(0, colon));
    auto password = percent_decoded(text.substr(std::min(colon + 1, text.size())));
    if (!user || !password)
        return bad_proxy("in user and password % is written as %25");
    // What Basic authentication (RFC 7617) and SOCKS (RFC 1929) can write.
    if (user->find(':') != std::string::npos || user->size() > 255 || password->size() > 255)
        return bad_proxy("the user holds a colon, or user or password is longer than 255 characters");
    proxy.user = std::move(*user);
    proxy.password = Secret(std::move(*password));
    return {};
}

Result<Proxy::Kind> kind_of(std::string_view scheme)
{
    if (scheme == "http")
        return Proxy::Kind::http;
    if (scheme == "socks5" || scheme == "socks5h")
        return Proxy::Kind::socks5;
    return bad_proxy(scheme == "https"
                         ? "a proxy that is spoken to over TLS (https://) is not supported: use its "
                           "http:// port, over which the API server is spoken to by TLS all the same"
                         : "http://HOST:PORT and socks5://HOST:PORT are supported");
}

std::string lower(std::string_view text)
{
    std::string result(text);
    std::ranges::transform(result, result.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return result;
}

std::string_view trimmed(std::string_view text)
{
    const std::size_t begin = std::min(text.find_first_not_of(" \t"), text.size());
    return text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

// As net.ParseCIDR of Go: bits behind the mask do not matter.
std::optional<IpPrefix> parse_network(std::string_view text)
{
    const std::size_t slash = text.find('/');
    if (slash == std::string_view::npos)
        return std::nullopt;
    const auto address = IpAddress::parse(text.substr(0, slash));
    unsigned length = 0;
    const char* last = text.data() + text.size();
    const auto [end, code] = std::from_chars(text.data() + slash + 1, last, length);
    if (!address || code != std::errc() || end != last || length > address->bits())
        return std::nullopt;
    return IpPrefix::of(*address, length);
}

// "10.0.0.1", "[fd00::1]" and "fd00::1" alike.
Result<IpAddress> parse_address(std::string_view text)
{
    if (text.starts_with('[') && text.ends_with(']'))
        text = text.substr(1, text.size() - 2);
    return IpAddress::parse(text.substr(0, text.find('%')));
}

const char* environment(const char* upper, const char* lower)
{
    const char* value = std::getenv(upper);
    return value != nullptr && *value != '\0' ? value : std::getenv(lower);
}

} // namespace

std::string Proxy::url() const
{
    return (kind == Kind::http ? "http://" : "socks5://") + join_host_port(host, port);
}

Result<Proxy> parse_proxy_url(std::string_view text)
{
    const std::size_t mark = text.find("://");
    const std::string scheme = mark == std::string_view::npos ? "http" : lower(text.substr(0, mark));
    const auto kind = kind_of(scheme);
    if (!kind)
        return kind.error();

    Proxy proxy;
    proxy.kind = *kind;
    std::string_view rest = mark == std::string_view::npos ? text : text.substr(mark + 3);
    if (const std::size_t path = rest.find_first_of("/?#"); path != std::string_view::npos) {
        if (rest.substr(path) != "/")
            return bad_proxy("it should read http://HOST:PORT, with no path behind it");
        rest = rest.substr(0, path);
    }
    if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos) {
        if (auto read = read_user(rest.substr(0, at), proxy); !read)
            return read.error();
        rest = rest.substr(at + 1);
    }
    auto endpoint = parse_host_port(rest, *kind == Proxy::Kind::http ? 80 : 1080);
    if (!endpoint)
        return bad_proxy("it should read http://HOST:PORT");
    proxy.host = std::move(endpoint->host);
    proxy.port = endpoint->port;
    return proxy;
}

NoProxy::NoProxy(std::string_view list)
{
    while (!list.empty()) {
        const std::size_t comma = std::min(list.find(','), list.size());
        if (const std::string_view entry = trimmed(list.substr(0, comma)); !entry.empty())
            add(entry);
        list.remove_prefix(std::min(comma + 1, list.size()));
    }
}

void NoProxy::add(std::string_view entry)
{
    if (entry == "*") {
        everything_ = true;
    } else if (const auto prefix = parse_network(entry)) {
        prefixes_.push_back(*prefix);
    } else if (const auto address = parse_address(entry)) {
        prefixes_.push_back(IpPrefix::of(*address, address->bits()));
    } else {
        names_.push_back(name_of(entry));
    }
}

NoProxy::Name NoProxy::name_of(std::string_view entry)
{
    Name name;
    const std::size_t colon = entry.rfind(':');
    std::uint16_t port = 0;
    if (colon != std::string_view::npos &&
        std::from_chars(entry.data() + colon + 1, entry.data() + entry.size(), port).ec == std::errc()) {
        name.port = port;
        entry = entry.substr(0, colon);
    }
    if (const auto address = parse_address(entry)) {
        name.name = address->to_string();
        return name;
    }
    if (entry.starts_with('*'))
        entry.remove_prefix(1);
    name.is_below_only = entry.starts_with('.');
    name.name = lower(entry.substr(name.is_below_only ? 1 : 0));
    return name;
}

bool NoProxy::covers(std::string_view host, std::uint16_t port) const
{
    std::string name = lower(host);
    const auto address = parse_address(name);
    if (everything_ || name == "localhost" || (address && address->is_loopback()))
        return true;
    if (address) {
        name = address->to_string();
        if (std::ranges::any_of(prefixes_, [&](const IpPrefix& prefix) { return prefix.contains(*address); }))
            return true;
    }
    return std::ranges::any_of(names_, [&](const Name& one) {
        const bool is_below = name.size() > one.name.size() && name.ends_with(one.name) &&
                              name[name.size() - one.name.size() - 1] == '.' && !address;
        return (!one.port || *one.port == port) && (is_below || (name == one.name && !one.is_below_only));
    });
}

const Proxy* ProxyRule::for_server(std::string_view host, std::uint16_t port) const
{
    return proxy && !(except && except->covers(host, port)) ? &*proxy : nullptr;
}

Result<ProxyRule> proxy_from_environment()
{
    const char* proxy = environment("HTTPS_PROXY", "https_proxy");
    if (proxy == nullptr || *proxy == '\0')
        return ProxyRule();
    auto parsed = parse_proxy_url(proxy);
    if (!parsed)
        return parsed.error().within("HTTPS_PROXY");
    const char* except = environment("NO_PROXY", "no_proxy");
    return ProxyRule{std::move(*parsed), except == nullptr ? NoProxy() : NoProxy(except)};
}

} // namespace routelet::k8s
