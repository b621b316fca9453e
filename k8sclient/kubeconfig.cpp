#include "base/file.h"
#include "k8sclient/config.h"
#include "k8sclient/credentials.h"
#include "k8sclient/server_url.h"

#include <yaml-cpp/yaml.h>

#include <optional>

namespace routelet::k8s {
namespace {

constexpr std::size_t size_limit = 8U << 20U; // bytes

Error bad_config(std::string why)
{
    return make_error(boost::system::errc::invalid_argument, std::move(why));
}

// The file, parsed, and where relative names in it start.
struct Kubeconfig {
    YAML::Node root;
    std::filesystem::path directory;
};

std::string in_quotes(std::string_view name)
{
    return "\"" + std::string(name) + "\"";
}

bool has(const YAML::Node& map, const char* key)
{
    return map[key] && !map[key].IsNull();
}

// Thrown as yaml-cpp throws what it does not like, for read_kubeconfig to report with the line.
[[noreturn]] void refuse_type(const YAML::Node& value, const std::string& name, const char* expected)
{
    throw YAML::Exception(value.Mark(), name + " should be " + expected);
}

// The text of member `key`; empty when it is absent or null.
std::string text_of(const YAML::Node& map, const char* key)
{
    if (!has(map, key))
        return "";
    const YAML::Node value = map[key];
    if (!value.IsScalar())
        refuse_type(value, key, "a text");
    return value.Scalar();
}

bool is_true(const YAML::Node& map, const char* key)
{
    bool value = false;
    if (has(map, key) && !YAML::convert<bool>::decode(map[key], value))
        refuse_type(map[key], key, "true or false");
    return value;
}

// The entries of a list; none when it is absent or null.
YAML::Node entries_of(const YAML::Node& root, const char* list)
{
    if (!has(root, list))
        return YAML::Node(YAML::NodeType::Sequence);
    const YAML::Node entries = root[list];
    if (!entries.IsSequence())
        refuse_type(entries, list, "a list");
    return entries;
}

// For a message about a name that is not there: "its contexts: "a", "b"".
std::string names_in(const YAML::Node& root, const char* list)
{
    std::string names;
    for (const YAML::Node& entry : entries_of(root, list))
        if (entry.IsMap())
            names += (names.empty() ? "" : ", ") + in_quotes(text_of(entry, "name"));
    return "its " + std::string(list) + ": " + (names.empty() ? "none" : names);
}

// The map called `kind` of the entry called `name` in the list `list`: clusters, users and contexts all look
// like [{name: NAME, cluster: {...}}].
std::optional<YAML::Node> find_entry(const YAML::Node& root, const char* list, const char* kind,
                                     std::string_view name)
{
    for (const YAML::Node& entry : entries_of(root, list)) {
        if (!entry.IsMap() || text_of(entry, "name") != name)
            continue;
        if (!has(entry, kind))
            return YAML::Node(YAML::NodeType::Map);
        if (!entry[kind].IsMap())
            refuse_type(entry[kind], kind, "a map");
        return entry[kind];
    }
    return std::nullopt;
}

std::filesystem::path file_of(const Kubeconfig& file, const YAML::Node& map, const char* key)
{
    const std::string name = text_of(map, key);
    return name.empty() ? std::filesystem::path() : file.directory / name; // an absolute name stays as it is
}

// `key` names a file, `key`-data is its content in base64 and wins.
Result<PemSource> pem_of(const Kubeconfig& file, const YAML::Node& map, const std::string& key)
{
    PemSource source;
    source.file = file_of(file, map, key.c_str());
    const std::string data = text_of(map, (key + "-data").c_str());
    if (data.empty())
        return source;
    auto pem = decode_base64(data);
    if (!pem)
        return pem.error().within(key + "-data");
    if (pem->empty()) // would read as absent, and an absent CA means the system's roots
        return bad_config(key + "-data: it is empty");
    source.inline_pem = std::move(*pem);
    return source;
}

Result<> read_ca(const Kubeconfig& file, const YAML::Node& cluster, ClusterConfig& config)
{
    auto ca = pem_of(file, cluster, "certificate-authority");
    if (!ca)
        return ca.error();
    config.ca = std::move(*ca);
    config.skip_tls_verify = is_true(cluster, "insecure-skip-tls-verify");
    if (config.ca.empty())
        return {};
    if (config.skip_tls_verify)
        return bad_config("certificate-authority together with insecure-skip-tls-verify: remove one of them");
    const auto pem = read_pem(config.ca, "certificate-authority");
    if (!pem)
        return pem.error();
    return check_has_certificate(*pem, config.ca, "certificate-authority");
}

Result<> read_cluster(const Kubeconfig& file, const YAML::Node& cluster, ClusterConfig& config)
{
    const std::string server = text_of(cluster, "server");
    if (server.empty())
        return bad_config("it has no server: add \"server: https://HOST:6443\"");
    auto url = parse_server_url(server);
    if (!url)
        return url.error();
    if (has(cluster, "proxy-url"))
        return bad_config("proxy-url is not supported: the server must be reachable directly, "
                          "remove proxy-url or use another server address");
    config.host = std::move(url->host);
    config.port = url->port;
    config.path_prefix = std::move(url->path_prefix);
    config.tls_server_name = text_of(cluster, "tls-server-name");
    return read_ca(file, cluster, config);
}

// What real kubeconfigs hold and Routelet cannot use, each with the way out.
Result<> refuse_unsupported(const YAML::Node& user)
{
    const std::string instead = " is not supported: use a service account's token or tokenFile, or a client "
                                "certificate";
    if (has(user, "exec"))
        return bad_config("exec (a credential plugin)" + instead);
    if (has(user, "auth-provider"))
        return bad_config("auth-provider" + instead);
    if (has(user, "username") || has(user, "password"))
        return bad_config("username and password" + instead);
    for (const char* key : {"as", "as-uid", "as-groups", "as-user-extra"})
        if (has(user, key))
            return bad_config("impersonation (" + std::string(key) + ") is not supported: remove it");
    return {};
}

Result<> read_token(const Kubeconfig& file, const YAML::Node& user, ClusterConfig& config)
{
    config.token_file = file_of(file, user, "tokenFile");
    if (!config.token_file.empty()) {
        auto token = read_token_file(config.token_file);
        if (!token)
            return token.error();
        config.token = std::move(*token);
        return {};
    }
    const std::string text = text_of(user, "token");
    if (text.empty())
        return {};
    auto token = parse_token(text, "token");
    if (!token)
        return token.error();
    config.token = std::move(*token);
    return {};
}

Result<> read_client_certificate(const Kubeconfig& file, const YAML::Node& user, ClusterConfig& config)
{
    auto certificate = pem_of(file, user, "client-certificate");
    if (!certificate)
        return certificate.error();
    auto key = pem_of(file, user, "client-key");
    if (!key)
        return key.error();
    if (certificate->empty() && key->empty())
        return {};
    if (certificate->empty() || key->empty())
        return bad_config(certificate->empty() ? "client-key without client-certificate: give both or none"
                                               : "client-certificate without client-key: give both or none");

    config.client_certificate = std::move(*certificate);
    config.client_key = std::move(*key);
    const auto certificate_pem = read_pem(config.client_certificate, "client-certificate");
    if (!certificate_pem)
        return certificate_pem.error();
    const auto key_pem = read_pem(config.client_key, "client-key");
    if (!key_pem)
        return key_pem.error();
    if (auto usable =
            check_has_certificate(*certificate_pem, config.client_certificate, "client-certificate");
        !usable)
        return usable;
    return check_has_private_key(*key_pem, config.client_key);
}

Result<> read_user(const Kubeconfig& file, const YAML::Node& user, ClusterConfig& config)
{
    if (auto supported = refuse_unsupported(user); !supported)
        return supported;
    if (auto read = read_token(file, user, config); !read)
        return read;
    return read_client_certificate(file, user, config);
}

Result<ClusterConfig> read_context(const Kubeconfig& file, std::string context_name)
{
    if (context_name.empty())
        context_name = text_of(file.root, "current-context");
    if (context_name.empty())
        return bad_config("it has no current-context: set one with \"kubectl config use-context\", or give a "
                          "context");
    const auto context = find_entry(file.root, "contexts", "context", context_name);
    if (!context)
        return bad_config("it has no context " + in_quotes(context_name) + "; " +
                          names_in(file.root, "contexts"));

    ClusterConfig config;
    config.origin = "context " + in_quotes(context_name);
    const std::string cluster_name = text_of(*context, "cluster");
    if (cluster_name.empty())
        return bad_config(config.origin + " names no cluster; " + names_in(file.root, "clusters"));
    const auto cluster = find_entry(file.root, "clusters", "cluster", cluster_name);
    if (!cluster)
        return bad_config(config.origin + " names the cluster " + in_quotes(cluster_name) +
                          ", which is not in the file; " + names_in(file.root, "clusters"));
    if (auto read = read_cluster(file, *cluster, config); !read)
        return read.error().within("cluster " + in_quotes(cluster_name));

    const std::string user_name = text_of(*context, "user");
    if (user_name.empty())
        return config; // anonymous
    const auto user = find_entry(file.root, "users", "user", user_name);
    if (!user)
        return bad_config(config.origin + " names the user " + in_quotes(user_name) +
                          ", which is not in the file; " + names_in(file.root, "users"));
    if (auto read = read_user(file, *user, config); !read)
        return read.error().within("user " + in_quotes(user_name));
    return config;
}

Result<ClusterConfig> read_kubeconfig(const std::filesystem::path& path, std::string_view context)
{
    auto text = read_file(path, size_limit);
    if (!text)
        return text.error();
    try {
        const Kubeconfig file{YAML::Load(*text), path.parent_path()};
        if (!file.root.IsMap())
            return bad_config("it is not a kubeconfig: expected a map with clusters, users and contexts");
        return read_context(file, std::string(context));
    } catch (const YAML::Exception& problem) {
        // Behind a colon yaml-cpp quotes from the file, which may be from a secret.
        const std::string what = problem.msg.substr(0, problem.msg.find(": "));
        return bad_config("line " + std::to_string(problem.mark.line + 1) + ": " + what);
    }
}

} // namespace

Result<ClusterConfig> load_kubeconfig(const std::filesystem::path& file, std::string_view context)
{
    const std::string origin = "kubeconfig " + file.string();
    auto config = read_kubeconfig(file, context);
    if (!config)
        return config.error().within(origin);
    config->origin = origin + ", " + config->origin;
    return config;
}

} // namespace routelet::k8s
