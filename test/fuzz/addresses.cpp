// The texts that name servers and proxies, one a line: a server, a proxy, NO_PROXY.
#include "k8sclient/config.h"
#include "k8sclient/server_url.h"
#include "test/fuzz/target.h"

#include <algorithm>

namespace {

using namespace routelet;
using fuzz::require;

std::string_view take_line(std::string_view& text)
{
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return line;
}

void check_server(std::string_view text, const k8s::NoProxy& except)
{
    const auto url = k8s::parse_server_url(text);
    if (!url) {
        require(!url.error().text().empty(), "a failure says why");
        return;
    }
    k8s::ClusterConfig config;
    config.host = url->endpoint.host;
    config.port = url->endpoint.port;
    config.path_prefix = url->path_prefix;
    require(!config.host.empty() && config.port != 0, "a server has a host and a port");
    require(std::ranges::all_of(config.host + config.path_prefix, [](char c) { return c > ' ' && c < 0x7f; }),
            "host and path can stand in an HTTP header");
    require(config.path_prefix.empty() ||
                (config.path_prefix.front() == '/' && config.path_prefix.back() != '/'),
            "a path begins with a slash and ends with none");

    const auto again = k8s::parse_server_url(config.url());
    require(again && again->endpoint == url->endpoint && again->path_prefix == url->path_prefix,
            "what is printed is read as the same");

    (void)except.covers(config.host, config.port); // whatever it says: no crash
    const bool is_plain = std::ranges::all_of(
        config.host, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); });
    require(!is_plain || k8s::NoProxy(config.host).covers(config.host, config.port),
            "NO_PROXY with a name covers that name");

    k8s::ClusterConfig overridden;
    overridden.host = "kubernetes.default.svc";
    const bool is_overridden = k8s::override_servers(overridden, {std::string(text)}).has_value();
    require(is_overridden == config.path_prefix.empty(), "only a path is in the way of another server");
    require(!is_overridden || (overridden.host == config.host && overridden.endpoints.size() == 1 &&
                               overridden.tls_server_name == "kubernetes.default.svc"),
            "another server is checked against the configured name");
}

void check_proxy(std::string_view text)
{
    const auto proxy = k8s::parse_proxy_url(text);
    if (!proxy) {
        require(proxy.error().text().find(fuzz::secret_mark) == std::string::npos,
                "no text of a proxy's address is in an error");
        return;
    }
    require(!proxy->host.empty() && proxy->port != 0, "a proxy has a host and a port");
    require(proxy->user.size() <= 255 && proxy->password.reveal().size() <= 255 &&
                proxy->user.find(':') == std::string::npos,
            "user and password can be said to a proxy");
    const auto again = k8s::parse_proxy_url(proxy->url());
    require(again && again->kind == proxy->kind && again->host == proxy->host && again->port == proxy->port,
            "what is printed is read as the same");
    require(again->user.empty() && again->password.empty(), "neither user nor password is printed");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    std::string_view text = fuzz::text_of(data, size);
    const std::string_view server = take_line(text);
    const std::string_view proxy = take_line(text);
    check_server(server, k8s::NoProxy(text));
    check_proxy(proxy);
    return 0;
}
