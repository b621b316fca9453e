#pragma once
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace routelet::k8s {

// A program that gives credentials, as a kubeconfig's user names it (client.authentication.k8s.io, KEP-541).
struct ExecPlugin {
    std::string api_version; // "client.authentication.k8s.io/v1" or ".../v1beta1": what it must answer with
    std::string command;     // a path, or a name to be looked for in PATH
    std::vector<std::string> arguments;
    std::vector<std::pair<std::string, std::string>> environment; // added to our own
    std::string install_hint;                                     // for people, when the command is missing
    bool provide_cluster_info = false;
    std::string cluster_config; // JSON for the plugin, from the cluster's extension; empty: none
};

} // namespace routelet::k8s
