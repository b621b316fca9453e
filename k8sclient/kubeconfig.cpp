#include "base/join.h"
#include "k8sclient/config.h"
#include "k8sclient/credentials.h"
#include "k8sclient/kubeconfig_files.h"
#include "k8sclient/kubeconfig_user.h"
#include "k8sclient/server_url.h"

#include <algorithm>

namespace routelet::k8s {
namespace {

Result<> read_ca(const KubeconfigMap& cluster, ClusterConfig& config)
{
    auto ca = pem_of(cluster, "certificate-authority");
    if (!ca)
        return ca.error();
    config.ca = std::move(*ca);
    config.skip_tls_verify = is_true(cluster.map, "insecure-skip-tls-verify");
    if (config.ca.empty())
        return {};
    if (config.skip_tls_verify)
        return bad_config("certificate-authority together with insecure-skip-tls-verify: remove one of them");
    const auto pem = read_pem(config.ca, "certificate-authority");
    if (!pem)
        return pem.error();
    return check_has_certificate(*pem, config.ca, "certificate-authority");
}

// proxy-url, else the environment's. Its URL is told to nobody: it may hold a password.
Result<> read_proxy(const YAML::Node& cluster, ClusterConfig& config)
{
    const std::string url = text_of(cluster, "proxy-url");
    if (url.empty()) {
        auto rule = proxy_from_environment();
        if (!rule)
            return rule.error();
        config.proxy = std::move(*rule);
        return {};
    }
    auto proxy = parse_proxy_url(url);
    if (!proxy)
        return proxy.error().within("proxy-url");
    config.proxy.proxy = std::move(*proxy);
    return {};
}

Result<> read_cluster(const KubeconfigMap& cluster, ClusterConfig& config)
{
    const std::string server = text_of(cluster.map, "server");
    if (server.empty())
        return bad_config("it has no server: add \"server: https://HOST:6443\"");
    auto url = parse_server_url(server);
    if (!url)
        return url.error();
    config.host = std::move(url->endpoint.host);
    config.port = url->endpoint.port;
    config.path_prefix = std::move(url->path_prefix);
    config.tls_server_name = text_of(cluster.map, "tls-server-name");
    if (auto read = read_proxy(cluster.map, config); !read)
        return read;
    return read_ca(cluster, config);
}

// Which of several files an entry is in.
std::string origin_of(const KubeconfigFiles& files, const KubeconfigMap& entry)
{
    return files.size() == 1 ? "" : " of " + entry.file.string();
}

Result<ClusterConfig> read_context(const KubeconfigFiles& files, std::string context_name)
{
    if (context_name.empty())
        context_name = files.text_of("current-context");
    if (context_name.empty())
        return bad_config("it has no current-context: set one with \"kubectl config use-context\", or give a "
                          "context");
    const auto context = files.find_entry("contexts", "context", context_name);
    if (!context)
        return bad_config("it has no context " + in_quotes(context_name) + "; " + files.names_in("contexts"));

    const std::string where = files.size() == 1 ? "in the file" : "in the files";
    ClusterConfig config;
    config.origin = "context " + in_quotes(context_name);
    const std::string cluster_name = text_of(context->map, "cluster");
    if (cluster_name.empty())
        return bad_config(config.origin + " names no cluster; " + files.names_in("clusters"));
    const auto cluster = files.find_entry("clusters", "cluster", cluster_name);
    if (!cluster)
        return bad_config(config.origin + " names the cluster " + in_quotes(cluster_name) +
                          ", which is not " + where + "; " + files.names_in("clusters"));
    if (auto read = read_cluster(*cluster, config); !read)
        return read.error().within("cluster " + in_quotes(cluster_name) + origin_of(files, *cluster));

    const std::string user_name = text_of(context->map, "user");
    if (user_name.empty())
        return config; // anonymous
    const auto user = files.find_entry("users", "user", user_name);
    if (!user)
        return bad_config(config.origin + " names the user " + in_quotes(user_name) + ", which is not " +
                          where + "; " + files.names_in("users"));
    if (auto read = read_user(*user, *cluster, config); !read)
        return read.error().within("user " + in_quotes(user_name) + origin_of(files, *user));
    return config;
}

// Calls `read`, which may throw what kubeconfig_files.h says.
template <class Read>
auto with_line_of_trouble(Read read) -> decltype(read())
{
    try {
        return read();
    } catch (const YAML::Exception& problem) {
        // Behind a colon yaml-cpp quotes from the file, which may be from a secret.
        const std::string what = problem.msg.substr(0, problem.msg.find(": "));
        return bad_config("line " + std::to_string(problem.mark.line + 1) + ": " + what);
    }
}

Result<ClusterConfig> read_kubeconfigs(const std::vector<std::filesystem::path>& paths,
                                       std::string_view context, const std::string& origin)
{
    KubeconfigFiles files;
    for (const std::filesystem::path& path : paths)
        if (auto added = with_line_of_trouble([&] { return files.add(path); }); !added)
            return added.error().within("kubeconfig " + path.string());
    auto config = with_line_of_trouble([&] { return read_context(files, std::string(context)); });
    if (!config)
        return config.error().within(origin);
    config->origin = origin + ", " + config->origin;
    return config;
}

} // namespace

Result<ClusterConfig> load_kubeconfig(const std::filesystem::path& file, std::string_view context)
{
    return read_kubeconfigs({file}, context, "kubeconfig " + file.string());
}

Result<ClusterConfig> load_kubeconfig_list(std::string_view list, std::string_view context)
{
    std::vector<std::filesystem::path> paths;
    std::string names;
    for (std::string_view rest = list; !rest.empty();) {
        const std::size_t colon = std::min(rest.find(':'), rest.size());
        const std::filesystem::path path = rest.substr(0, colon);
        rest.remove_prefix(std::min(colon + 1, rest.size()));
        std::error_code missing;
        const bool is_new = std::ranges::find(paths, path) == paths.end();
        if (path.empty() || !is_new || !std::filesystem::exists(path, missing))
            continue;
        append_item(names, path.string(), ":");
        paths.push_back(path);
    }
    if (paths.empty())
        return make_error(boost::system::errc::no_such_file_or_directory,
                          "KUBECONFIG=" + std::string(list) + ": none of these files exists");
    return read_kubeconfigs(paths, context, "kubeconfig " + names);
}

} // namespace routelet::k8s
