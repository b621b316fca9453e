#pragma once
#include "base/ip.h"
#include "base/result.h"
#include "k8sclient/config.h"

#include <filesystem>
#include <string>
#include <vector>

namespace routelet::controller {

// Where the command line says that the API server is.
struct ApiServerOptions {
    std::filesystem::path kubeconfig; // empty: KUBECONFIG, else in-cluster
    std::string context;
    std::vector<std::string> apiservers; // each "host:port"; empty: the configured one
};

// Fails where nothing of that is there, or does not parse.
Result<k8s::ClusterConfig> load_cluster(const ApiServerOptions& options);

// Those known by address: no Node can be let have one of them, since nothing would mend that.
std::vector<IpAddress> addresses_of(const k8s::ClusterConfig& cluster);

// For who only looks: where no API server is configured, there are none. Fails as load_cluster() does for a
// kubeconfig that was named, and for apiservers.
Result<std::vector<IpAddress>> find_api_servers(const ApiServerOptions& options);

} // namespace routelet::controller
