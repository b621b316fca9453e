#include "k8sclient/kubeconfig_user.h"

#include "k8sclient/credentials.h"
#include "k8sclient/tls.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>

namespace routelet::k8s {
namespace {

constexpr auto plugin_group = "client.authentication.k8s.io/";
constexpr auto plugin_extension = "client.authentication.k8s.io/exec"; // of a cluster

Result<> read_token(const KubeconfigMap& user, ClusterConfig& config)
{
    config.token_file = user.file_of("tokenFile");
    if (!config.token_file.empty()) {
        auto token = read_token_file(config.token_file);
        if (!token)
            return token.error();
        config.token = std::move(*token);
        return {};
    }
    const std::string text = text_of(user.map, "token");
    if (text.empty())
        return {};
    auto token = parse_token(text, "token");
    if (!token)
        return token.error();
    config.token = std::move(*token);
    return {};
}

Result<> read_password(const KubeconfigMap& user, ClusterConfig& config)
{
    config.user = text_of(user.map, "username");
    config.password = Secret(text_of(user.map, "password"));
    if (config.user.empty() && !config.password.empty())
        return bad_config("password without username: give both or none");
    if (config.user.find(':') != std::string::npos)
        return bad_config("username: a colon cannot be written in Basic authentication (RFC 7617)");
    return {};
}

Result<> read_client_certificate(const KubeconfigMap& user, ClusterConfig& config)
{
    auto certificate = pem_of(user, "client-certificate");
    if (!certificate)
        return certificate.error();
    auto key = pem_of(user, "client-key");
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

constexpr int most_levels = 32;
constexpr int most_values = 10'000; // counted where aliases lead: a few lines may make much

// An entry of YAML as JSON, for a credential plugin to read. Numbers and the like stay what they look like.
nlohmann::json json_of(const YAML::Node& node, int& values, int depth = 0)
{
    if (depth > most_levels)
        refuse_type(node, plugin_extension, "less deep");
    if (++values > most_values)
        refuse_type(node, plugin_extension, "smaller");
    if (node.IsMap()) {
        auto object = nlohmann::json::object();
        for (const auto& member : node)
            object[member.first.Scalar()] = json_of(member.second, values, depth + 1);
        return object;
    }
    if (node.IsSequence()) {
        auto list = nlohmann::json::array();
        for (const auto& entry : node)
            list.push_back(json_of(entry, values, depth + 1));
        return list;
    }
    if (!node.IsScalar())
        return nullptr;
    const bool is_quoted = node.Tag() == "!";
    if (bool truth = false; !is_quoted && YAML::convert<bool>::decode(node, truth))
        return truth;
    if (std::int64_t number = 0; !is_quoted && YAML::convert<std::int64_t>::decode(node, number))
        return number;
    if (double number = 0; !is_quoted && YAML::convert<double>::decode(node, number))
        return number;
    return node.Scalar();
}

std::string plugin_config_of(const YAML::Node& cluster)
{
    int values = 0;
    for (const YAML::Node& entry : entries_of(cluster, "extensions"))
        if (entry.IsMap() && text_of(entry, "name") == plugin_extension && has(entry, "extension"))
            return json_of(entry["extension"], values)
                .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    return "";
}

// A terminal to ask somebody at is what an agent never has.
Result<> check_interactive_mode(const ExecPlugin& plugin, const std::string& mode)
{
    if (mode == "Always")
        return bad_config(
            "exec: interactiveMode Always: the plugin wants to ask somebody, and nobody is there");
    if (mode.empty() && plugin.api_version == std::string(plugin_group) + "v1")
        return bad_config("exec: apiVersion " + plugin.api_version +
                          " needs interactiveMode: write Never or IfAvailable");
    if (!mode.empty() && mode != "Never" && mode != "IfAvailable")
        return bad_config("exec: interactiveMode should be Never, IfAvailable or Always");
    return {};
}

Result<> read_plugin(const KubeconfigMap& user, const KubeconfigMap& cluster, ClusterConfig& config)
{
    if (!has(user.map, "exec"))
        return {};
    const KubeconfigMap exec{user.map["exec"], user.file};
    if (!exec.map.IsMap())
        refuse_type(exec.map, "exec", "a map");
    ExecPlugin plugin;
    plugin.api_version = text_of(exec.map, "apiVersion");
    if (plugin.api_version != std::string(plugin_group) + "v1" &&
        plugin.api_version != std::string(plugin_group) + "v1beta1")
        return bad_config("exec: apiVersion should be client.authentication.k8s.io/v1 or .../v1beta1; update "
                          "the plugin and its entry");
    plugin.command = text_of(exec.map, "command");
    if (plugin.command.empty())
        return bad_config("exec: it has no command");
    if (plugin.command.find('/') != std::string::npos)
        plugin.command = exec.file_of("command").string();
    for (const YAML::Node& argument : entries_of(exec.map, "args")) {
        if (!argument.IsScalar())
            refuse_type(argument, "args", "a list of texts");
        plugin.arguments.push_back(argument.Scalar());
    }
    for (const YAML::Node& variable : entries_of(exec.map, "env")) {
        const std::string name = variable.IsMap() ? text_of(variable, "name") : "";
        if (name.empty() || name.find('=') != std::string::npos)
            return bad_config("exec: each entry of env should be {name: NAME, value: VALUE}");
        plugin.environment.emplace_back(name, text_of(variable, "value"));
    }
    plugin.install_hint = text_of(exec.map, "installHint");
    plugin.provide_cluster_info = is_true(exec.map, "provideClusterInfo");
    if (plugin.provide_cluster_info)
        plugin.cluster_config = plugin_config_of(cluster.map);
    if (auto possible = check_interactive_mode(plugin, text_of(exec.map, "interactiveMode")); !possible)
        return possible;
    config.exec = std::move(plugin);
    return {};
}

bool is_header_value(std::string_view text)
{
    return std::ranges::all_of(text, [](char c) { return c >= ' ' && c < 0x7f; });
}

// As part of a header's name: what RFC 9110 section 5.6.2 does not have in a token, and %, percent-encoded,
// as client-go does (k8s.io/client-go/transport, headerKeyEscape).
std::string in_header_name(std::string_view key)
{
    constexpr std::string_view marks = "!#$&'*+-.^_`|~";
    constexpr std::string_view hex = "0123456789ABCDEF";
    const auto is_token = [&](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               marks.find(c) != std::string_view::npos;
    };
    std::string name;
    for (const char c : key) {
        const auto byte = static_cast<unsigned char>(c);
        if (is_token(c))
            name += c;
        else
            name.append({'%', hex[byte >> 4U], hex[byte & 15U]});
    }
    return name;
}

// {scopes: [view, edit]}, by key.
std::map<std::string, std::vector<std::string>> extra_of(const YAML::Node& extra)
{
    constexpr auto refuse = [](const YAML::Node& value) {
        refuse_type(value, "as-user-extra", "a map of lists of texts");
    };
    if (!extra.IsMap())
        refuse(extra);
    std::map<std::string, std::vector<std::string>> values;
    for (const auto& member : extra) {
        if (!member.first.IsScalar() || member.first.Scalar().empty() || !member.second.IsSequence())
            refuse(member.second);
        for (const YAML::Node& value : member.second) {
            if (!value.IsScalar())
                refuse(value);
            values[member.first.Scalar()].push_back(value.Scalar());
        }
    }
    return values;
}

// The headers that client-go sends for these fields (k8s.io/client-go/transport, impersonatingRoundTripper).
Result<> read_impersonation(const YAML::Node& user, ClusterConfig& config)
{
    const auto add = [&](const std::string& name, const std::string& value) {
        config.headers.emplace_back(name, value);
        return is_header_value(value);
    };
    const std::string as = text_of(user, "as");
    bool good = as.empty() || add("Impersonate-User", as);
    if (const std::string uid = text_of(user, "as-uid"); !uid.empty())
        good = add("Impersonate-Uid", uid) && good;
    for (const YAML::Node& group : entries_of(user, "as-groups")) {
        if (!group.IsScalar())
            refuse_type(group, "as-groups", "a list of texts");
        good = add("Impersonate-Group", group.Scalar()) && good;
    }
    if (has(user, "as-user-extra"))
        for (const auto& [key, values] : extra_of(user["as-user-extra"]))
            for (const std::string& value : values)
                good = add("Impersonate-Extra-" + in_header_name(key), value) && good;
    if (as.empty() && !config.headers.empty())
        return bad_config("as-uid, as-groups or as-user-extra without as: a user is impersonated, or nobody");
    if (!good)
        return bad_config("as, as-uid, as-groups or as-user-extra holds a character that no HTTP header has");
    return {};
}

// One way to say who we are; a client certificate may be given besides.
Result<> check_single(const ClusterConfig& config)
{
    const int ways = (config.token.empty() ? 0 : 1) + (config.user.empty() ? 0 : 1) + (config.exec ? 1 : 0);
    if (ways > 1)
        return bad_config("more than one of token, username and exec: keep one of them");
    return {};
}

} // namespace

Result<PemSource> pem_of(const KubeconfigMap& from, const std::string& key)
{
    PemSource source;
    source.file = from.file_of(key.c_str());
    const std::string data = text_of(from.map, (key + "-data").c_str());
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

Result<> read_user(const KubeconfigMap& user, const KubeconfigMap& cluster, ClusterConfig& config)
{
    if (has(user.map, "auth-provider"))
        return bad_config(
            "auth-provider is not supported: use exec, a service account's token or tokenFile, or a "
            "client certificate");
    if (auto read = read_token(user, config); !read)
        return read;
    if (auto read = read_password(user, config); !read)
        return read;
    if (auto read = read_plugin(user, cluster, config); !read)
        return read;
    if (auto single = check_single(config); !single)
        return single;
    if (auto read = read_impersonation(user.map, config); !read)
        return read;
    return read_client_certificate(user, config);
}

} // namespace routelet::k8s
