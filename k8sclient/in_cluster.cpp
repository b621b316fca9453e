#include "k8sclient/config.h"
#include "k8sclient/credentials.h"
#include "k8sclient/server_url.h"

#include <cstdlib>

namespace routelet::k8s {
namespace {

std::string environment(const char* name)
{
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

} // namespace

Result<ClusterConfig> load_in_cluster(const std::filesystem::path& directory)
{
    const std::string host = environment("KUBERNETES_SERVICE_HOST");
    const std::string port = environment("KUBERNETES_SERVICE_PORT");
    if (host.empty() || port.empty())
        return make_error(boost::system::errc::invalid_argument,
                          std::string("not in a pod: ") +
                              (host.empty() ? "KUBERNETES_SERVICE_HOST" : "KUBERNETES_SERVICE_PORT") +
                              " is not set");

    const bool is_v6 = host.find(':') != std::string::npos;
    auto url = parse_server_url((is_v6 ? "[" + host + "]" : host) + ":" + port);
    if (!url)
        return url.error().within("KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT");

    ClusterConfig config;
    config.host = std::move(url->endpoint.host);
    config.port = url->endpoint.port;
    config.origin = "service account in " + directory.string();
    config.ca.file = directory / "ca.crt";
    config.token_file = directory / "token";

    const std::string remedy = config.origin + " (is automountServiceAccountToken off?)";
    auto token = read_token_file(config.token_file);
    if (!token)
        return token.error().within(remedy);
    config.token = std::move(*token);
    const auto ca = read_pem(config.ca, "CA");
    if (!ca)
        return ca.error().within(remedy);
    if (auto usable = check_has_certificate(*ca, config.ca, "CA"); !usable)
        return usable.error().within(remedy);
    return config;
}

} // namespace routelet::k8s
