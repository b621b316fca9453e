#pragma once
#include "base/result.h"
#include "k8sclient/endpoints.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace routelet::k8s {

// "https://host:port/prefix" in parts; the prefix is without a slash at its end.
struct ServerUrl {
    Endpoint endpoint;
    std::string path_prefix;
};

// Takes "https://[fd00::1]:6443/k8s/clusters/x", and "host:port" as https. Fails with invalid_argument, the
// context saying what is wrong with the text.
Result<ServerUrl> parse_server_url(std::string_view text);

// Takes "host", "host:port", "[fd00::1]" and "[fd00::1]:port". Fails with invalid_argument; the context says
// why, without the text.
Result<Endpoint> parse_host_port(std::string_view text, std::uint16_t default_port);

// "host:port", an IPv6 literal in brackets.
std::string join_host_port(std::string_view host, std::uint16_t port);

} // namespace routelet::k8s
