#include "k8sclient/config.h"

#include "k8sclient/server_url.h"

#include <cstdlib>

namespace routelet::k8s {
namespace {

// The first file of a KUBECONFIG list that exists; an empty path when none does.
std::filesystem::path first_existing(std::string_view list)
{
    while (!list.empty()) {
        const std::size_t colon = std::min(list.find(':'), list.size());
        const std::filesystem::path file = list.substr(0, colon);
        std::error_code missing;
        if (!file.empty() && std::filesystem::exists(file, missing))
            return file;
        list.remove_prefix(std::min(colon + 1, list.size()));
    }
    return {};
}

} // namespace

std::string ClusterConfig::url() const
{
    return "https://" + join_host_port(host, port) + path_prefix;
}

Result<ClusterConfig> load_config(const std::filesystem::path& kubeconfig_flag, std::string_view context)
{
    if (!kubeconfig_flag.empty())
        return load_kubeconfig(kubeconfig_flag, context);

    const char* list = std::getenv("KUBECONFIG");
    if (list != nullptr && *list != '\0') {
        const std::filesystem::path file = first_existing(list);
        if (file.empty())
            return make_error(boost::system::errc::no_such_file_or_directory,
                              "KUBECONFIG=" + std::string(list) + ": none of these files exists");
        return load_kubeconfig(file, context);
    }
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

Result<> override_server(ClusterConfig& config, std::string_view server)
{
    auto url = parse_server_url(server);
    if (!url)
        return url.error();
    if (!url->path_prefix.empty())
        return make_error(boost::system::errc::invalid_argument,
                          "server \"" + std::string(server) + "\": only host and port can be replaced");
    if (config.tls_server_name.empty())
        config.tls_server_name = config.host;
    config.host = std::move(url->host);
    config.port = url->port;
    config.origin += ", server replaced by " + join_host_port(config.host, config.port);
    return {};
}

} // namespace routelet::k8s
