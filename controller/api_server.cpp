#include "controller/api_server.h"

namespace routelet::controller {
namespace {

Result<k8s::ClusterConfig> with_servers(Result<k8s::ClusterConfig> cluster,
                                        const std::vector<std::string>& servers)
{
    if (cluster && !servers.empty())
        if (auto set = k8s::override_servers(*cluster, servers); !set)
            return set.error();
    return cluster;
}

} // namespace

Result<k8s::ClusterConfig> load_cluster(const ApiServerOptions& options)
{
    return with_servers(k8s::load_config(options.kubeconfig, options.context), options.apiservers);
}

std::vector<IpAddress> addresses_of(const k8s::ClusterConfig& cluster)
{
    std::vector<IpAddress> addresses;
    for (const k8s::Endpoint& server : cluster.servers())
        if (const auto address = IpAddress::parse(server.host))
            addresses.push_back(*address);
    return addresses;
}

Result<std::vector<IpAddress>> find_api_servers(const ApiServerOptions& options)
{
    Result<k8s::ClusterConfig> cluster = k8s::load_config(options.kubeconfig, options.context);
    if (!cluster && options.kubeconfig.empty())
        cluster = k8s::ClusterConfig{};
    cluster = with_servers(std::move(cluster), options.apiservers);
    if (!cluster)
        return cluster.error();
    return addresses_of(*cluster);
}

} // namespace routelet::controller
