#pragma once
#include "base/ip.h"
#include "base/result.h"
#include "k8sclient/secret.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace routelet::k8s {

// A proxy that passes TLS on to the API server without looking into it.
struct Proxy {
    enum class Kind {
        http,   // by CONNECT (RFC 9110 section 9.3.6)
        socks5, // RFC 1928
    };
    Kind kind = Kind::http;
    std::string host; // DNS name or address, IPv6 without brackets
    std::uint16_t port = 0;
    std::string user; // empty: the proxy does not ask who we are
    Secret password;

    std::string url() const; // "http://proxy:3128": without user and password
};

// Takes "http://user:password@proxy:3128", user and password percent-encoded, "socks5://" and "socks5h://"
// (both let the proxy look names up), and "proxy:3128" as http. Without a port it is 80 or 1080. Fails with
// invalid_argument; the text never holds user or password.
Result<Proxy> parse_proxy_url(std::string_view text);

// What NO_PROXY names, as Go's golang.org/x/net/http/httpproxy reads it: separated by commas, addresses,
// CIDRs, "example.com" (and all below it), ".example.com" (only what is below it), each but a CIDR with
// ":port" if it is for that port alone, "*" for everything.
class NoProxy {
public:
    NoProxy() = default;
    explicit NoProxy(std::string_view list);

    // Also true for this machine itself, which no proxy can reach.
    bool covers(std::string_view host, std::uint16_t port) const;

private:
    struct Name {
        std::string name; // lower case, without the dot before it
        std::optional<std::uint16_t> port;
        bool is_below_only = false; // not the name itself
    };
    void add(std::string_view entry);
    static Name name_of(std::string_view entry);

    bool everything_ = false;
    std::vector<IpPrefix> prefixes_;
    std::vector<Name> names_;
};

// Which proxy is for which server.
struct ProxyRule {
    std::optional<Proxy> proxy;
    std::optional<NoProxy> except; // none: the proxy is for every server

    // The proxy to reach this server through; null: none.
    const Proxy* for_server(std::string_view host, std::uint16_t port) const;
};

// What HTTPS_PROXY and NO_PROXY, or the same in lower case, say. Fails when HTTPS_PROXY is no proxy.
Result<ProxyRule> proxy_from_environment();

} // namespace routelet::k8s
