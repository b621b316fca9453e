#include "k8sclient/config.h"

#include "base/join.h"
#include "k8sclient/server_url.h"

#include <algorithm>
#include <cstdlib>

namespace routelet::k8s {
std::vector<Endpoint> ClusterConfig::servers() const
{
    return endpoints.empty() ? std::vector{Endpoint{host, port}} : endpoints;
}

std::string ClusterConfig::url() const
{
    return "https://" + join_host_port(host, port) + path_prefix;
}

std::string ClusterConfig::urls() const
{
    std::string all;
    for (const Endpoint& one : servers())
        append_item(all, "https://" + join_host_port(one.host, one.port) + path_prefix);
    return all;
}

Result<ClusterConfig> load_config(const std::filesystem::path& kubeconfig_flag, std::string_view context)
{
    if (!kubeconfig_flag.empty())
        return load_kubeconfig(kubeconfig_flag, context);

    const char* list = std::getenv("KUBECONFIG");
    if (list != nullptr && *list != '\0')
        return load_kubeconfig_list(list, context);
    if (!context.empty())
        return make_error(
            boost::system::errc::invalid_argument,
            "context \"" + std::string(context) +
                "\" was asked for, but there is no kubeconfig: give --kubeconfig or KUBECONFIG");
    auto config = load_in_cluster();
    if (!config)
        return config.error().within("neither --kubeconfig nor KUBECONFIG is set, and");
    return config;
}

Result<> override_servers(ClusterConfig& config, const std::vector<std::string>& servers)
{
    std::vector<Endpoint> endpoints;
    std::string names;
    for (const std::string& server : servers) {
        auto url = parse_server_url(server);
        if (!url)
            return url.error();
        if (!url->path_prefix.empty())
            return make_error(boost::system::errc::invalid_argument,
                              "server \"" + server + "\": only host and port can be replaced");
        if (std::ranges::find(endpoints, url->endpoint) != endpoints.end())
            continue;
        append_item(names, join_host_port(url->endpoint.host, url->endpoint.port));
        endpoints.push_back(std::move(url->endpoint));
    }
    if (config.tls_server_name.empty())
        config.tls_server_name = config.host;
    config.host = endpoints.at(0).host;
    config.port = endpoints[0].port;
    config.endpoints = std::move(endpoints);
    config.origin += ", server replaced by " + names;
    return {};
}

} // namespace routelet::k8s
